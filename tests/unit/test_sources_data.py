"""Real records of every format: what each file is taken for, and what its records come to.

The files lie beside the checkout and are other people's: they are read, and nothing in them is called. Each row has a
proof that shares no code with ours: a shell line that prints H, M or L for each signal.
"""

import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tocsin.signals import Retraction, RiskLevel, Signal
from tocsin.sources import Reading, SourceError, open_source_input

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real records are not beside this checkout")

# The addresses that are no host on the Internet, as far as these files hold any.
PRIVATE = (
    "^(0|10|127|100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])|169[.]254|172[.](1[6-9]|2[0-9]|3[01])|192[.]168"
    "|198[.]1[89]|192[.]0[.]0|203[.]0[.]113|22[4-9]|2[3-5][0-9])[.]"
)
JQ = f'jq -r \'def g: (. // "10.") | test("{PRIVATE}") | not; '


class Row(NamedTuple):
    """One file, read as of a day after its last record, with a life long enough for its first."""

    file: str
    form: str
    as_of: str
    records: int
    levels: tuple[int, int, int]
    """HIGH, MEDIUM, LOW"""
    skipped: dict[str, int]
    proof: str
    """Run with the file as FILE."""
    allow: bool = False
    """Whether documentation addresses pass: composed records have no other."""
    retractions: int = 0


