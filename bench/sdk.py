"""The SDK beside the official one: what an import costs, and what a call with 20 x 50 subjects costs.

The bar on calls is for events made for each call, as a program that has something new to say makes them.

Both run in this one run, by turns, against the same trivial server on loopback in a process of its own. The official
SDK (okta 3.0.0, the one release for Python with these APIs) gets a venv of its own under .tools; when it cannot be
installed, that is said and ours is measured alone. Figures are medians over rounds.
"""

import argparse
import asyncio
import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEER = "okta==3.0.0"
PEER_VENV = ROOT / ".tools" / "bench-okta-3.0.0"
IMPORTS = {
    "ours": "import tocsin.okta",
    "ours, ready to send": "import tocsin.okta.transport, tocsin.okta",
    "official": "from okta.client import Client; from okta.models.risk_event import RiskEvent",
    "bare python": "pass",
}
TIMESTAMP = "2026-02-03T09:15:00Z"
ADDRESSES = [[f"10.0.{event}.{subject}" for subject in range(50)] for event in range(20)]
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
BARS = {"calls_per_s": 8.0, "import_cpu": 20.0, "import_mib": 4.0}

MEASURE_IMPORT = """
import time
before = time.process_time()
{}
cpu_s = time.process_time() - before
print(cpu_s, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""

Figures = dict[str, float]


class Accepting(asyncio.Protocol):
    """Takes a request of known length and answers 202; nothing is parsed that need not be."""

    def __init__(self) -> None:
        self._taken = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._taken += data
        while (end := self._taken.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._taken[:end]).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            if len(self._taken) < end + 4 + length:
                return
            del self._taken[: end + 4 + length]
            self._transport.write(ACCEPTED)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Accepting, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def server() -> Iterator[str]:
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def built(event: Any, subject: Any) -> list[Any]:
    """The events of one call, made as the page of the API makes them."""
    return [
        event(timestamp=TIMESTAMP, subjects=[subject(ip=ip, risk_level="HIGH") for ip in addresses])
        for addresses in ADDRESSES
    ]


def call_ours(url: str, calls: int, *, anew: bool) -> Figures:
    from tocsin import okta

    events = built(okta.RiskEvent, okta.RiskEventSubject)
    with okta.ApiClient(okta.Configuration(host=url, api_key={"apiToken": "t"})) as client:
        api = okta.RiskEventApi(client)

        def run(count: int) -> None:
            for _ in range(count):
                api.send_risk_events(built(okta.RiskEvent, okta.RiskEventSubject) if anew else events)

        return measured(run, calls)


def call_ours_async(url: str, calls: int, *, anew: bool) -> Figures:
    from tocsin import okta

    events = built(okta.RiskEvent, okta.RiskEventSubject)

    async def main() -> Figures:
        async with okta.AsyncApiClient(okta.Configuration(host=url, api_key={"apiToken": "t"})) as client:
            api = okta.AsyncRiskEventApi(client)

            async def once() -> None:
                await api.send_risk_events(built(okta.RiskEvent, okta.RiskEventSubject) if anew else events)

            return await measured_async(once, calls)

    return asyncio.run(main())


def call_official(url: str, calls: int, *, anew: bool) -> Figures:
    client_class = importlib.import_module("okta.client").Client
    event = importlib.import_module("okta.models.risk_event").RiskEvent
    subject = importlib.import_module("okta.models.risk_event_subject").RiskEventSubject
    events = built(event, subject)

    async def main() -> Figures:
        async with client_class({"orgUrl": url, "token": "t"}) as client:

            async def once() -> None:
                _, response, error = await client.send_risk_events(built(event, subject) if anew else events)
                assert error is None
                assert response.status_code == 202

            return await measured_async(once, calls)

    return asyncio.run(main())


CALLERS = {"ours": call_ours, "ours async": call_ours_async, "official": call_official}
ROWS = [f"{name}, events made {when}" for when in ("for each call", "before") for name in CALLERS]


def measured(run: Callable[[int], None], calls: int) -> Figures:
    run(calls // 10 + 1)  # warm
    wall, cpu = time.perf_counter(), time.process_time()
    run(calls)
    return figures(calls, time.perf_counter() - wall, time.process_time() - cpu)


async def measured_async(once: Callable[[], Any], calls: int) -> Figures:
    for _ in range(calls // 10 + 1):
        await once()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        await once()
    return figures(calls, time.perf_counter() - wall, time.process_time() - cpu)


def figures(calls: int, wall_s: float, cpu_s: float) -> Figures:
    return {"calls_per_s": calls / wall_s, "cpu_ms": cpu_s / calls * 1000}


def imported(python: Path, name: str) -> Figures:
    """CPU seconds of the import alone, and what the process holds after it; nothing else is imported there."""
    done = subprocess.run([python, "-c", MEASURE_IMPORT.format(IMPORTS[name])], capture_output=True, check=True)
    cpu_s, rss_kib = map(float, done.stdout.split())
    return {"import_cpu": cpu_s, "import_mib": rss_kib / 1024}


def in_process(python: Path, *arguments: str) -> Figures:
    """Figures measured by this file in a process of its own."""
    env = {**os.environ, "OKTA_TESTING_TESTINGDISABLEHTTPSCHECK": "true"}
    done = subprocess.run([python, __file__, *arguments], capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def peer_python() -> Path | None:
    """The interpreter of a venv with the official SDK, made on first use; None, said aloud, when it cannot be made."""
    python = PEER_VENV / "bin" / "python"
    uv = ROOT / ".tools" / "bin" / "uv"
    if python.exists():
        return python
    for command in (["venv", "-q", str(PEER_VENV)], ["pip", "install", "-q", "--python", str(python), PEER]):
        try:
            done = subprocess.run([uv, *command], capture_output=True, text=True, check=False)
        except OSError as error:
            done = subprocess.CompletedProcess([], 1, "", str(error))
        if done.returncode != 0:
            python.unlink(missing_ok=True)  # half a venv must not pass for one the next time
            print(f"The official SDK cannot be installed, so ours is measured alone: {done.stderr.strip()[-300:]}\n")
            return None
    return python


def bench(rounds: int, calls: int) -> None:
    ours, peer = Path(sys.executable), peer_python()
    print_machine(peer)
    imports: dict[str, list[Figures]] = {}
    sent: dict[str, list[Figures]] = {}
    with server() as url:
        for _ in range(rounds):
            for name in IMPORTS:
                if python := peer if name == "official" else ours:
                    imports.setdefault(name, []).append(imported(python, name))
            for row in ROWS:
                name, when = row.split(", events made ")
                if python := peer if name == "official" else ours:
                    # The official one takes long: a tenth of the calls gives the same rate.
                    count = calls // 10 if name == "official" else calls
                    sent.setdefault(row, []).append(in_process(python, "--call", name, when, url, str(count)))
    print(f"{'import':<38}{'CPU s':>10}{'RSS MiB':>15}")
    for name, found in imports.items():
        print(f"{name:<38}{median(found, 'import_cpu'):>10.3f}{median(found, 'import_mib'):>15.1f}")
    print(f"\n{'20 x 50 subjects':<38}{'calls/s':>10}{'CPU ms a call':>15}")
    for name, found in sent.items():
        print(f"{name:<38}{median(found, 'calls_per_s'):>10.0f}{median(found, 'cpu_ms'):>15.2f}")
    if peer:
        print_ratios(imports, sent)


def print_ratios(imports: dict[str, list[Figures]], sent: dict[str, list[Figures]]) -> None:
    def ratio(of: dict[str, list[Figures]], key: str, over: str, under: str) -> float:
        return median(of[over], key) / median(of[under], key)

    found = {
        "calls_per_s": ("calls/s, ours over official", ratio(sent, "calls_per_s", ROWS[0], ROWS[2])),
        "import_cpu": ("import CPU, official over ours", ratio(imports, "import_cpu", "official", "ours")),
        "import_mib": ("import memory, official over ours", ratio(imports, "import_mib", "official", "ours")),
    }
    print()
    before = ratio(sent, "calls_per_s", ROWS[3], ROWS[5])
    print(f"calls/s, ours over official, events made before: {before:.1f} x")
    for key, (text, value) in found.items():
        print(f"{text:<36}{value:>7.1f} x   bar {BARS[key]:.0f} x: {'met' if value >= BARS[key] else 'NOT met'}")


def print_machine(peer: Path | None) -> None:
    cpu = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), "?")
    print(f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}; load {os.getloadavg()[0]:.1f}")
    versions = {name: importlib.metadata.version(name) for name in ("tocsin", "httpx2", "msgspec")}
    print(", ".join(f"{name} {version}" for name, version in versions.items()) + (f"; {PEER}" if peer else "") + "\n")


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def median(found: list[Figures], key: str) -> float:
    return statistics.median(figure[key] for figure in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000, help="calls a round; the official SDK makes a tenth")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--call", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve())
    elif options.call:
        name, when, url, calls = options.call
        print(json.dumps(CALLERS[name](url, int(calls), anew=when == "for each call")))
    else:
        bench(options.rounds, options.calls)


if __name__ == "__main__":
    main()
