"""`tocsin formats`: what can be read, with an example each."""

import typer

from tocsin.sources import FORMATS


def formats() -> None:
    """List the input formats, with an example each."""
    for form in FORMATS:
        typer.echo(f"{form.name}\n  {form.title}")
        for line in form.example.splitlines():
            typer.echo(f"    {line}")
        typer.echo()
    typer.echo("Files may be plain or gzip. The format is found by content; --format NAME overrides it.")
