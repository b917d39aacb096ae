"""A node's data folder: which fleet it belongs to, and a folder for each org that it serves. No journal, no secret.

marker.json   whose folder this is
node.json     how to reach the fleet: addresses and paths of files, nothing secret
lock          held by the one `serve`
orgs/NAME/    projections of the org's journal, as in `org/folder.py`
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from tocsin.org.backing import Backing
from tocsin.org.errors import OrgError
from tocsin.org.file_errors import telling
from tocsin.org.fleet.settings import NodeSettings
from tocsin.org.folder import DataFolder
from tocsin.org.locks import serving
from tocsin.org.marker import NODE, NODE_ORG, make_ours, mark_again, replace_whole

_SETTINGS = "node.json"


class NodeFolder:
    """A folder that is known to be a node's."""

    def __init__(self, path: Path) -> None:
        """For `open`."""
        self.path = path

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> Self:
        """The one at `path`; see `DataFolder.open`."""
        make_ours(path, NODE, create=create)
        return cls(path)

    def settings(self) -> NodeSettings:
        """What it was last served with. Raises OrgError."""
        place = self.path / _SETTINGS
        try:
            with telling(self.path):
                return msgspec.json.decode(place.read_bytes(), type=NodeSettings)
        except msgspec.DecodeError:
            raise OrgError(f"{place} cannot be understood", hint="delete it, and serve the node again") from None

    def remember(self, settings: NodeSettings) -> None:
        """From now on commands that are given this folder reach the fleet so. Raises OrgError."""
        with telling(self.path):
            replace_whole(self.path / _SETTINGS, msgspec.json.encode(settings))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Be the one process that serves it. Raises OrgError when another one does."""
        with serving(self.path):
            yield

    def of_org(self, name: str, journal: str, backing: Backing) -> DataFolder:
        """
        The folder of the org `name`, made on first use.

        Args:
            journal: which journal its files are made from; those that were made from another are deleted.
        Raises: OrgError.
        """
        path = self.path / "orgs" / name
        with telling(path.parent):
            path.parent.mkdir(mode=0o700, exist_ok=True)
        known = make_ours(path, NODE_ORG, create=True, journal=journal).journal
        folder = DataFolder(path, backing)
        if known != journal:
            with folder.alone():
                folder.delete_projections()
                mark_again(path, NODE_ORG, journal)
        return folder
