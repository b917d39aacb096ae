"""`tocsin demo`: the whole pipe on one machine, on a real list, under the real limits, and what came of it."""

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from tocsin.cli.check import ask, text_of
from tocsin.cli.durations import about
from tocsin.cli.progress import shown
from tocsin.cli.send_state import ORG, Order
from tocsin.cli.token import make_token
from tocsin.errors import TocsinError
from tocsin.okta import ApiClient, Configuration, RiskProvider, RiskProviderAction, RiskProviderApi
from tocsin.org.records import Role
from tocsin.relay import Relay, Tally, Token, okta_target
from tocsin.signals import Signal
from tocsin.signals.limits import REQUESTS_PER_WINDOW, WINDOW_S
from tocsin.sources import Reading, read_source, shipped_list

_READY = re.compile(r"Tocsin org ready at (\S+)")
_UNHEARD_OF = "192.0.2.1"
_INDEXED_AT_MOST_S = 30.0
_STOP_AT_MOST_S = 15.0


class DemoFailed(TocsinError):
    """A part of the demonstration did not do what it shows."""


def demo() -> None:
    """Show the whole pipe: an org, a real list of 30,000 dangerous IPs sent to it, look-ups, and a summary."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder:
        data = Path(folder) / "org"
        with _org(data) as url:
            _show(url, data)


def _show(url: str, data: Path) -> None:
    typer.echo(f"An org runs at {url}, its data in {data}.")
    token = asyncio.run(make_token("demo", data, Role.SUPER_ADMIN))
    provider = _enforcing_provider(url, token)
    typer.echo(f"It has the risk provider {provider!r}, whose word it enforces, and an API token for it.")
    signals = _signals()
    typer.echo(f"The list: {len(signals):,} addresses that stand on two or more public blocklists (ipsum).\n")
    started = time.monotonic()
    tally = asyncio.run(_deliver(url, token, signals, data.with_name("relay")))
    took = timedelta(seconds=time.monotonic() - started)
    _look_up(url, token, signals)
    typer.echo("\n" + _summary(tally, took))
    if sys.stdin.isatty() and sys.stdout.isatty():
        _stay(url, token)


@contextmanager
def _org(data: Path) -> Iterator[str]:
    """A real `tocsin serve` process with the documented limit, until the block ends; gives its URL."""
    command = [sys.executable, "-m", "tocsin", "serve", "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout is not None
            ready = _READY.match(process.stdout.readline())
            if ready is None:
                raise DemoFailed("the org did not start", hint="it says why in the lines above")
            yield ready[1]
        finally:
            process.terminate()
            try:
                process.wait(_STOP_AT_MOST_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _enforcing_provider(url: str, token: str) -> str:
    """Let what the token sends count in decisions: an org starts with a provider whose word it only logs."""
    with ApiClient(Configuration(host=url, api_key={"apiToken": token})) as client:
        providers = RiskProviderApi(client)
        default = providers.list_risk_providers()[0]
        wanted = RiskProvider(name="ipsum", action=RiskProviderAction.ENFORCE_AND_LOG)
        assert default.id is not None
        return str(providers.replace_risk_provider(default.id, wanted).name)


def _signals() -> list[Signal]:
    now = datetime.now(UTC)
    with shipped_list() as path:
        # The list is as old as this release; in a demonstration it stands for the one of today.
        found = list(read_source(path, Reading(now=now, source="ipsum", as_of=now)))
    signals = [signal for signal in found if isinstance(signal, Signal)]
    return sorted(signals, key=lambda signal: -signal.level.severity)


async def _deliver(url: str, token: str, signals: list[Signal], state: Path) -> Tally:
    with shown() as watcher:
        watcher.subjects = len(signals)
        async with Relay(
            Order(url, ()).config(state, None),
            patient=False,
            watcher=watcher,
            open_target=lambda config: okta_target(config.url, Token(lambda: token)),
        ) as relay:
            await relay.put(signals)
            await relay.drained()
            return relay.senders[ORG].tally


def _look_up(url: str, token: str, signals: list[Signal]) -> None:
    _until_indexed(url, token, signals[-1].ip)
    typer.echo("What the org now says of the first and the last of them, and of one nobody spoke about:")
    for view in ask([signals[0].ip, signals[-1].ip, _UNHEARD_OF], url, token):
        typer.echo(text_of(view))


def _until_indexed(url: str, token: str, last_sent: str) -> None:
    """The index follows the journal within milliseconds; the last address that was sent tells when it is there."""
    deadline = time.monotonic() + _INDEXED_AT_MOST_S
    while not ask([last_sent], url, token)[0].providers:
        if time.monotonic() > deadline:
            raise DemoFailed(
                f"{last_sent} was delivered, and is not in the org's index after {_INDEXED_AT_MOST_S:.0f} s"
            )
        time.sleep(0.02)


def _summary(tally: Tally, took: timedelta) -> str:
    one_by_one = timedelta(seconds=tally.delivered / REQUESTS_PER_WINDOW * WINDOW_S)
    return (
        f"Delivered {tally.delivered:,} IPs with {tally.requests} requests in {took.total_seconds():.1f} seconds, "
        f"inside {REQUESTS_PER_WINDOW} requests a minute.\n"
        f"A script that sends one IP per request needs {tally.delivered:,} requests: {about(one_by_one)}."
    )


def _stay(url: str, token: str) -> None:
    tocsin = shutil.which("tocsin") or f"{sys.executable} -m tocsin"
    typer.echo(f"\nThe org stays up until Ctrl-C. In another terminal:\n\n  export TOCSIN_TOKEN={token}")
    typer.echo(f"  {tocsin} check 203.0.113.9 --to {url}\n")
    signal.pause()
