"""The org that a command is told by --data and --org. Of a node's folder the fleet is asked, which may take long."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.waiting import telling_of

if TYPE_CHECKING:  # imported by the functions that need them: they are slow to start
    from tocsin.org.folder import DataFolder
    from tocsin.org.registry import Registry


@asynccontextmanager
async def opened_folder(data: Path, org: str | None, *, create: bool = False) -> AsyncIterator["DataFolder"]:
    """Its folder; see `open_folder`."""
    from tocsin.org.data import open_folder

    async with AsyncExitStack() as stack:
        with _telling(data):
            folder = await stack.enter_async_context(open_folder(data, org, create=create))
        yield folder


@asynccontextmanager
async def opened_registry(
    data: Path, org: str | None, *, create: bool = False
) -> AsyncIterator[tuple["DataFolder", "Registry"]]:
    """Its folder, and what is registered in it. Raises OrgError or JournalError."""
    from tocsin.org.opening import open_registry

    async with opened_folder(data, org, create=create) as folder, open_registry(folder) as registry:
        yield folder, registry


@contextmanager
def _telling(data: Path) -> Iterator[None]:
    from tocsin.org.fleet.folder import NodeFolder
    from tocsin.org.marker import NODE, kind_of

    if kind_of(data) == NODE:
        with telling_of(NodeFolder.open(data, create=False).settings()):
            yield
    else:
        yield
