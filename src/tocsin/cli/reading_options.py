"""Options of every command that reads inputs, and what they mean together."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.signals import parse_timestamp

if TYPE_CHECKING:  # the readers are imported by the functions that need them: they are slow to start
    from tocsin.cli.intake import HowToRead

FormatOption = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="Format of the files; else found by content.")
]
MappingOption = Annotated[
    Path | None,
    typer.Option("--mapping", metavar="FILE", help="A mapping (TOML or YAML) for files in no known format."),
]
AsOfOption = Annotated[
    str | None, typer.Option(metavar="now|TIME", help="Read them as they would have been read then.")
]
NonGlobalOption = Annotated[
    bool, typer.Option("--allow-non-global", help="Also send private, loopback and documentation addresses.")
]
OwnOption = Annotated[
    list[str] | None,
    typer.Option("--own", metavar="NETWORK", help="Ours, and never signalled: networks, the addresses of our egress."),
]
ProxyOption = Annotated[
    list[str] | None,
    typer.Option("--proxy", metavar="NETWORK", help="Ours too; X-Forwarded-For tells who is behind it."),
]
AllowListOption = Annotated[
    list[str] | None,
    typer.Option("--allow-list", metavar="FILE", help="Addresses never signalled: lines, or a MISP warning list."),
]
TimeZoneOption = Annotated[
    str, typer.Option("--timezone", metavar="ZONE", help="Of times that name no offset, such as Europe/Berlin.")
]


def how_to_read(
    *,
    form: str | None,
    mapping: Path | None,
    as_of: str | None,
    allow_non_global: bool,
    own: list[str] | None,
    proxy: list[str] | None,
    allow_list: list[str] | None,
    timezone: str,
    now: datetime | None = None,
) -> "HowToRead":
    """What the options say. Raises: SourceError, for what is no format, mapping, network, file or time zone."""
    from tocsin.cli.intake import HowToRead
    from tocsin.sources import format_named, guard_of, mapping_format, time_zone

    now = now or datetime.now(UTC)
    if form and mapping:
        raise typer.BadParameter("one of --format and --mapping, not both", param_hint="--mapping")
    named = format_named(form) if form else None
    return HowToRead(
        now=now,
        as_of=_moment(as_of, now),
        form=mapping_format(mapping) if mapping else named,
        allow_non_global=allow_non_global,
        guard=guard_of(own or (), proxy or (), allow_list or ()),
        timezone=time_zone(timezone),
    )


def _moment(text: str | None, now: datetime) -> datetime | None:
    if text is None or text == "now":
        return now if text else None
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, or the word now", param_hint="--as-of") from None
