"""Look-ups over the CrowdSec API: `wrk` on this org, held addresses and others mixed, the same as for the peer.

    python bench/look_ups.py --held 1000000 --seconds 10

Prints one JSON object for each form of query: for this org, then for the peer, CrowdSec's own Local API, where that is
installed (`crowdsec_peer`).
"""

import argparse
import asyncio
import json
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import crowdsec_peer
from tocsin.org.assertions import consumed
from tocsin.org.folder import DataFolder
from tocsin.org.opening import open_org
from tocsin.org.records import encode_record, local_deed, risk_topic
from tocsin.org.running import at_work
from tocsin.signals import RiskEvent, RiskEventSubject, RiskLevel, RiskProvider, RiskProviderAction

_PRIME, _STEP = 3_724_541_939, 2_654_435_761  # a walk over the address space that never repeats
_SPECIAL = {10, 100, 127, 169, 172, 192, 198, 203}
_NEVER_HELD_FROM = 50_000_000
_SUBJECTS, _EVENTS = 50, 20
_PATHS = 20_000
QUERIES = ("ip=", "scopes=Ip&value=")
_LUA = """
local paths, requests, i = {}, {}, 0
for line in io.lines("@PATHS@") do paths[#paths + 1] = line end
function init(args)
  for k, p in ipairs(paths) do requests[k] = wrk.format("GET", p, {["X-Api-Key"] = "@KEY@", ["Host"] = wrk.host}) end
end
function request() i = i % #requests + 1; return requests[i] end
function done(s, l, r)
  local errors = s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout
  io.write(string.format('RESULT {"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"errors":%d}\\n',
    s.requests, s.duration, l:percentile(50), l:percentile(99), errors))
end
"""


def addresses(count: int, *, start: int = 0) -> list[str]:
    """`count` addresses of the walk from number `start` on."""
    found: list[str] = []
    number = start
    while len(found) < count:
        number += 1
        value = 0x01000000 + (number * _STEP) % _PRIME
        if value >> 24 not in _SPECIAL:
            found.append(".".join(map(str, struct.pack(">I", value))))
    return found


async def fill(data: Path, held: list[str]) -> str:
    """Let an enforced provider say HIGH of all of `held`, and make a bouncer. Returns: its key."""
    async with open_org(DataFolder.open(data)) as org, at_work(org):
        (provider,) = org.providers.all()
        wanted = RiskProvider(name=provider.name, client_id=None, action=RiskProviderAction.ENFORCE_AND_LOG)
        deed = local_deed(org.now_ms)
        provider = await org.providers.replace(provider.id, wanted, deed=deed)
        seq = 0
        for start in range(0, len(held), _SUBJECTS * _EVENTS):
            some = held[start : start + _SUBJECTS * _EVENTS]
            subjects = [RiskEventSubject(ip=ip, risk_level=RiskLevel.HIGH) for ip in some]
            events = [RiskEvent(subjects=subjects[at : at + _SUBJECTS]) for at in range(0, len(subjects), _SUBJECTS)]
            record = consumed(events, deed=deed, provider_id=provider.id)
            seq = await org.journal.append(risk_topic(provider.id), encode_record(record))
        await org.projector.wait_for(seq, at_most_s=600)
        return await org.bouncers.create("bench", deed=deed)


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """A running org. Yields: its URL."""
    command = [sys.executable, "-m", "tocsin", "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[4]
        finally:
            process.terminate()


def drive(url: str, key: str, paths: list[str], *, connections: int, seconds: int) -> dict[str, float]:
    """What wrk measures."""
    with tempfile.TemporaryDirectory() as folder:
        listed, script = Path(folder, "paths"), Path(folder, "wrk.lua")
        listed.write_text("".join(f"{path}\n" for path in paths))
        script.write_text(_LUA.replace("@PATHS@", str(listed)).replace("@KEY@", key))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search("RESULT (.*)", ran.stdout)
    assert found is not None, ran.stdout
    measured = json.loads(found[1])
    return {
        "requests_per_s": round(measured["requests"] / measured["us"] * 1e6),
        "p50_ms": measured["p50_us"] / 1000,
        "p99_ms": measured["p99_us"] / 1000,
        "errors": measured["errors"],
    }


def measure(*, held: int, connections: int, seconds: int) -> Iterator[dict[str, object]]:
    """One line for each server and form of query, hits and misses mixed; the first run of each is to warm up."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed")
    known = addresses(held)
    dice = random.Random(7)
    asked = dice.sample(known, _PATHS // 2) + addresses(_PATHS // 2, start=_NEVER_HELD_FROM)
    dice.shuffle(asked)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        key = asyncio.run(fill(data, known))
        with serving(data) as url:
            yield from _look_up("tocsin", url, key, asked, held=held, connections=connections, seconds=seconds)
    if not crowdsec_peer.installed():
        print(crowdsec_peer.MISSING, file=sys.stderr)
        return
    with crowdsec_peer.running() as peer:
        peer.take_in(known)
        given = {"held": held, "connections": connections, "seconds": seconds}
        yield from _look_up("crowdsec", peer.url, peer.bouncer_key, asked, **given)


def _look_up(
    name: str, url: str, key: str, asked: list[str], *, held: int, connections: int, seconds: int
) -> Iterator[dict[str, object]]:
    for query in QUERIES:
        paths = [f"/v1/decisions?{query}{ip}" for ip in asked]
        drive(url, key, paths, connections=connections, seconds=2)
        measured = drive(url, key, paths, connections=connections, seconds=seconds)
        yield {"server": name, "query": query, "held": held, "connections": connections, **measured}


def ratios(lines: list[dict[str, object]]) -> Iterator[str]:
    """Ours beside the peer, for each form of query."""
    by = {(line["server"], line["query"]): line for line in lines}
    for query in QUERIES:
        ours, theirs = by["tocsin", query], by.get(("crowdsec", query))
        if theirs is not None:
            ratio = float(str(ours["requests_per_s"])) / float(str(theirs["requests_per_s"]))
            yield f"{query} {ratio:.1f} times the peer's, p99 {ours['p99_ms']} ms beside {theirs['p99_ms']} ms"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--held", type=int, default=1_000_000)
    options.add_argument("--connections", type=int, default=8)
    options.add_argument("--seconds", type=int, default=10)
    chosen = options.parse_args()
    lines = []
    for line in measure(held=chosen.held, connections=chosen.connections, seconds=chosen.seconds):
        print(json.dumps(line), flush=True)
        lines.append(line)
    print("\n".join(ratios(lines)))


if __name__ == "__main__":
    main()
