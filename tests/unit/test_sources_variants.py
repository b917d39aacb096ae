"""Other forms in which tools write the same: composed from their documentation, each known by its content alone."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tocsin.signals import Signal, Skipped
from tocsin.sources import Reading, format_named, guard_of, open_source_input, read_source
from tocsin.sources.reading import Block

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DATA = Path(__file__).parents[2].parent / "shared" / "data"


def _read(path: Path) -> tuple[str, list[str], dict[str, int]]:
    """The format it is taken for, what is signalled, and what is skipped by reason."""
    with open_source_input(str(path)) as source:
        name = source.form.name
    found = list(read_source(str(path), Reading(now=NOW, source="x")))
    signals = [f"{one.ip} {one.level}" for one in found if isinstance(one, Signal)]
    return name, signals, dict(Counter(str(one.reason) for one in found if isinstance(one, Skipped)))


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


SYSTEMD = "Jan 05 10:00:00 h fail2ban-server[1]: 2026-01-05 10:00:00,584 fail2ban.actions [1]: NOTICE  [sshd]"
OTHER = "Failed password for x from 9.9.9.9 port 1 ssh2"
FAILED = "Failed password for root from 1.2.3.4 port 51%d ssh2"


def _sshd(start: str) -> str:
    return _lines(*((start % {"n": number} + FAILED % number) for number in range(3)))


def _journal(program: str, *messages: str) -> str:
    """`journalctl -o json`"""
    entry = {"_HOSTNAME": "host", "PRIORITY": "6", "SYSLOG_IDENTIFIER": program, "_TRANSPORT": "syslog"}
    return _lines(
        *(
            json.dumps({**entry, "__REALTIME_TIMESTAMP": f"176760720{at}000000", "_PID": str(at), "MESSAGE": message})
            for at, message in enumerate(messages)
        )
    )


EVE = '{"timestamp":"2026-01-05T10:00:00.000000+0000","event_type":"%s","src_ip":"1.2.3.4","dest_ip":"10.0.0.5",%s}'
ALERT = '"alert":{"signature_id":1,"signature":"x","severity":%s}'
ZEEK = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"


def _capital(value: Any) -> Any:
    """As the API of AWS names everything."""
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: _capital(one) for name, one in value.items()}
    return [_capital(one) for one in value] if isinstance(value, list) else value


CONNECTION = {"connectionDirection": "INBOUND", "remoteIpDetails": {"ipAddressV4": "1.2.3.4"}}
FINDING: dict[str, Any] = {
    "schemaVersion": "2.0",
    "accountId": "1",
    "type": "UnauthorizedAccess:EC2/SSHBruteForce",
    "service": {"action": {"networkConnectionAction": CONNECTION}, "eventLastSeen": "2026-01-05T10:00:00.000Z"},
    "severity": 8,
}
SAMPLE = {"additionalInfo": {"value": '{"sample":true}', "type": "default"}}
WAZUH = {"timestamp": "2026-01-05T10:00:00.117+0000", "rule": {"level": 10, "id": "1"}, "agent": {"id": "1"}}
ATTRIBUTE = {
    "type": "ip-src",
    "category": "Network activity",
    "value": "1.2.3.4",
    "to_ids": True,
    "timestamp": "1767607200",
}
THREAT = {
    "published": "2026-01-05T10:00:00.000Z", "eventType": "security.threat.detected", "actor": {"id": "x"},
    "client": {"ipAddress": "1.2.3.4"}, "outcome": {"result": "DENY", "reason": "x"},
}  # fmt: skip
CLOUDFLARE = {
    "Action": "block", "ClientIP": "1.2.3.4", "Datetime": "2026-01-05T10:00:00Z", "RayID": "7", "RuleID": "e",
    "Source": "firewallmanaged",
}  # fmt: skip
RISK = {
    "id": "a1", "riskEventType": "passwordSpray", "riskState": "atRisk", "riskLevel": "high", "ipAddress": "1.2.3.4",
    "activityDateTime": "2026-01-05T10:00:00Z",
}  # fmt: skip
REQUEST = {"remote_addr": "1.2.3.4", "body_bytes_sent": "1", "http_user_agent": "x"}
VHOST = 'x.example:443 1.2.3.4 - - [05/Jan/2026:10:00:0%d +0000] "GET /.env HTTP/1.1" 404 1 "-" "x"'
SSHD = ("sshd", ["1.2.3.4 LOW"], {"below_bands": 2})
HIGH, MEDIUM, LOW = ["1.2.3.4 HIGH"], ["1.2.3.4 MEDIUM"], ["1.2.3.4 LOW"]
VARIANTS: dict[str, tuple[str, tuple[str, list[str], dict[str, int]]]] = {
    "suricata: other events before the alert": (
        _lines(
            '{"timestamp":"2026-01-05T10:00:00+0000","event_type":"stats","stats":{"uptime":1}}',
            *(
                EVE % (kind, f'"flow_id":1,"{kind}":{{}}')
                for kind in ("flow", "http", "tls", "dns", "anomaly", "fileinfo")
            ),
            EVE % ("alert", f'"flow_id":1,{ALERT % 1}'),
            EVE % ("drop", f'"flow_id":1,"drop":{{"reason":"rules"}},{ALERT % 2}'),
        ),
        ("suricata-eve", ["1.2.3.4 HIGH", "1.2.3.4 MEDIUM"], {"no_claim": 7}),
    ),
    "zeek: a log of connections": (
        ZEEK
        + _lines(
            "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p",
            "#types\ttime\tstring\taddr\tport\taddr\tport",
            "1767607200.5\tC1\t1.2.3.4\t55\t10.0.0.5\t22",
        ),
        ("zeek-notice", [], {"no_claim": 1}),
    ),
    "zeek: other logs as JSON": (
        _lines(
            '{"ts":1767607200.5,"uid":"C1","id.orig_h":"1.2.3.4","id.resp_h":"10.0.0.5","auth_success":false}',
            '{"ts":1767607200.5,"uid":"C1","id.orig_h":"1.2.3.4","id.resp_h":"10.0.0.5","name":"bad_checksum"}',
            '{"ts":1767607200.5,"note":"SSH::Password_Guessing","src":"1.2.3.4","actions":["Notice::ACTION_LOG"]}',
        ),
        ("zeek-notice", HIGH, {"no_claim": 2}),
    ),
    "suricata: EVE through syslog": (
        _lines(
            "Jan  5 10:00:00 fw kernel: {",
            f"Jan  5 10:00:00 fw mail[1]: greeted as {EVE % ('alert', ALERT % 1)}",
            *(f"Jan  5 10:00:00 fw suricata[1]: @cee: {EVE % ('alert', ALERT % severity)}" for severity in (1, 4)),
        ),
        ("suricata-eve", HIGH, {"below_bands": 1, "not_a_record": 2}),
    ),
    "snort: alert_full": (
        _lines(
            "[**] [1:469:3] ICMP PING NMAP [**]",
            "[Classification: Attempted Information Leak] [Priority: 2] ",
            "01/05-10:00:00.123456 1.2.3.4 -> 10.0.0.5",
            "ICMP TTL:64 TOS:0x0 ID:1 IpLen:20 DgmLen:28",
            "Type:8  Code:0  ID:1   Seq:1  ECHO",
            "[Xref => http://www.whitehats.com/info/IDS162]",
            "",
            '[**] [1:1000:1] "WEB" [**]',
            "[Priority: 1]",
            "01/05-10:00:01.123456 2a00::5:4711 -> fd00::1:80",
            "TCP TTL:64 TOS:0x0 ID:1 IpLen:20 DgmLen:28",
            "***AP*** Seq: 0x1  Ack: 0x1  Win: 0x1  TcpLen: 20",
            "",
            "[**] [1:1001:1] with the link layer [**]",
            "[Priority: 3]",
            "01/05-10:00:01.123456 00:0C:29:01:02:03 -> 00:50:56:01:02:03 type:0x800 len:0x4A",
            "1.2.3.9:4711 -> 10.0.0.5:80",
            "TCP TTL:64 TOS:0x0 ID:1 IpLen:20 DgmLen:28",
            "",
            "[**] [1:1002:1] cut off [**]",
            "[Priority: 3]",
            "",
        ),
        ("snort-full", ["1.2.3.4 MEDIUM", "2a00::5 HIGH", "1.2.3.9 LOW"], {"not_a_record": 1}),
    ),
    "snort: syslog": (
        _lines(
            "Jan  5 10:00:00 gw snort[123]: [1:469:3] X [Classification: Y] [Priority: 2] {ICMP} 1.2.3.4 -> 10.0.0.5",
            "<33>Jan  5 10:00:00 gw snort: [1:469:3] X [Priority: 2]: {TCP} 1.2.3.5:1 -> 10.0.0.5:2",
            "Jan  5 10:00:00 gw suricata[1]: [Drop] [1:2:3] X [Priority: 1] {TCP} 1.2.3.6:1 -> 10.0.0.5:2",
            "<33>1 2026-01-05T10:00:00.1+00:00 gw snort 1 - - [1:469:3] X [Priority: 3] {ICMP} 1.2.3.7 -> 10.0.0.5",
        ),
        ("fast-alerts", ["1.2.3.4 MEDIUM", "1.2.3.5 MEDIUM", "1.2.3.6 HIGH", "1.2.3.7 LOW"], {}),
    ),
    "snort: alert_full that breaks off": (
        _lines("[**] [1:469:3] X [**]", "[Priority: 2] ", "01/05-10:00:00.123456 1.2.3.4 -> 10.0.0.5"),
        ("snort-full", [], {"not_a_record": 1}),
    ),
    "snort: CSV of pfSense": (
        _lines(
            '01/05/26-10:00:00.428952 ,1,2403488,68499,"C, 9",TCP,1.2.3.4,367,10.0.0.5,91,5,Misc Attack,2,alert,Allow',
            '01/05/26-10:00:00.428952 ,1,477,3,"ICMP Packet",ICMP,10.0.0.5,,1.2.3.5,,40546,,0,alert,Allow',
            '01/05/26-10:00:00.428952 ,1,477,3,"called out",TCP,10.0.0.5,80,1.2.3.6,80,40546,,1,alert,Allow',
        ),
        ("snort-csv", ["1.2.3.4 MEDIUM", "1.2.3.6 HIGH"], {"below_bands": 1}),
    ),
    "snort: CSV of Snort 2, which tells no priority": (
        '01/05-10:00:00.5 ,1,1000006,0,"TCP",TCP,1.2.3.4,57263,10.0.0.5,22,00:25:90:3A:05:13,00:50:56:9D:A5:BE,0x72,\n',
        ("snort-csv", [], {"no_level": 1}),
    ),
    "fail2ban: syslog, systemd, IPv6": (
        _lines(
            "Jan  5 10:00:00 host fail2ban.actions[123]: NOTICE [sshd] Restore Ban 2a00::5",
            "Jan  5 10:00:00 host fail2ban-server[123]: NOTICE  [sshd] Ban 1.2.3.5",
            f"{SYSTEMD} Ban 1.2.3.6",
            f"{SYSTEMD} Unban 1.2.3.6",
        ),
        ("fail2ban-log", ["2a00::5 MEDIUM", "1.2.3.5 MEDIUM", "1.2.3.6 MEDIUM"], {"no_claim": 1}),
    ),
    "fail2ban: a host by its name, and what is neither": (
        _lines(
            *(f"2026-01-05 10:00:00,584 fail2ban.actions [9]: NOTICE  [sshd] Ban {ip}" for ip in ("x.example", "1.2"))
        ),
        ("fail2ban-log", [], {"no_address": 1, "bad_address": 1}),
    ),
    "fail2ban: the journal as JSON": (
        _journal("fail2ban.actions", "NOTICE [sshd] Ban 1.2.3.4", "NOTICE [sshd] Unban 1.2.3.4"),
        ("fail2ban-log", MEDIUM, {"no_claim": 1}),
    ),
    "sshd: RFC 5424": (_sshd("<38>1 2026-01-05T10:00:0%(n)d.123456+00:00 host sshd %(n)d - - "), SSHD),
    "sshd: RFC 5424 with a mark": (_sshd('1 2026-01-05T10:00:0%(n)dZ host sshd %(n)d - [x y="1"] \ufeff'), SSHD),
    "sshd: short-precise": (_sshd("Jan 05 10:00:0%(n)d.123456 host sshd[%(n)d]: "), SSHD),
    "sshd: short-full": (_sshd("Mon 2026-01-05 10:00:0%(n)d UTC host sshd-session[%(n)d]: "), SSHD),
    "sshd: short-iso": (_sshd("2026-01-05T10:00:0%(n)d+0000 host sshd[%(n)d]: "), SSHD),
    "sshd: with a year": (_sshd("Jan  5 2026 10:00:0%(n)d host sshd[%(n)d]: "), SSHD),
    "sshd: the journal as JSON": (_journal("sshd-session", *(FAILED % number for number in range(3))), SSHD),
    "sshd: a line within a message is none": (
        _journal(
            "sshd", *(f"Invalid user x\nJan  5 10:00:00 host sshd[{n}]: {OTHER} from 1.2.3.4 port 5" for n in range(3))
        ),
        SSHD,
    ),
    "a box around the head of a list": (
        _lines(
            "#####", "# Feodo Tracker               #", "# Last updated: 2026-01-05 10:00:00 UTC #", "#####", "1.2.3.4"
        ),
        ("ip-list", MEDIUM, {}),
    ),
    "nginx: JSON": (
        _lines(
            *(
                json.dumps(REQUEST | more)
                for more in (
                    {"time_iso8601": "2026-01-05T10:00:00+00:00", "request": "GET /.env HTTP/1.1", "status": "200"},
                    {"time_local": "05/Jan/2026:10:00:01 +0000", "request_uri": "/.git/config", "response": 404},
                    {"msec": "1767607202.123", "uri": "/", "status": 404, "remote_addr": "unix:"},
                    {"msec": 1767607202.123, "uri": "/", "status": 200},
                )
            ),
            '{"remote_addr":"1.2.3.4","time_iso8601":"2026-01-05T10:00:00+00:00"}',
        ),
        ("web-access-json", LOW, {"below_bands": 1, "no_address": 1, "no_claim": 1, "not_a_record": 1}),
    ),
    "nginx: what Docker keeps of a container": (
        _lines(
            *(
                json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-01-05T10:00:00.1Z"})
                for line in (VHOST % 0, VHOST % 1, "nginx: ready")
            ),
            '{"log":1,"stream":"stdout","time":"2026-01-05T10:00:00.1Z"}',
        ),
        ("web-access", LOW, {"below_bands": 1, "not_a_record": 2}),
    ),
    "apache: vhost_combined": (
        _lines(*(VHOST % number for number in range(2))),
        ("web-access", LOW, {"below_bands": 1}),
    ),
    "ipset save": (
        _lines(
            "create bl hash:ip family inet hashsize 1024 maxelem 65536 timeout 0",
            "add bl 1.2.3.4 timeout 300",
            "create ports bitmap:port range 1-1024",
            "add ports 22",
            "create nets hash:net family inet hashsize 1024 maxelem 65536",
            'add nets 1.2.4.0/31 comment "two of them"',
        ),
        ("firewall-set", ["1.2.3.4 MEDIUM", "1.2.4.0 MEDIUM", "1.2.4.1 MEDIUM"], {"no_address": 1}),
    ),
    "ipset save: hosts of a network, and more than one word about an element": (
        _lines(
            "create bl hash:net,port family inet hashsize 1024 maxelem 65536 timeout 0 comment",
            'add bl 1.2.3.4,tcp:22 timeout 300 packets 1 bytes 60 comment "a timeout 9 b"',
            "add bl 1.2.3.6/31 timeout 300",
            "add v6 2606:4700::1111",
            "-A old 1.2.3.9",
            "add nested bl",
        ),
        (
            "firewall-set",
            [f"{ip} MEDIUM" for ip in ("1.2.3.4", "1.2.3.6", "1.2.3.7", "2606:4700::1111", "1.2.3.9")],
            {"no_address": 1},
        ),
    ),
    "zeek: an hour in which nothing was noticed": (
        ZEEK.replace("conn", "notice")
        + "#fields\tts\tuid\tnote\n#types\ttime\tstring\tenum\n#close\t2026-01-05-11-00-00\n",
        ("zeek-notice", [], {}),
    ),
    "zeek: a log of no connection": (
        ZEEK.replace("conn", "known_hosts") + "#fields\tts\thost\n#types\ttime\taddr\n1767607200.5\t1.2.3.4\n",
        ("zeek-notice", [], {"no_claim": 1}),
    ),
    "corelight: a log of no connection": (
        '{"_path":"known_hosts","_system_name":"s","_write_ts":"2026-01-05T10:00:00Z","ts":"2026-01-05T10:00:00Z","host":"1.2.3.4"}',
        ("zeek-notice", [], {"no_claim": 1}),
    ),
    "nft list ruleset": (
        _lines(
            "table inet filter {",
            "\tset bad {",
            "\t\ttype ipv4_addr",
            "\t\tflags interval,timeout",
            "\t\telements = { 1.2.3.4 timeout 1h expires 59m8s, 1.2.3.6-1.2.3.7,",
            "\t\t\t     1.2.4.0/31 }",
            "\t}",
            "\tchain input {",
            "\t\tip saddr 1.1.1.1 accept",
            "\t\tip saddr @bad drop",
            "\t}",
            "}",
        ),
        ("firewall-set", [f"1.2.{ip} MEDIUM" for ip in ("3.4", "3.6", "3.7", "4.0", "4.1")], {}),
    ),
    "ranges": (
        _lines("1.2.3.4-1.2.3.5", "1.2.3.9 - 1.2.3.9 # one", "1.0.0.0-1.255.255.255", "1.2.3.5-1.2.3.4"),
        ("ip-list", [f"1.2.3.{ip} MEDIUM" for ip in (4, 5, 9)], {"network_too_large": 1, "bad_address": 1}),
    ),
    "dshield: block.txt": (
        _lines(
            "# x",
            "Start\tEnd\tNetmask\tAttacks",
            "1.2.3.0\t1.2.3.1\t31\t3000",
            "1.2.3.9\t1.2.3.9\t32\t1",
            "1.2.3.0 broken",
        ),
        ("dshield", ["1.2.3.0 MEDIUM", "1.2.3.1 MEDIUM", "1.2.3.9 MEDIUM"], {"not_a_record": 1}),
    ),
    "misp: a list of attributes": (
        json.dumps([ATTRIBUTE, {**ATTRIBUTE, "to_ids": False}]),
        ("misp", MEDIUM, {"no_claim": 1}),
    ),
    "misp: one attribute": (json.dumps({"Attribute": ATTRIBUTE}), ("misp", MEDIUM, {})),
    "misp: an event that is not wrapped": (
        json.dumps({"info": "x", "threat_level_id": "1", "Attribute": [ATTRIBUTE]}),
        ("misp", HIGH, {}),
    ),
    "misp: CSV": (
        _lines(
            "uuid,event_id,category,type,value,comment,to_ids,date,object_relation,attribute_tag",
            '"5a","1","Network activity","ip-src","1.2.3.4","",1,1767607200,"",""',
            '"5b","1","Network activity","ip-dst","1.2.3.5","",0,1767607200,"",""',
            '"5c","1","Network activity","domain","x.example","",1,1767607200,"",""',
        ),
        ("misp", MEDIUM, {"no_claim": 2}),
    ),
    "okta: an event hook": (
        json.dumps({"eventType": "com.okta.event_hook", "data": {"events": [THREAT]}}),
        ("okta-system-log", HIGH, {}),
    ),
    "okta: a log stream": (
        json.dumps({"detail-type": "SystemLog", "source": "aws.partner/okta.com/x", "detail": THREAT}),
        ("okta-system-log", HIGH, {}),
    ),
    "cloudflare: who solved a challenge is a person": (
        _lines(
            *(
                json.dumps({**CLOUDFLARE, "Action": action})
                for action in (
                    "managedchallenge",
                    "managedchallengeinteractivesolved",
                    "jschallengesolved",
                    "challengebypassed",
                    "log",
                )
            )
        ),
        ("cloudflare-firewall", MEDIUM, {"no_claim": 4}),
    ),
    "cloudflare: a request that no rule was about": (
        _lines(json.dumps(CLOUDFLARE), json.dumps({**CLOUDFLARE, "Action": None, "Source": None})),
        ("cloudflare-firewall", MEDIUM, {"no_claim": 1}),
    ),
    "guardduty: a sample by what it tells as text": (
        _lines(*(json.dumps({**FINDING, "service": {**FINDING["service"], **told}}) for told in ({}, SAMPLE))),
        ("guardduty", HIGH, {"no_claim": 1}),
    ),
    "guardduty: EventBridge under the names of the API": (
        json.dumps({"detail-type": "GuardDuty Finding", "detail": _capital(FINDING)}),
        ("guardduty-api", HIGH, {}),
    ),
    "wazuh: what AWS told it": (
        _lines(
            *(
                json.dumps({**WAZUH, "data": {"aws": told}})
                for told in (FINDING, {"httpRequest": {"clientIp": "1.2.3.5"}})
            )
        ),
        ("wazuh", ["1.2.3.4 MEDIUM", "1.2.3.5 MEDIUM"], {}),
    ),
    "cef: the tag of a syslog message": (
        "Jan  5 10:00:00 gw CEF: 0|Example|Firewall|1.0|100|port scan|5|src=1.2.3.4\n",
        ("cef", MEDIUM, {}),
    ),
    "crowdsec: a row with a comma too many": (
        _lines(
            "id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id",
            "1,crowdsec,Ip:1.2.3.4,crowdsecurity/ssh-bf,ban,ZZ,64496 Example,6,3h,false,1",
            "2,crowdsec,Ip:1.2.3.5,crowdsecurity/ssh-bf,ban,ZZ,64496 Example, Inc,6,3h,false,1",
        ),
        ("crowdsec-cscli-csv", MEDIUM, {"not_a_record": 1}),
    ),
    "cloudflare: times in nanoseconds, an API shield": (
        json.dumps({**CLOUDFLARE, "Datetime": 1767607200000000000, "Source": "apiShieldSchemaValidation"}),
        ("cloudflare-firewall", LOW, {}),
    ),
    "entra: diagnostic records": (
        json.dumps({"records": [{"category": "UserRiskEvents", "properties": RISK}]}),
        ("entra-risk", HIGH, {}),
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_known_and_read(tmp_path: Path, name: str) -> None:
    content, expected = VARIANTS[name]
    (tmp_path / "input").write_text(content)
    assert _read(tmp_path / "input") == expected


def _as_the_api(finding: dict[str, Any]) -> Any:
    told = finding["service"].get("additionalInfo", {})
    finding["service"]["additionalInfo"] = {"value": json.dumps(told), "type": "default"}
    return _capital(finding)


@pytest.mark.skipif(not DATA.exists(), reason="the shared data are not here")
def test_findings_of_guardduty_say_the_same_under_the_names_of_the_api(tmp_path: Path) -> None:
    path = DATA / "composed" / "guardduty-findings.ndjson"
    findings = [_as_the_api(json.loads(line)) for line in path.read_text().splitlines()]
    forms: dict[str, Callable[[], str]] = {
        "answer": lambda: json.dumps({"Findings": findings}, indent=4),  # aws guardduty get-findings
        "lines": lambda: _lines(*map(json.dumps, findings)),
    }
    reading = Reading(now=datetime(2026, 1, 6, tzinfo=UTC), source="x", allow_non_global=True)
    wanted = [one for one in read_source(str(path), reading) if isinstance(one, Signal)]
    assert len(wanted) > 3
    for name, content in forms.items():
        (tmp_path / name).write_text(content())
        with open_source_input(str(tmp_path / name)) as source:
            assert source.form.name == "guardduty-api"
        found = list(read_source(str(tmp_path / name), reading))
        assert [one for one in found if isinstance(one, Signal)] == wanted
        assert {str(one.reason) for one in found if isinstance(one, Skipped)} == {"no_claim", "no_address"}


def test_an_element_of_a_set_is_claimed_until_it_ends(tmp_path: Path) -> None:
    (tmp_path / "input").write_text('add bl 1.2.3.4 timeout 300 comment "timeout 9"\nadd bl 1.2.3.5\n')
    found = read_source(str(tmp_path / "input"), Reading(now=NOW, source="x"))
    assert [one.expires - NOW for one in found if isinstance(one, Signal)] == [
        timedelta(minutes=5),
        timedelta(hours=48),
    ]


def test_behind_a_proxy_of_ours_json_tells_the_client(tmp_path: Path) -> None:
    line = {**REQUEST, "time": "2026-01-05T10:00:00Z", "request": "GET /.env", "status": 404}
    (tmp_path / "input").write_text(_lines(*[json.dumps({**line, "http_x_forwarded_for": "9.9.9.9, 1.2.3.7"})] * 2))
    reading = Reading(now=NOW, source="x", guard=guard_of(trusted_proxies=["1.2.3.4"]))
    found = read_source(str(tmp_path / "input"), reading)
    assert [one.ip for one in found if isinstance(one, Signal)] == ["1.2.3.7"]


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("fast-alerts", "Jan  5 10:00:00 gw snort: [1:2:3] " + "[Classification: " * 50_000),
        ("fast-alerts", "01/05/2026-10:00:00.25 [**] [1:2:3] " + "[**] [Classification: " * 50_000),
        ("snort-full", "[**] [1:2:3] " + " [**] " * 100_000),
        ("ip-list", "1." * 400_000 + " !"),
        ("firewall-set", "add x " + "1." * 400_000 + "!"),
        ("web-access", "1:" * 400_000 + '! - - [05/Jan/2026:10:00:00 +0000] "GET /.env" 404 1'),
        ("web-access", '10.0.0.1 - - [05/Jan/2026:10:00:00 +0000] "GET /.env" 404 1 ' + '\\"' * 400_000),
        ("sshd", "Jan  5 10:00:00 h sshd[1]: Invalid user x from " + "1:" * 400_000 + "!"),
    ],
)
def test_a_line_of_beginnings_costs_linear_time(form: str, line: str) -> None:
    """Quadratic would be hours: the time limit of every test says so."""
    reading = Reading(now=NOW, source="x", guard=guard_of(trusted_proxies=["10.0.0.0/8"]))
    found = format_named(form).reader(reading).read(Block(range(1, 2), [line], 0))
    assert found.records + len(found.skipped) <= 2
