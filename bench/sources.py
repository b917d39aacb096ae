"""How fast each format is read, on one core, beside a bare read of the same bytes by msgspec, csv or splitlines.

Run `python bench/sources.py`; takes about a minute. Real records where they lie beside the checkout, else the example
of the format; repeated up to a few megabytes and read from memory, so what is measured is the reading. CPU time, best
of the rounds: the machine is shared. The bare read is the limit: it makes the same values and decides nothing.
"""

import argparse
import csv
import gzip
import io
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from tocsin.sources import Format, Input, Reading, formats
from tocsin.sources.opening import Opened

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
REAL = {
    "suricata-eve": ("suricata/wrccdc-2018-alerts.json", "2018-03-25T00:00:00Z"),
    "fast-alerts": ("suricata/hub-fast.log", "2022-07-13T00:00:00Z"),
    "zeek-notice": ("zeek/notice.json.gz", "2018-03-25T00:00:00Z"),
    "ipsum": ("ipsum/ipsum.txt.gz", "2026-08-22T09:00:00Z"),
    "ip-list": ("cps/log4j.txt.gz", "2026-11-23T00:00:00Z"),
    "firewall-set": ("cps/log4j.txt.gz", "2026-11-23T00:00:00Z"),
    "firehol": ("firehol/feodo.ipset", "2019-07-31T00:00:00Z"),
    "tor-exits-csv": ("tor/exits.csv", "2026-11-23T00:00:00Z"),
    "zeek-intel": ("zeek_intel/abuse-ch-threatfox-ip.intel", "2026-11-23T00:00:00Z"),
    "spamhaus-drop": ("spamhaus/drop_v4.json", "2026-07-24T00:00:00Z"),
    "spamhaus-drop-text": ("spamhaus/edrop.txt", "2024-02-28T00:00:00Z"),
    "spamhaus-asn-drop": ("spamhaus/asn_drop.json", "2026-07-24T00:00:00Z"),
    "crowdsec-decisions": ("crowdsec/run-decisions_lapi.json", "2026-11-23T09:00:00Z"),
    "crowdsec-stream": ("crowdsec/run-stream_startup.json", "2026-11-23T09:00:00Z"),
    "crowdsec-cscli-csv": ("crowdsec/run-cscli_decisions.csv", "2026-11-23T09:00:00Z"),
    "crowdsec-cti": ("crowdsec/cti_fire_page1.json", "2022-12-01T00:00:00Z"),
    "crowdsec-alerts": ("crowdsec/alert_bulk.json", "2020-10-27T00:00:00Z"),
    "sshd": ("sshd/OpenSSH_2k.log", "2026-12-10T12:00:00Z"),
    "web-access": ("apache/access_combined.log.gz", "2015-05-20T22:00:00Z"),
    "apache-errors": ("apache/Apache_error_2k.log", "2005-12-05T20:00:00Z"),
    "fail2ban-log": ("fail2ban/fail2ban-run.log", "2024-12-10T12:00:00Z"),
    "guardduty": ("composed/guardduty-findings.ndjson", "2026-01-06T00:00:00Z"),
    "asff": ("aws/asff-panther.ndjson", "2024-05-26T00:00:00Z"),
    "aws-waf": ("aws/waf-panther.ndjson", "2024-03-21T00:00:00Z"),
    "cloudflare-firewall": ("cloudflare/firewall-panther.ndjson", "2022-05-11T00:00:00Z"),
    "ocsf": ("ocsf/sechub-guardduty.ocsf.json", "2023-09-20T00:00:00Z"),
    "okta-system-log": ("okta/systemlog-panther.ndjson", "2025-09-24T00:00:00Z"),
    "stix": ("stix/poisonivy.json", "2015-06-09T00:00:00Z"),
    "misp": ("misp/eset-glupteba.misp-event.json", "2018-03-20T00:00:00Z"),
}
BEFORE_EACH_LINE = {"firewall-set": b"add blocklist "}  # a real list, as `ipset save` prints it
NO_STREAM = ("fail2ban-sqlite",)  # a database is a file
AS_OF = "2026-01-05T12:00:00Z"  # of the examples
Bare = Callable[[bytes], object]


def main() -> None:
    """Print machine and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=float, default=6.0, help="of each input")
    parser.add_argument("--format", help="only this one")
    chosen = parser.parse_args()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    print(f"{machine}, msgspec {msgspec.__version__}")
    print(f"{'format':22}{'records/s':>12}{'MB/s':>8}{'bare MB/s':>11}{'of bare':>9}{'signals/s':>12}  input")
    for form in sorted(formats(), key=lambda form: (form.group, form.name)):
        if form.name in NO_STREAM:
            continue
        if chosen.format in (None, form.name):
            _print(form, chosen.rounds, int(chosen.megabytes * 1e6))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def _print(form: Format, rounds: int, size: int) -> None:
    file, as_of = REAL.get(form.name, ("", AS_OF))
    path = DATA / file
    real = bool(file) and path.is_file()
    content = _unpacked(path) if real else form.example.encode()
    if real and (before := BEFORE_EACH_LINE.get(form.name)):
        content = before + content.rstrip(b"\n").replace(b"\n", b"\n" + before)
    content, bare = _repeated(content, size)
    now = datetime.fromisoformat(as_of if real else AS_OF)
    reading = Reading(now=now, as_of=now, source="bench", allow_non_global=not real, life=timedelta(days=30))
    best, records, signals = _best(lambda: _read(form, content, reading), rounds)
    bare_best, _, _ = _best(lambda: (len(content), bool(bare(content))), rounds)
    megabytes = len(content) / 1e6
    print(
        f"{form.name:22}{records / best:12,.0f}{megabytes / best:8.1f}{megabytes / bare_best:11.1f}"
        f"{bare_best / best:9.2f}{signals / best:12,.0f}  {file if real else 'its example'}"
    )


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _repeated(content: bytes, size: int) -> tuple[bytes, Bare]:
    """`content` again and again, in a form that is still one input; and the bare read of it."""
    times = max(1, size // len(content))
    if not _is_json(content):
        tabs = content.count(b"\t") > content.count(b"\n") // 2
        whole = (content.rstrip(b"\n") + b"\n") * times
        if b"," in content or tabs:
            return whole, lambda read: sum(
                1 for _ in csv.reader(io.StringIO(read.decode()), delimiter="\t" if tabs else ",")
            )
        return whole, lambda read: read.decode().splitlines()
    try:
        value = json.loads(content)
    except ValueError:
        return (content.rstrip(b"\n") + b"\n") * times, msgspec.json.Decoder().decode_lines
    values = value if isinstance(value, list) else [value]
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in values)
    return lines * times, msgspec.json.Decoder().decode_lines


def _is_json(content: bytes) -> bool:
    try:
        msgspec.json.decode(content.partition(b"\n")[0])
    except msgspec.DecodeError:
        return content.lstrip().startswith((b"{", b"[\n", b"[{"))
    return True


def _read(form: Format, content: bytes, reading: Reading) -> tuple[int, int]:
    records = signals = 0
    for part in Input(Opened("bench", None, io.BytesIO(content)), form).pieces(reading):
        records += part.records
        signals += len(part.claims)
    return records, signals


def _best(run: Callable[[], tuple[int, int]], rounds: int) -> tuple[float, int, int]:
    best, counted = float("inf"), (0, 0)
    for _ in range(rounds):
        started = time.process_time()
        counted = run()
        best = min(best, time.process_time() - started)
    return best, *counted


if __name__ == "__main__":
    main()
