"""`tocsin quarantine`: what was refused, why, and what a person decides about it. Works while the relay runs."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tocsin.cli.options import DEFAULT_CONFIG, ConfigOption
from tocsin.errors import TocsinError
from tocsin.relay import Kind, Outbox, Refusal, open_outbox
from tocsin.signals import Signal, Skipped, from_ms, to_ms

app = typer.Typer(help="What was refused: list it, show it, retry it, drop it.", no_args_is_help=True)
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it, or all.")]


class NotThere(TocsinError):
    """What was named is not in quarantine. Nothing was changed."""


@app.callback()
def quarantine() -> None:
    """What targets would not take, and what could not be read."""


@app.command("list")
def list_command(
    config: ConfigOption = DEFAULT_CONFIG,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """One line for each, the latest first."""
    with _outbox(config) as outbox:
        for refusal in outbox.quarantine.all():
            typer.echo(msgspec.json.encode(_shown(refusal)).decode() if json else _line(refusal))


@app.command()
def show(id_: IdArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """All that is known about one."""
    with _outbox(config) as outbox:
        for refusal in _named(outbox, id_):
            for name, value in _shown(refusal).items():
                typer.echo(f"{name + ':':10} {_printable(str(value))}")


@app.command()
def retry(
    id_: IdArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    mended: Annotated[
        str | None,
        typer.Option("--as", metavar="JSON", help='Take this instead, such as {"ip":"8.8.8.8","riskLevel":"LOW"}.'),
    ] = None,
) -> None:
    """Take it out of quarantine: a subject is told again, if it is still claimed; a record needs --as."""
    with _outbox(config) as outbox:
        now = datetime.now(UTC)
        for refusal in _named(outbox, id_):
            if mended is not None:
                outbox.take_in_mended(_signal(mended, refusal, now), now_ms=to_ms(now))
            elif refusal.kind is Kind.RECORD:
                hint = "give the mended record with --as, or drop it"
                raise NotThere(f"{_hex(refusal)} could not be read, and cannot be now", hint=hint)
            outbox.quarantine.retry(refusal, now_ms=to_ms(now))


@app.command()
def drop(id_: IdArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Give it up: it is listed no more, and a subject is not told for as long as it is claimed."""
    with _outbox(config) as outbox:
        for refusal in _named(outbox, id_):
            outbox.quarantine.drop(refusal)


@contextmanager
def _outbox(config: Path) -> Iterator[Outbox]:
    from tocsin.cli.relay_file import load_relay_file

    outbox = open_outbox(Path(load_relay_file(config).state))
    try:
        yield outbox
    finally:
        outbox.close()


def _named(outbox: Outbox, name: str) -> list[Refusal]:
    found = [refusal for refusal in outbox.quarantine.all() if name in ("all", _hex(refusal))]
    if not found and name != "all":
        raise NotThere(f"{name} is not in quarantine", hint="`tocsin quarantine list` shows what is")
    return found


def _signal(text: str, refusal: Refusal, now: datetime) -> Signal:
    from tocsin.sources import Reading, format_named, read_source

    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        reading = Reading(now=now, source=refusal.source, allow_non_global=True)
        found = next(read_source(file.name, reading, form=format_named("jsonl")), None)
    if not isinstance(found, Signal):
        detail = found.detail if isinstance(found, Skipped) else "it claims nothing"
        raise NotThere(f"--as cannot be read: {detail}", hint="`tocsin formats jsonl` shows how a record looks")
    return found


def _line(refusal: Refusal) -> str:
    what = f"{refusal.ip} {refusal.level}" if refusal.kind is Kind.SUBJECT else f"line {refusal.line}"
    return f"{_hex(refusal)}  {refusal.by}  {what}: {_printable(refusal.reason)}"


def _shown(refusal: Refusal) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": _hex(refusal),
        "kind": refusal.kind.value,
        "by": refusal.by,
        "reason": refusal.reason,
        "first": from_ms(refusal.first_ms).isoformat(timespec="seconds"),
        "last": from_ms(refusal.last_ms).isoformat(timespec="seconds"),
        "times": refusal.times,
        "source": refusal.source,
    }
    if refusal.kind is Kind.SUBJECT:
        return shown | {"ip": refusal.ip, "level": refusal.level, "message": refusal.message}
    return shown | {"line": refusal.line, "excerpt": refusal.excerpt}


def _hex(refusal: Refusal) -> str:
    return refusal.id.hex()


def _printable(text: str) -> str:
    """What another machine wrote, fit for a terminal: escape sequences in it are not obeyed."""
    return text if text.isprintable() else repr(text)
