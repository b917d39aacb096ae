"""`tocsin relay`: sources in, orgs out, for as long as it runs."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from tocsin.cli.logs import configure_logging
from tocsin.cli.options import DEFAULT_CONFIG, ConfigOption
from tocsin.errors import TocsinError
from tocsin.relay import Guards, Relay, Sent, Waits

if TYPE_CHECKING:  # the readers are imported by the functions that need them: they are slow to start
    from tocsin.cli.relay_file import RelayFile
    from tocsin.sources import Source, SourceConfig

GUARDS_EVERY_S = 15.0
SOURCE_AGAIN_AFTER_S = 15.0
"""A source that broke off is opened again after so long."""
_WHY_CHARS = 300


def relay_command(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Keep the orgs of FILE true to what its sources say, until stopped."""
    from tocsin.cli.relay_file import load_relay_file
    from tocsin.sources import open_source

    configure_logging(logging.INFO)
    file = load_relay_file(config)
    sources = [open_source(name, source) for name, source in file.sources.items()]
    asyncio.run(_run(file, sources, guards_of(file.sources)))


class _Log:
    """One line for each request that was sent."""

    def __init__(self) -> None:
        import structlog

        self._log = structlog.get_logger("tocsin.relay")

    def sent(self, sent: Sent) -> None:
        say = self._log.info if sent.outcome == "delivered" else self._log.warning
        facts = {"status": sent.status, "reason": sent.reason} if sent.reason or sent.outcome != "delivered" else {}
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


def guards_of(sources: "Mapping[str, SourceConfig]", known: Guards | None = None) -> Guards:
    """
    What each source never speaks of now; `known` where nothing has changed since.

    Raises: SourceError, where an allow-list cannot be read.
    """
    from tocsin.sources import fingerprint, guard_of, never_signalled

    guarded = {name: one for name, one in sources.items() if one.own_networks or one.trusted_proxies or one.allow_lists}
    terms = msgspec.json.encode({name: fingerprint(one) for name, one in guarded.items()}) if guarded else b""
    if known is not None and terms == known.terms:
        return known
    guards = {n: guard_of(one.own_networks, one.trusted_proxies, one.allow_lists) for n, one in guarded.items()}
    return Guards({name: never_signalled(guard) for name, guard in guards.items()}, terms)


async def _keep_guards(relay: Relay, sources: "Mapping[str, SourceConfig]", guards: Guards) -> None:
    """Let go what an allow-list holds that has changed. One that cannot be read is said by its source."""
    while True:
        await asyncio.sleep(GUARDS_EVERY_S)
        with suppress(TocsinError):
            guards = await asyncio.to_thread(guards_of, sources, guards)
            await relay.guard(guards)


async def _run(file: "RelayFile", sources: "list[Source]", guards: Guards) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with Relay(file.relay, watcher=_Log(), guards=guards) as relay:
        names = ", ".join(sender.to for sender in relay.senders.values())
        typer.echo(f"Tocsin relay ready: {', '.join(file.sources)} to {names} (state in {file.state})")
        sys.stdout.flush()
        works: list[Coroutine[Any, Any, object]] = [feed(relay, source) for source in sources]
        works += [_keep_guards(relay, file.sources, guards), relay.failed(), stopped.wait()]
        if file.metrics_port is not None:
            from tocsin.cli.relay_metrics import serve_metrics

            works.append(serve_metrics(relay, file.metrics_port))
        await _until_one_ends(works)


async def _until_one_ends(works: Sequence[Coroutine[Any, Any, object]]) -> None:
    """Raises what that one raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def feed(relay: Relay, source: "Source") -> None:
    """
    Everything from one source, for ever; when it breaks off, from the last position that is durable.

    Whatever it breaks off with, the other sources and the targets go on.
    """
    import structlog

    log = structlog.get_logger("tocsin.relay")
    while True:
        book = await relay.begin_reading(source.name)
        try:
            async for batch in source.batches(book.position):
                await relay.put(batch)
            why = "it has ended"
        except TocsinError as error:
            why = error.summary
        except Exception as error:  # a defect of ours, or what no reader foresaw: with its place for who mends it
            why = f"an unforeseen error ({type(error).__name__}: {error})"[:_WHY_CHARS]
            log.exception("source.failed", source=source.name)
        await relay.note_stopped(source.name, why)
        log.warning("source.stopped", source=source.name, reason=why, again_in_s=SOURCE_AGAIN_AFTER_S)
        await asyncio.sleep(SOURCE_AGAIN_AFTER_S)
