"""`tocsin backup`, `restore`, `rebuild` and `doctor`: looking after a data folder."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.bar import bar
from tocsin.cli.options import DEFAULT_DATA, DataOption, OrgOption


def backup_command(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The new file to write; it must not be there yet.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Write a checked copy of the org's journal to FILE. Works while the org runs; all else is made from it."""
    from tocsin.journal import copy_journal
    from tocsin.org.folder import DataFolder

    folder = DataFolder.open(data, create=False)
    with folder.in_use(), bar("copying") as on_progress:
        last = copy_journal(folder.journal, to, on_progress=on_progress)
    typer.echo(f"{to}: the journal up to entry {last}, {to.stat().st_size / 1024**2:,.1f} MiB")


def restore_command(
    backup: Annotated[Path, typer.Argument(metavar="FILE", help="What `tocsin backup` wrote.")],
    data: DataOption = DEFAULT_DATA,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the journal aside that is in the folder already.")
    ] = False,
) -> None:
    """Make a data folder with the journal of FILE, and everything that is made from it. The org must not run."""
    from tocsin.org.rebuild import restore

    with bar("restoring") as on_progress:
        last = asyncio.run(restore(backup, data, replace=replace, on_progress=on_progress))
    typer.echo(f"{data}: restored up to entry {last}")


def rebuild_command(data: DataOption = DEFAULT_DATA, org: OrgOption = None) -> None:
    """Make everything again that is made from the journal. The org must not run."""
    with bar("rebuilding") as on_progress:
        last = asyncio.run(_rebuild(data, org, on_progress))
    typer.echo(f"{data}: rebuilt up to entry {last}")


async def _rebuild(data: Path, org: str | None, on_progress: Callable[[int, int], None]) -> int:
    from tocsin.org.data import open_folder
    from tocsin.org.rebuild import rebuild

    async with open_folder(data, org, create=False) as folder:
        return await rebuild(folder, on_progress=on_progress)


def doctor_command(
    data: DataOption = DEFAULT_DATA,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare the whole risk index with one made anew: slow, and takes disk.")
    ] = False,
) -> None:
    """Check a data folder, a line for each check; exits 1 when something is wrong. Works while the org runs."""
    from tocsin.org.doctor import examine

    well = True
    for finding in examine(data, deep=deep):
        well = well and finding.mend is None
        mend = "" if finding.mend is None else f" - {finding.mend}"
        typer.echo(f"{'ok     ' if finding.mend is None else 'PROBLEM'}  {finding.check}: {finding.text}{mend}")
    if not well:
        raise typer.Exit(1)