EVE = JQ + '.[] | select((.src_ip | g) or (.dest_ip | g)) | [null, "H", "M", "L"][.alert.severity]\' FILE'
LINES = f"sed 's/ *$//' FILE | grep -Ev '{PRIVATE}' | sed 's/.*/M/'"
NETS = "grep -Ev '^[#;]' FILE | awk -F/ '$2>=24{{for(i=0;i<2^(32-$2);i++)print \"{}\"}}'"
CSV = "tail -n +2 FILE | grep -E '{}' | grep -Ev '2001:db8|203[.]0[.]113' | sed 's/.*/{}/'"
GUARDDUTY = (
    "jq -r '(.detail // .) | select(.service.archived | not) | select(.service.additionalInfo.sample != true)"
    " | select([.. | objects | .ipAddressV4? // empty] != []) | .severity as $s"
    ' | (if .service.resourceRole == "ACTOR"'
    ' or .service.action.networkConnectionAction.connectionDirection == "OUTBOUND"'
    ' then (if $s >= 7 then "L" else empty end) elif $s >= 7 then "H" elif $s >= 4 then "M" else "L" end) as $l'
    " | [.. | objects | .ipAddressV4? // empty] | unique[] | $l' FILE"
)
SSHD = r"""awk '
    function tell(n) {
        if (!(ip in open) || now - open[ip] >= 3600) { open[ip] = now; c[ip] = top[ip] = u[ip] = 0 }
        if (!((ip, user, open[ip]) in tried)) { tried[ip, user, open[ip]] = 1; u[ip]++ }
        c[ip] += n
        r = c[ip] >= 100 || u[ip] >= 20 ? 3 : c[ip] >= 10 ? 2 : c[ip] >= 3 ? 1 : 0
        if (r > top[ip]) { top[ip] = r; if (r >= held[ip]) { held[ip] = r; print substr("LMH", r, 1) } }
    }
    { sub(/\r$/, ""); split($3, t, ":"); now = t[1] * 3600 + t[2] * 60 + t[3]
      user = $0; sub(/.*(Invalid user|Failed password for) /, "", user); sub(/^invalid user /, "", user)
      sub(/ from .*/, "", user); n = $6 == "message" ? $8 : 1 }
    / Failed password/ { ip = $(NF - 3); first = said[$5 ip] == 1; said[$5 ip] = 2; tell(n - first) }
    / Invalid user .* from / { ip = / port / ? $(NF - 2) : $NF; n = !(($5 ip) in said); said[$5 ip] = 1; tell(n) }
'"""
ROWS = [
    Row("suricata/wrccdc-2018-alerts.json", "suricata-eve", "2018-03-27", 207, (27, 59, 4), {"not_global": 117}, EVE),
    Row("suricata/honeypot-2018-alerts.json", "suricata-eve", "2019-01-05", 44, (0, 43, 1), {}, EVE),
    Row(
        "suricata/hub-eve-detect.ndjson", "suricata-eve", "2022-07-13", 4, (1, 3, 0), {},
        'jq -r \'{Major: "H", Minor: "M"}[.alert.metadata.signature_severity[0] // ""]'
        ' // [null, "H", "M", "L"][.alert.severity]\' FILE',
    ),
    Row(
        "ipsum/ipsum.txt.gz", "ipsum", "2026-08-22", 120_430, (1_413, 12_804, 16_556), {"below_bands": 89_657},
        "zcat FILE | awk '!/^#/{print ($2>=5 ? \"H\" : $2>=3 ? \"M\" : $2==2 ? \"L\" : \"\")}'",
    ),
    Row("ipsum/level5.txt", "ip-list", "2026-11-23", 1_413, (0, 1_413, 0), {}, LINES),
    Row("alienvault/alienvault.txt", "ip-list", "2026-11-23", 609, (0, 609, 0), {}, LINES),
    Row("emergingthreats/compromised-ips.txt", "ip-list", "2026-11-23", 539, (0, 539, 0), {}, LINES),
    Row("cps/cobaltstrike_ips.txt", "ip-list", "2026-11-23", 2_087, (0, 2_082, 0), {"not_global": 5}, LINES),
    Row(
        "cps/log4j.txt.gz", "ip-list", "2026-11-23", 25_292, (0, 25_279, 0), {"not_global": 13},
        LINES.replace("FILE", "<(zcat FILE)"),
    ),
    Row("firehol/dshield.netset", "firehol", "2019-07-31", 19, (0, 4_864, 0), {}, NETS.format("M")),
    Row("firehol/feodo.ipset", "firehol", "2019-07-31", 384, (0, 0, 384), {}, "grep -v '#' FILE | sed 's/.*/L/'"),
    Row(
        "firehol/iblocklist_abuse_palevo.netset", "firehol", "2019-07-31", 12, (0, 0, 12), {},
        "grep -v '#' FILE | sed 's/.*/L/'",
    ),
    Row(
        "spamhaus/drop_v4.json", "spamhaus-drop", "2026-07-24", 1_670, (187_392, 0, 0), {"network_too_large": 938},
        "jq -r '.cidr // empty' FILE | awk -F/ '$2>=24{for(i=0;i<2^(32-$2);i++)print \"H\"}'",
    ),
    Row(
        "spamhaus/edrop.txt", "spamhaus-drop-text", "2024-02-28", 322, (56_576, 0, 0), {"network_too_large": 101},
        NETS.format("H"),
    ),
    Row("spamhaus/drop_ipv6.txt", "spamhaus-drop-text", "2024-02-28", 51, (0, 0, 0), {"network_too_large": 51}, ":"),
    Row("spamhaus/asn_drop.json", "spamhaus-asn-drop", "2024-02-28", 201, (0, 0, 0), {"no_address": 201}, ":"),
    Row("tor/exits.csv", "tor-exits-csv", "2026-11-23", 5_933, (0, 0, 5_933), {}, "tail -n +2 FILE | sed 's/.*/L/'"),
    Row(
        "zeek_intel/abuse-ch-threatfox-ip.intel", "zeek-intel", "2026-11-23", 3_493, (0, 3_492, 0), {"not_global": 1},
        f"grep Intel::ADDR FILE | grep -Ev '{PRIVATE}' | sed 's/.*/M/'",
    ),
    Row(
        "zeek_intel/compromised-ips.intel", "zeek-intel", "2026-11-23", 539, (0, 539, 0), {},
        "grep Intel::ADDR FILE | sed 's/.*/M/'",
    ),
    Row(
        "zeek/notice.json.gz", "zeek-notice", "2018-03-27", 207, (0, 0, 0), {"no_level": 207},
        "zcat FILE | jq -r 'select(.note | test(\"Guess|Scan::|Brute|SQL\")) | \"H\"'", allow=True,
    ),
    Row(
        "crowdsec/alert_bulk.json", "crowdsec-alerts", "2020-10-27", 20, (0, 20, 0), {},
        "jq -r '.[] | if .scenario | test(\"cve|exploit\"; \"i\") then \"H\" else \"M\" end' FILE",
    ),
    Row("crowdsec/alert_ssh-bf.json", "crowdsec-alerts", "2020-10-27", 1, (0, 1, 0), {}, "jq -r '.[] | \"M\"' FILE"),
    Row(
        "crowdsec/cti_fire_page1.json", "crowdsec-cti", "2022-12-01", 3, (2, 1, 0), {},
        "jq -r '.items[].scores.overall.total | if . >= 4 then \"H\" elif . == 3 then \"M\" else \"L\" end' FILE",
    ),
    Row(
        "crowdsec/decisions_import.csv", "crowdsec-decisions", "2026-11-23", 5, (5, 0, 0), {}, CSV.format("ban", "H"),
    ),
    Row(
        "crowdsec/decisions_import.json", "crowdsec-decisions", "2026-11-23", 5, (5, 0, 0), {},
        "jq -r '.[] | \"H\"' FILE",
    ),
    Row(
        "crowdsec/run-cscli_decisions.csv", "crowdsec-cscli-csv", "2026-11-23", 16, (0, 11, 0),
        {"no_address": 2, "not_global": 3}, CSV.format("Ip:|Range:", "M"),
    ),
    Row(
        "crowdsec/run-decisions_lapi.json", "crowdsec-decisions", "2026-11-23", 66, (0, 61, 0),
        {"no_address": 2, "not_global": 3},
        "jq -r '.[] | select(.origin == \"crowdsec\" and .scope == \"Ip\") | \"M\"' FILE",
    ),
    Row(
        "crowdsec/run-stream_startup.json", "crowdsec-stream", "2026-11-23", 31, (0, 11, 0),
        {"no_claim": 17, "not_global": 3}, "jq -r '.new[] | select(.origin == \"crowdsec\") | \"M\"' FILE",
    ),
    Row("crowdsec/run-stream_delta.json", "crowdsec-stream", "2026-11-23", 2, (0, 0, 0), {"no_claim": 2}, ":"),
    Row(
        "aws/asff-panther.ndjson", "asff", "2024-06-01", 10, (6, 0, 0), {"no_address": 4},
        "jq -r 'select(.Action.AwsApiCallAction.RemoteIpDetails.IpAddressV4) | .Severity.Label[0:1]' FILE",
    ),
    Row("aws/sechub-guardduty.asff.json", "asff", "2023-09-20", 1, (0, 0, 1), {}, "jq -r .Severity.Label[0:1] FILE"),
    Row(
        "aws/guardduty-panther.ndjson", "guardduty", "2025-03-01", 8, (0, 0, 0), {"no_address": 4, "no_claim": 4},
        GUARDDUTY,
    ),
    Row(
        "composed/guardduty-findings.ndjson", "guardduty", "2026-01-06", 7, (0, 1, 4), {"no_claim": 2, "no_address": 1},
        GUARDDUTY, allow=True,
    ),
    Row(
        "composed/guardduty-eventbridge.ndjson", "guardduty", "2026-01-06", 7, (0, 1, 4),
        {"no_claim": 2, "no_address": 1}, GUARDDUTY, allow=True,
    ),
    Row(
        "aws/waf-panther.ndjson", "aws-waf", "2024-03-21", 25, (0, 7, 10), {"no_claim": 8},
        "jq -r 'select(.action == \"BLOCK\") | .terminatingRuleId"
        " | if test(\"IpReputation|AntiDDoS|AnonymousIp\") then \"M\" else \"L\" end' FILE", allow=True,
    ),
    Row(
        "aws/waf-1.1.0.raw.json", "aws-waf", "2021-09-24", 1, (0, 1, 0), {},
        "jq -r 'if .rateBasedRuleList != [] then \"M\" else \"L\" end' FILE",
    ),
    Row(
        "cloudflare/firewall-panther.ndjson", "cloudflare-firewall", "2022-05-11", 3, (0, 1, 1), {"no_claim": 1},
        "jq -r 'select(.Action == \"block\") | {l7ddos: \"L\", firewallmanaged: \"M\"}[.Source]' FILE", allow=True,
    ),
    Row(
        "composed/entra-riskdetections.json", "entra-risk", "2026-01-06", 5, (1, 1, 0),
        {"no_claim": 2, "below_bands": 1},
        "jq -r '.value[] | select(.riskEventType | test(\"IPAddress|passwordSpray\")) "
        " | {high: \"H\", medium: \"M\"}[.riskLevel] // empty' FILE", allow=True,
    ),
    Row("okta/systemlog-panther.ndjson", "okta-system-log", "2025-09-24", 22, (0, 0, 0), {"no_claim": 22},
        "jq -r 'select(.eventType == \"security.threat.detected\") | \"H\"' FILE"),
    Row("ocsf/sechub-guardduty.ocsf.json", "ocsf", "2023-09-20", 1, (0, 0, 1), {},
        "jq -r '{\"2\": \"L\", \"3\": \"M\", \"4\": \"H\"}[.severity_id | tostring]' FILE"),
    Row("ocsf/waf-1.1.0.ocsf.json", "ocsf", "2021-09-24", 1, (0, 0, 1), {},
        "jq -r 'select(.disposition_id == 2) | \"L\"' FILE"),
    Row("ocsf/vpcflow-1.1.0.ocsf.json", "ocsf", "2022-04-13", 1, (0, 0, 1), {},
        "jq -r 'select(.action_id == 2) | \"L\"' FILE"),
    Row(
        "misp/eset-glupteba.misp-event.json", "misp", "2018-03-20", 321, (0, 40, 0), {"no_claim": 281},
        "jq -r '.response[].Event.Attribute[] | select(.to_ids and (.type | startswith(\"ip-dst\"))) | \"M\"' FILE",
    ),
    *(
        Row(f"misp/{name}", "misp", "2018-10-12", records, (0, 0, 0), {"no_claim": records},
            "(zcat FILE 2>/dev/null || cat FILE) | jq -r '.. | objects | select(.to_ids? == true"
            " and (.type | startswith(\"ip-\"))) | \"M\"'")
        for name, records in (
            ("eset-chandrila.json", 5), ("eset-crait.json", 9), ("eset-ebury.misp.json.gz", 420),
            ("eset-oceanlotus.misp.event.json", 111), ("pymisp-57c4445b.json", 9),
        )
    ),
    Row(
        "stix/poisonivy.json", "stix", "2015-06-09", 155, (0, 40, 0), {"no_claim": 130, "no_address": 5},
        "grep -o \"ipv4-addr:value = '[^']*'\" FILE | sed 's/.*/M/'",
    ),
    Row("stix/indicator-for-c2-ip-address.json", "stix", "2014-05-09", 1, (0, 0, 0), {"not_global": 1}, ":"),
    Row("stix/infrastructure.json", "stix", "2016-05-09", 10, (0, 0, 0), {"no_claim": 10}, ":"),
    Row(
        "composed/taxii21-envelope.json", "stix", "2026-01-10", 8, (1, 2, 4), {"no_claim": 1, "no_address": 3},
        # One address, two, and the four of a /30; not the revoked one, nor what is bound to something else.
        "jq -r '.objects[] | select(.pattern_type == \"stix\" and (.revoked | not)) | .confidence as $c | .pattern"
        " | select(test(\" AND |!=\") | not) | if test(\"/30\") then range(4) else scan(\"value = \") end"
        " | if $c >= 70 then \"H\" elif $c >= 30 then \"M\" else \"L\" end' FILE", allow=True, retractions=1,
    ),
    Row(
        "composed/abuseipdb-blacklist.json", "abuseipdb", "2026-01-06", 3, (1, 1, 1), {},
        "jq -r '.data[].abuseConfidenceScore | if . >= 90 then \"H\" elif . >= 50 then \"M\" else \"L\" end' FILE",
        allow=True,
    ),
    Row(
        "composed/greynoise-community.ndjson", "greynoise", "2026-01-06", 4, (0, 1, 0),
        {"below_bands": 1, "no_claim": 2}, "jq -r 'select(.classification == \"malicious\") | \"M\"' FILE", allow=True,
    ),
    Row(
        "composed/wazuh-alerts.ndjson", "wazuh", "2026-01-06", 2, (0, 1, 0), {"no_address": 1},
        "jq -r 'select(.data.srcip) | .rule.level | if . >= 12 then \"H\" elif . >= 10 then \"M\" else \"L\" end' FILE",
        allow=True,
    ),
    Row("composed/cef.log", "cef", "2026-01-06", 3, (1, 1, 1), {}, "echo H M L", allow=True),
    Row(
        "zeek/notice.tsv.log.gz", "zeek-notice", "2018-03-27", 207, (0, 0, 0), {"no_level": 207},
        "zcat FILE | grep -E 'Guess|Scan::|Brute|SQL' | sed 's/.*/H/'", allow=True,
    ),
    Row(
        "suricata/hub-fast.log", "fast-alerts", "2022-07-13", 4, (1, 1, 1), {"not_global": 1},
        "grep -v 169.254 FILE | grep -o 'Priority: .' | cut -c11 | tr 123 HML",
    ),
    Row(
        "fail2ban/fail2ban-run.log", "fail2ban-log", "2024-12-11", 960, (1, 8, 0), {"no_claim": 951},
        "grep -E '\\] Ban ' FILE | sed -E 's/.*recidive.*/H/; s/.* Ban .*/M/'", allow=True,
    ),
    Row(
        "fail2ban/testlog-recidive", "fail2ban-log", "2006-02-14", 20, (1, 5, 0),
        {"no_claim": 1, "not_a_record": 11, "expired": 2},
        "grep -E '\\] Ban ' FILE | grep -vE '^(Jan|Mar)' | sed -E 's/.*recidive.*/H/; s/.* Ban .*/M/'", allow=True,
    ),
    Row(
        "fail2ban/fail2ban-run.sqlite3", "fail2ban-sqlite", "2024-12-11", 8, (1, 7, 0), {},
        "sqlite3 -readonly FILE \"select case when jail='recidive' then 'H' else 'M' end from bans\"", allow=True,
    ),
    Row(
        "fail2ban/database_v2.sqlite3", "fail2ban-sqlite", "2014-12-04", 2, (0, 2, 0), {},
        "sqlite3 -readonly FILE \"select 'M' from bans\"",
    ),
    Row(
        "sshd/OpenSSH_2k.log", "sshd", "2024-12-11", 2_000, (2, 7, 13), {"no_claim": 1_367, "below_bands": 611},
        # Attempts within an hour of the first one: each `Failed`, less the first of a process that said `Invalid user`.
        # Each level is said once in an hour, and no lower one while a higher one holds.
        f"cat FILE | {SSHD}",
    ),
    Row("sshd/hub-ssh-bf.log", "sshd", "2026-02-13", 6, (0, 0, 0), {"below_bands": 6}, f"cat FILE | {SSHD}"),
    Row(
        "apache/access_combined.log.gz", "web-access", "2015-05-22", 10_000, (0, 0, 0),
        {"no_claim": 9_785, "below_bands": 215},
        # 20 refused within any ten minutes: nobody, since nobody has 20 of them with the same ten-minute digits.
        "zcat FILE | awk '$9 ~ /^4/ {k = $1 substr($4, 1, 17); if (++n[k] == 20) print \"L\"}'",
    ),
    Row("nginx/http_dos_bypass_cache.log", "web-access", "2023-10-11", 356, (0, 0, 0), {"no_claim": 356},
        "awk '$9 ~ /^4/ {print \"L\"}' FILE", allow=True),
    Row(
        "apache/Apache_error_2k.log", "apache-errors", "2005-12-07", 2_000, (0, 0, 0),
        {"no_claim": 1_968, "below_bands": 32}, "grep -c 'error. .client' FILE | awk '$1 > 40 {print \"L\"}'",
    ),
    Row(
        "modsecurity/modsecurity.log", "apache-errors", "2024-06-15", 13, (0, 0, 0), {"below_bands": 13},
        "grep -o '.client [0-9.:]*. ModSecurity: [AW]' FILE"
        " | awk '{n[$2] += $4 == \"A\" ? 10 : 1; if (n[$2] >= 20 && !said[$2]++) print \"L\"}'",
    ),
]  # fmt: skip
IN_NO_FORMAT = [
    "cowrie/cowrie-logs.log", "endlessh/endlessh.log", "fail2ban/testlog-dovecot", "fail2ban/testlog-postfix",
    "cps/predict_domains.txt", "nginx/nginxplus_json.log.gz", "traefik/traefik_json.log", "pfsense/pf-logs.log",
    "crowdstrike/detection-panther.ndjson", "entra/graph-securityalert-panther.ndjson", "aws/alb-access.log",
    "stix/medallion_default_data.json", "warninglists/censys-scanning.json",
    "warninglists/public-dns-v4.json.gz", "warninglists/rfc1918.json",
]  # fmt: skip


