"""What lies at the path of a data folder: one org, or the orgs of a node. All commands open a folder here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from tocsin.org.errors import OrgError
from tocsin.org.folder import DataFolder
from tocsin.org.marker import NODE, kind_of

ALONE = ""
"""The name of an org that has its data folder to itself."""


class Orgs(Protocol):
    """The orgs of one data folder."""

    async def names(self) -> list[str]:
        """Of all there are. Raises JournalError."""
        ...

    async def folder(self, name: str) -> DataFolder:
        """The folder of the org `name`. Raises OrgError when there is none; JournalError."""
        ...


class OneOrg:
    """`Orgs` of a folder that is one org's."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    async def names(self) -> list[str]:
        """See `Orgs.names`."""
        return [ALONE]

    async def folder(self, name: str) -> DataFolder:
        """See `Orgs.folder`."""
        if name != ALONE:
            raise OrgError(f"{self._folder.path} is a data folder of one org", hint=f"leave out --org {name}")
        return self._folder


@asynccontextmanager
async def open_orgs(path: Path, *, create: bool = True) -> AsyncIterator[Orgs]:
    """
    The orgs of the data folder at `path`, which may be in use by others.

    Args:
        create: make one of one org when there is none.
    Raises: OrgError, when it is no data folder; JournalError, when the fleet that it belongs to cannot be reached.
    """
    if kind_of(path) != NODE:
        yield OneOrg(DataFolder.open(path, create=create))
        return
    from tocsin.org.fleet.fleet import open_fleet  # what speaks to NATS is an extra, and slow to start
    from tocsin.org.fleet.folder import NodeFolder

    node = NodeFolder.open(path, create=False)
    async with open_fleet(node, node.settings()) as fleet:
        yield fleet


@asynccontextmanager
async def open_folder(path: Path, name: str | None = None, *, create: bool = True) -> AsyncIterator[DataFolder]:
    """
    The folder of the org `name`, which need not be told where there is only one.

    See `open_orgs`. Raises OrgError also when there are several, and none is named.
    """
    async with open_orgs(path, create=create) as orgs:
        yield await orgs.folder(name if name is not None else _only(path, await orgs.names()))


def _only(path: Path, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    have = f"it has {', '.join(names)}" if names else "it has none yet"
    raise OrgError(f"{path} is a data folder of a node: say which org", hint=f"name one with --org; {have}")
