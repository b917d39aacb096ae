"""`tocsin map`: tries a mapping on a file, before anything depends on it."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.printable import printable
from tocsin.cli.reading_options import RecordOptions, with_options
from tocsin.signals import SkipReason
from tocsin.wall_clock import utc_now

if TYPE_CHECKING:
    from tocsin.sources import Explanation, PathsFound

_FAILURES_SHOWN = 20
_NAMES_SHOWN = 30
_DELIMITERS = (";", "\t", "|", ",")


@with_options
def map_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Records to try it on; - is stdin.")],
    mapping: Annotated[Path, typer.Option("--try", metavar="MAPPING", help="The mapping, TOML or YAML.")],
    reading: RecordOptions,
    records: Annotated[int, typer.Option("--records", min=1, help="How many to show mapped.")] = 5,
) -> None:
    """Show the first records as a mapping reads them, each failure with its place, and which paths find nothing."""
    from tocsin.sources import explanations, mapping_format, open_source_input, paths_found

    how, form = reading.how(utc_now()), mapping_format(mapping)
    with open_source_input(file, form) as source:
        failed = _show(explanations(source, how.reading(file)), file, records)
    if file != "-":
        with open_source_input(file, form) as source:
            _show_paths(paths_found(source, how.reading(file)))
    if failed:
        raise typer.Exit(1)


def _show(found: "Iterable[Explanation]", file: str, records: int) -> int:
    """Gives back how many records failed."""
    signals, failures = 0, Counter[str]()
    for count, one in enumerate(found):
        if one.is_signal:
            signals += 1
        else:
            failures[one.outcomes[0].partition(":")[0]] += 1
        if count < records or (not one.is_signal and failures.total() <= _FAILURES_SHOWN):
            typer.echo(f"{file}:{one.number}: {printable(one.outcomes[0])}")
            for more in one.outcomes[1:]:
                typer.echo(f"  {printable(more)}")
    typer.echo(f"\n{signals:,} records make signals")
    for reason, number in failures.most_common():
        typer.echo(f"{number:,} {reason}")
    if any(reason.endswith(SkipReason.BAD_TIME) for reason in failures):
        typer.echo('  formats = ["%d.%m.%Y %H:%M:%S"] under [timestamp] says how times are written, as strptime has it')
    return 0 if signals else 1


def _show_paths(paths: "PathsFound") -> None:
    if not paths.records:
        typer.echo("it holds no records, so no path was looked for")
        return
    for what, number in paths.found.items():
        missing = "   <- nothing anywhere: is it spelled right?" if not number else ""
        typer.echo(f"{what}: in {number:,} of {paths.records:,}{missing}")
    if paths.names and not all(paths.found.values()):
        names = ", ".join(map(printable, paths.names[:_NAMES_SHOWN]))
        typer.echo(f"the first record has {names}" + (", ..." if len(paths.names) > _NAMES_SHOWN else ""))
        if len(paths.names) == 1 and (delimiter := next((one for one in _DELIMITERS if one in paths.names[0]), None)):
            typer.echo(f"  which is one column: is the delimiter another? delimiter = {delimiter!r} under [reader]")
