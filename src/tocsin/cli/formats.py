"""`tocsin formats`: what can be read, with an example each; and the mapping of one, to start from."""

from itertools import groupby
from typing import Annotated

import typer


def formats(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print the mapping of this format.", show_default=False)
    ] = None,
) -> None:
    """List the input formats, with an example each; or print the mapping of one of them, to read or to copy."""
    from tocsin.sources import formats as all_formats
    from tocsin.sources.mapping.builtin import profile_text

    if name is not None:
        typer.echo(_mapping(name, profile_text(name)), nl=False)
        return
    ordered = sorted(all_formats(), key=lambda form: (form.group, form.name))
    for group, forms in groupby(ordered, key=lambda form: form.group):
        typer.echo(f"{group}\n{'-' * len(group)}\n")
        for form in forms:
            typer.echo(f"{form.name}\n  {form.title}")
            for line in form.example.splitlines():
                typer.echo(f"    {line}")
            typer.echo()
    typer.echo("Files may be plain, gzip or zstd. The format is found by content; --format NAME overrides it.")


def _mapping(name: str, text: str | None) -> str:
    from tocsin.sources import SourceError, format_named

    form = format_named(name)
    if text is None:
        raise SourceError(f"{form.name} is read by code and has no mapping", hint="`tocsin formats` lists them all")
    return text
