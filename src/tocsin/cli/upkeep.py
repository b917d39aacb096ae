"""`tocsin backup`, `restore`, `rebuild` and `doctor`: looking after a data folder."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.bar import bar
from tocsin.cli.opened import opened_folder
from tocsin.cli.options import DEFAULT_DATA, DataOption, OrgOption

if TYPE_CHECKING:  # imported by the functions that need it
    from tocsin.org.doctor import Finding


def backup_command(
    to: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What to write: a file, of a node a folder. It must not be there yet."),
    ],
    data: DataOption = DEFAULT_DATA,
    org: Annotated[
        str | None, typer.Option("--org", metavar="NAME", help="Of a node: this org alone.", show_default=False)
    ] = None,
) -> None:
    """
    Write a checked copy of the org's journal to FILE. Works while the org runs; all else is made from it.

    Of a node of a fleet, whose journals are in the fleet's streams, FILE is a folder: what a new node begins with.
    """
    from tocsin.org.marker import NODE, kind_of

    if kind_of(data) == NODE:
        _take_snapshot(data, to, org)
        return
    from tocsin.journal import copy_journal
    from tocsin.org.folder import DataFolder

    folder = DataFolder.open(data, create=False)
    if org is not None:
        raise typer.BadParameter("only a node's folder has several", param_hint="--org")
    with folder.in_use(), bar("copying") as on_progress:
        last = copy_journal(folder.journal, to, on_progress=on_progress)
    typer.echo(f"{to}: the journal up to entry {last}, {to.stat().st_size / 1024**2:,.1f} MiB")


def _take_snapshot(data: Path, to: Path, org: str | None) -> None:
    from tocsin.org.fleet.snapshot import take

    with bar("copying") as on_progress:
        applied = take(data, to, org=org, on_progress=on_progress)
    of = ", ".join(f"{name} up to entry {seq}" for name, seq in applied.items())
    size = sum(file.stat().st_size for file in to.rglob("*"))
    typer.echo(f"{to}: a snapshot of {of}, {size / 1024**2:,.1f} MiB")


def restore_command(
    backup: Annotated[Path, typer.Argument(metavar="FILE", help="What `tocsin backup` wrote.")],
    data: DataOption = DEFAULT_DATA,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the journal aside that is in the folder already.")
    ] = False,
) -> None:
    """Make a data folder of FILE: an org's, with all that is made from its journal, or a node's. Neither must run."""
    if backup.is_dir():
        _restore_snapshot(backup, data, replace)
        return
    from tocsin.org.rebuild import restore

    with bar("restoring") as on_progress:
        last = asyncio.run(restore(backup, data, replace=replace, on_progress=on_progress))
    typer.echo(f"{data}: restored up to entry {last}")


def _restore_snapshot(snapshot: Path, data: Path, replace: bool) -> None:
    from tocsin.org.fleet.snapshot import restore

    if replace:
        raise typer.BadParameter("a snapshot is restored into a new folder alone", param_hint="--replace")
    with bar("restoring") as on_progress:
        orgs = restore(snapshot, data, on_progress=on_progress)
    typer.echo(f"{data}: a node's folder with {', '.join(orgs)}; `tocsin serve` goes on from there")


def rebuild_command(data: DataOption = DEFAULT_DATA, org: OrgOption = None) -> None:
    """Make everything again that is made from the journal. The org must not run."""
    with bar("rebuilding") as on_progress:
        last = asyncio.run(_rebuild(data, org, on_progress))
    typer.echo(f"{data}: rebuilt up to entry {last}")


async def _rebuild(data: Path, org: str | None, on_progress: Callable[[int, int], None]) -> int:
    from tocsin.org.rebuild import rebuild

    async with opened_folder(data, org) as folder:
        return await rebuild(folder, on_progress=on_progress)


def doctor_command(
    data: DataOption = DEFAULT_DATA,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Compare the whole risk index with one made anew, or of a node read it: slow."),
    ] = False,
) -> None:
    """Check a data folder, a line for each check; exits 1 when something is wrong. Works while the org runs."""
    well = True
    for finding in _examined(data, deep):
        well = well and finding.mend is None
        mend = "" if finding.mend is None else f" - {finding.mend}"
        typer.echo(f"{'ok     ' if finding.mend is None else 'PROBLEM'}  {finding.check}: {finding.text}{mend}")
    if not well:
        raise typer.Exit(1)


def _examined(data: Path, deep: bool) -> "Iterator[Finding]":
    from tocsin.org.marker import NODE, kind_of

    if kind_of(data) == NODE:
        from tocsin.org.fleet.doctor import examine_node

        return examine_node(data, deep=deep)
    from tocsin.org.doctor import examine

    return examine(data, deep=deep)
