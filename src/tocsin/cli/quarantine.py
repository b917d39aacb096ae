"""`tocsin quarantine`: what was refused, why, and what a person decides about it. Works while the relay runs."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from tocsin.cli.options import DEFAULT_CONFIG, ConfigOption
from tocsin.cli.reading_options import GuardOptions, with_options
from tocsin.errors import TocsinError
from tocsin.relay import Kind, Outbox, Refusal, open_outbox
from tocsin.signals import Signal, Skipped, from_ms, to_ms

if TYPE_CHECKING:  # the readers are imported by the functions that need them: they are slow to start
    from tocsin.cli.relay_file import RelayFile
    from tocsin.sources import Reading

app = typer.Typer(help="What was refused: list it, show it, retry it, drop it.", no_args_is_help=True)
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state", metavar="DIR", help="The state folder, such as that of a `tocsin send`, in place of FILE's."
    ),
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it, or all.")]


class NotThere(TocsinError):
    """What was named is not in quarantine. Nothing was changed."""


@app.callback()
def quarantine() -> None:
    """What targets would not take, and what could not be read."""


@app.command("list")
def list_command(
    config: ConfigOption = DEFAULT_CONFIG,
    state: StateOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """One line for each, the latest first."""
    with _outbox(config, state) as outbox:
        for refusal in outbox.quarantine.all():
            typer.echo(msgspec.json.encode(_shown(refusal)).decode() if json else _line(refusal))


@app.command()
def show(id_: IdArgument, config: ConfigOption = DEFAULT_CONFIG, state: StateOption = None) -> None:
    """All that is known about one."""
    with _outbox(config, state) as outbox:
        for refusal in _named(outbox, id_):
            for name, value in _shown(refusal).items():
                typer.echo(f"{name + ':':10} {_printable(str(value))}")


@app.command()
@with_options
def retry(
    id_: IdArgument,
    reading: GuardOptions,
    config: ConfigOption = DEFAULT_CONFIG,
    state: StateOption = None,
    mended: Annotated[
        str | None,
        typer.Option("--as", metavar="JSON", help='Take this instead, such as {"ip":"8.8.8.8","riskLevel":"LOW"}.'),
    ] = None,
) -> None:
    """
    Take it out of quarantine: a subject is told again, if it is still claimed; a record needs --as.

    What --as says is held to the rules of the record's source in FILE; with --state, to --own, --allow-list and so on.
    """
    config = config.absolute()  # relative paths start elsewhere once it was read
    with _outbox(config, state) as outbox:
        now = datetime.now(UTC)
        for refusal in _named(outbox, id_):
            if mended is not None:
                how = _how(refusal, None if state else config, reading, now)
                outbox.take_in_mended(_signal(mended, how), now_ms=to_ms(now))
            elif refusal.kind is Kind.RECORD:
                hint = "give the mended record with --as, or drop it"
                raise NotThere(f"{_hex(refusal)} could not be read, and cannot be now", hint=hint)
            outbox.quarantine.retry(refusal, now_ms=to_ms(now))


@app.command()
def drop(id_: IdArgument, config: ConfigOption = DEFAULT_CONFIG, state: StateOption = None) -> None:
    """Give it up: it is listed no more, and a subject is not told at this level while it is claimed."""
    with _outbox(config, state) as outbox:
        for refusal in _named(outbox, id_):
            outbox.quarantine.drop(refusal)


@contextmanager
def _outbox(config: Path, state: Path | None) -> Iterator[Outbox]:
    from tocsin.cli.relay_file import load_relay_file

    if state is None:
        file = load_relay_file(config)
        if file.journal is not None:
            text = f"{config} is of a worker: each of its targets has a quarantine of its own"
            raise NotThere(text, hint=_where(config.parent, file))
        state = Path(file.state)
    outbox = open_outbox(state)
    try:
        yield outbox
    finally:
        outbox.close()


def _where(folder: Path, file: "RelayFile") -> str:
    """As it is said where the command was given, which is not where paths of the file begin."""
    from tocsin.relay.fleet.serving import state_of

    there = [state_of(file.state, name) for name in file.targets]
    shown = [str(folder / one) for one in there if one.is_dir()]
    return f"--state names one: {', '.join(shown)}" if shown else "it has served none of them yet"


def _named(outbox: Outbox, name: str) -> list[Refusal]:
    found = [refusal for refusal in outbox.quarantine.all() if name in ("all", _hex(refusal))]
    if not found and name != "all":
        raise NotThere(f"{name} is not in quarantine", hint="`tocsin quarantine list` shows what is")
    return found


def _how(refusal: Refusal, config: Path | None, options: GuardOptions, now: datetime) -> "Reading":
    """How what is mended is read: as all of its source are."""
    from tocsin.cli.relay_file import load_relay_file
    from tocsin.sources.inputs.settings import reading_of

    table = None if config is None else load_relay_file(config).sources.get(refusal.source)
    if table is None:
        return options.how(now).reading(refusal.source)
    if options != GuardOptions():
        raise typer.BadParameter(f"goes with --state: what is never signalled of {refusal.source} stands in {config}")
    return reading_of(refusal.source, table, now=now)


def _signal(text: str, how: "Reading") -> Signal:
    from tocsin.sources import format_named, read_source

    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        found = next(read_source(file.name, how, form=format_named("jsonl")), None)
    if not isinstance(found, Signal):
        detail = found.detail if isinstance(found, Skipped) else "it claims nothing"
        raise NotThere(f"--as is not taken: {detail}", hint="`tocsin formats jsonl` shows how a record looks")
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
