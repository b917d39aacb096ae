"""Options of every command that reads inputs, in one place, and what they mean together."""

import functools
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:  # the readers are imported by the functions that need them: they are slow to start
    from tocsin.cli.intake import HowToRead
    from tocsin.sources import Format

_YEARS = range(1970, 2200)
"""A time outside of these leaves no room for what is added to it and taken from it; nobody's file is that old."""


class GuardOptions(Struct, frozen=True, kw_only=True):
    """Which addresses are taken, and how times are read."""

    allow_non_global: Annotated[
        bool, typer.Option("--allow-non-global", help="Also send private, loopback and documentation addresses.")
    ] = False
    own: Annotated[
        list[str] | None,
        typer.Option(
            "--own", metavar="NETWORK", help="Ours, and never signalled: networks, the addresses of our egress."
        ),
    ] = None
    proxy: Annotated[
        list[str] | None,
        typer.Option("--proxy", metavar="NETWORK", help="Ours too; X-Forwarded-For tells who is behind it."),
    ] = None
    allow_list: Annotated[
        list[str] | None,
        typer.Option("--allow-list", metavar="FILE", help="Addresses never signalled: lines, or a MISP warning list."),
    ] = None
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Of times that name no offset, such as Europe/Berlin.")
    ] = "UTC"

    def how(self, now: datetime) -> "HowToRead":
        """What the options say. Raises: SourceError, for a file, format or mapping; BadParameter, for other values."""
        from tocsin.cli.intake import HowToRead
        from tocsin.sources import SourceError, guard_of, time_zone

        allowed = guard_of(allow_lists=self.allow_list or ()).allowed
        try:
            guard = replace(guard_of(self.own or (), self.proxy or (), places=("--own", "--proxy")), allowed=allowed)
            zone = time_zone(self.timezone)
        except SourceError as error:
            raise typer.BadParameter(f"{error}; {error.hint}") from None
        return HowToRead(
            now=now,
            as_of=self._as_of(now),
            form=self._form(),
            mapping=self._mapping(),
            allow_non_global=self.allow_non_global,
            guard=guard,
            timezone=zone,
        )

    def _as_of(self, now: datetime) -> datetime | None:  # noqa: ARG002
        return None

    def _form(self) -> "Format | None":
        return None

    def _mapping(self) -> str:
        return ""


class RecordOptions(GuardOptions, frozen=True, kw_only=True):
    """The same, and as of when records are read."""

    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="now|TIME", help="Read them as they would have been read then."),
    ] = None

    def _as_of(self, now: datetime) -> datetime | None:
        if self.as_of is None or self.as_of == "now":
            return now if self.as_of else None
        from tocsin.sources import time_zone

        try:
            moment = datetime.fromisoformat(self.as_of)
        except ValueError:
            text = f"{self.as_of!r} is no time such as 2026-02-03T09:15:00Z, no day such as 2026-02-03, and not now"
            raise typer.BadParameter(text, param_hint="--as-of") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=time_zone(self.timezone))
        if moment.year not in _YEARS:
            text = f"{self.as_of} is a time that nothing was written at: a year from 1970 to 2199 is, or the word now"
            raise typer.BadParameter(text, param_hint="--as-of")
        return moment.astimezone(UTC)


class ReadingOptions(RecordOptions, frozen=True, kw_only=True):
    """The same, and what the inputs are."""

    form: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="Format of the files; else found by content.")
    ] = None
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="A mapping (TOML or YAML) for files in no known format."),
    ] = None

    def _form(self) -> "Format | None":
        from tocsin.sources import format_named, mapping_format

        if self.form and self.mapping:
            raise typer.BadParameter("one of --format and --mapping, not both", param_hint="--mapping")
        if self.mapping:
            return mapping_format(self.mapping)
        return format_named(self.form) if self.form else None

    def _mapping(self) -> str:
        return str(self.mapping or "")


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """
    A command for Typer out of one whose parameter `reading` is annotated with one of the classes above.

    On the command line there is an option for each of its fields, in the place of that parameter.
    """
    signature = inspect.signature(command)
    kind = signature.parameters["reading"].annotation
    options = inspect.signature(kind).parameters

    @functools.wraps(command)
    def called(**given: Any) -> None:
        reading = kind(**{name: given.pop(name) for name in options})
        command(**given, reading=reading)

    typed: Any = called
    typed.__signature__ = signature.replace(
        parameters=[
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for one in signature.parameters.values()
            for each in (options.values() if one.name == "reading" else [one])
        ]
    )
    return called