def _row(row: Row) -> pytest.ParameterSet:
    many = sum(row.levels) > 100_000
    return pytest.param(row, id=row.file, marks=[pytest.mark.slow] if many else [])


@pytest.mark.parametrize("row", [_row(row) for row in ROWS])
def test_real_records_come_to_what_an_independent_count_says(row: Row) -> None:
    day = datetime.fromisoformat(row.as_of).replace(tzinfo=UTC)
    long = timedelta(days=90)
    reading = Reading(now=day, as_of=day, source=row.file, life=long, allow_non_global=row.allow)
    records, levels, skipped, retractions = 0, Counter[RiskLevel](), Counter[str](), 0
    with open_source_input(str(DATA / row.file)) as source:
        assert source.form.name == row.form
        for part in source.pieces(reading):
            records += part.records
            levels.update(claim.level for claim in part.claims if isinstance(claim, Signal))
            retractions += sum(isinstance(claim, Retraction) for claim in part.claims)
            skipped.update(str(one.reason) for one in part.skipped)
    assert (records, tuple(levels[level] for level in RiskLevel), dict(skipped), retractions) == (
        row.records, row.levels, row.skipped, row.retractions,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("bash")), reason="the proofs need bash and jq")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_the_proof_of_a_row_counts_the_same(row: Row) -> None:
    command = ["bash", "-c", row.proof.replace("FILE", row.file)]
    printed = subprocess.run(command, cwd=DATA, capture_output=True, text=True, timeout=60, check=False)
    counted = Counter(printed.stdout.split())
    assert (counted["H"], counted["M"], counted["L"]) == row.levels, printed.stderr


@pytest.mark.parametrize("file", IN_NO_FORMAT)
def test_what_is_in_no_format_is_taken_for_none(file: str) -> None:
    with pytest.raises(SourceError, match="in no format"), open_source_input(str(DATA / file)):
        pytest.fail("it was taken for something")
