"""`tocsin explain`: what was read from a record, what was decided, and which rule decided."""

import re
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.printable import printable
from tocsin.cli.reading_options import ReadingOptions, with_options
from tocsin.errors import TocsinError
from tocsin.wall_clock import utc_now

_SHOWN = 5
_PLACE = re.compile(r"(?P<file>.+):(?P<number>[0-9]{1,12})")


class NoSuchRecord(TocsinError):
    """The input holds no record with that number."""


@with_options
def explain(
    place: Annotated[str, typer.Argument(metavar="FILE[:LINE]", help="A record, or a file for its first ones.")],
    reading: ReadingOptions,
) -> None:
    """Say of a record what was read, what was decided, and which rule decided. Nothing is sent."""
    from tocsin.sources import Explanation, explanations, open_source_input

    how = reading.how(utc_now())
    path, wanted = _split(place)
    with open_source_input(path, how.form) as source:
        how_known = "as you say" if how.form else "by its content"
        title = f": {source.form.title}" if source.form.title else ""
        typer.echo(f"{source.opened.name}: {source.form.name}, {how_known}{title}")
        last, found = 0, list[Explanation]()
        for one in explanations(source, how.reading(source.opened.name)):
            last = max(last, one.number)
            if wanted is None or one.number == wanted:
                found.append(one)
                if len(found) > _SHOWN:
                    break
        rather = source.by_content if how.form and not any(one.is_signal for one in found) else None
    for one in found[:_SHOWN]:
        typer.echo(f"\nrecord {one.number:,}: {printable(one.record)}")
        for step in one.steps:
            typer.echo(f"  {printable(step)}")
        for outcome in one.outcomes:
            typer.echo(f"  => {printable(outcome)}")
    if len(found) > _SHOWN:
        typer.echo(f"\nthere are more: {path}:LINE explains one of them")
    if rather is not None and rather is not how.form:
        typer.echo(f"\nby its content it is {rather.name}: {rather.title}")
    if not found:
        what = f"record {wanted:,}" if wanted is not None else "record at all"
        until = f"its last record is {last:,}; " if last else ""
        raise NoSuchRecord(f"{path} has no {what}", hint=f"{until}comments, headers and blank lines are no records")


def _split(place: str) -> tuple[str, int | None]:
    numbered = _PLACE.fullmatch(place)
    file, _, line = place.rpartition(":")
    if Path(place).exists() or not (numbered or Path(file).is_file()):
        return place, None
    if numbered is None:
        raise NoSuchRecord(f"{line!r} is no line of {file}", hint=f"write its number, such as {file}:3")
    return numbered["file"], int(numbered["number"])
