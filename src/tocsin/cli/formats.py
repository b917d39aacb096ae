"""`tocsin formats`: what can be read, with an example each; and the mapping of one, to start from."""

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tocsin.sources import Format


def formats(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Print the mapping of this format, or its example.", show_default=False),
    ] = None,
) -> None:
    """List the input formats, with an example each; or print the mapping of one of them, to read or to copy."""
    from tocsin.sources import formats as all_formats
    from tocsin.sources.mapping.builtin import profile_text

    if name is not None:
        typer.echo(_one(name, profile_text(name)), nl=False)
        return
    ordered = sorted(all_formats(), key=lambda form: (form.group, form.name))
    for group, forms in groupby(ordered, key=lambda form: form.group):
        typer.echo(f"{group}\n{'-' * len(group)}\n")
        for form in forms:
            typer.echo(_shown(form))
    typer.echo("Files may be plain, gzip or zstd. The format is found by content; --format NAME overrides it.")
    typer.echo(
        "The addresses are those of documentation: --allow-non-global --as-of 2026-01-05T12:00:00Z tries an example."
    )


def _one(name: str, mapping: str | None) -> str:
    from tocsin.sources import format_named

    form = format_named(name)
    return mapping or f"{_shown(form)}\nIt is read by code, and has no mapping to copy.\n"


def _shown(form: "Format") -> str:
    return f"{form.name}\n  {form.title}\n" + "".join(f"    {line}\n" for line in form.example.splitlines())
