"""`tocsin relay`: sources in, orgs out, for as long as it runs."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tocsin.cli.guards import guards_of, keep_guards
from tocsin.cli.logs import configure_logging
from tocsin.cli.options import DEFAULT_CONFIG, ConfigOption
from tocsin.cli.relay_put import put_command
from tocsin.cli.status import status_command
from tocsin.relay import Guards, Relay, Sent, Waits
from tocsin.relay.feeding import feed, until_one_ends

if TYPE_CHECKING:  # the readers are imported by the functions that need them: they are slow to start
    from tocsin.cli.relay_file import RelayFile
    from tocsin.sources import Source


app = typer.Typer(invoke_without_command=True)


@app.callback()
def relay_command(context: typer.Context, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """
    Keep the orgs of FILE true to what its sources say, until stopped.

    With a table `journal` in it, as a worker of a fleet.
    """
    if context.invoked_subcommand is None:
        run_relay(config)


app.command("put")(put_command)
app.command("status")(status_command)


def run_relay(config: Path) -> None:
    """See `relay_command`."""
    from tocsin.cli.relay_file import load_relay_file
    from tocsin.sources import open_source

    configure_logging(logging.INFO)
    file = load_relay_file(config)
    sources = [open_source(name, source) for name, source in file.sources.items()]
    guards = guards_of(file.sources)
    _warn_of_open_secrets(file)
    if file.journal is None:
        asyncio.run(_run(file, sources, guards))
    else:
        from tocsin.cli.relay_worker import run_worker

        asyncio.run(run_worker(file, file.journal, sources, guards))


def _warn_of_open_secrets(file: "RelayFile") -> None:
    import structlog

    from tocsin.okta.secret_places import others_may_read

    for name, target in file.targets.items():
        for key, path in target.secret_files().items():
            if others_may_read(path):
                log = structlog.get_logger("tocsin.relay")
                log.warning("secret.readable", key=f"targets.{name}.{key}", file=str(path), hint="chmod o-r")


class RequestLog:
    """One line for each request that was sent."""

    def __init__(self) -> None:
        import structlog

        self._log = structlog.get_logger("tocsin.relay")

    def sent(self, sent: Sent) -> None:
        say = self._log.info if sent.outcome == "delivered" else self._log.warning
        facts: dict[str, object] = {}
        if sent.reason or sent.outcome != "delivered":
            facts = {"status": sent.status, "reason": sent.reason}
        if sent.remedy:
            facts["remedy"] = sent.remedy
        if sent.again_in:
            facts["again_in_s"] = round(sent.again_in.total_seconds(), 3)
        say(
            f"request.{sent.outcome}",
            target=sent.target,
            subjects=sent.subjects,
            left=sent.left,
            waited_s=round(sent.waited.total_seconds(), 3),
            took_s=round(sent.took.total_seconds(), 3),
            pending=sent.pending,
            **facts,
        )

    def waits(self, waits: Waits) -> None:
        self._log.debug("target.waits", target=waits.target, wait_s=waits.wait.total_seconds(), why=waits.why)


def stop_signals() -> asyncio.Event:
    """Set when the process is asked to stop."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


async def _run(file: "RelayFile", sources: "list[Source]", guards: Guards) -> None:
    stopped = stop_signals()
    async with Relay(file.relay, watcher=RequestLog(), guards=guards) as relay:
        names = ", ".join(sender.to for sender in relay.senders.values())
        typer.echo(f"Tocsin relay ready: {', '.join(file.sources)} to {names} (state in {file.state})")
        sys.stdout.flush()
        works: list[Coroutine[Any, Any, object]] = [feed(relay, source) for source in sources]
        works += [keep_guards(relay, file.sources, guards), relay.failed(), stopped.wait()]
        if file.metrics_port is not None:
            from tocsin.cli.relay_metrics import serve_metrics

            works.append(serve_metrics(relay, file.metrics_port))
        await until_one_ends(works)
