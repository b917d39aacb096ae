"""A node's data folder: which fleet it belongs to, and a folder for each org that it serves. No journal, no secret.

marker.json   whose folder this is, and of which fleet
node.json     how to reach the fleet: addresses and paths of files, nothing secret
lock          held by the one `serve`
orgs/NAME/    projections of the org's journal, as in `org/folder.py`
restoring     there while a snapshot is restored into the folder
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec

from tocsin.org.backing import Backing
from tocsin.org.errors import OrgError
from tocsin.org.file_errors import ELSEWHERE, telling
from tocsin.org.fleet.secret import FleetSecret
from tocsin.org.fleet.settings import NodeSettings
from tocsin.org.folder import DataFolder, OrgFiles, refuse_half_restored
from tocsin.org.locks import serving
from tocsin.org.marker import NODE, NODE_ORG, Marker, make_ours, mark, replace_whole

_SETTINGS = "node.json"


class NodeFolder:
    """A folder that is known to be a node's."""

    def __init__(self, path: Path) -> None:
        """For `open`."""
        self.path = path
        self._orgs = path / "orgs"

    @classmethod
    def open(cls, path: Path, *, create: bool = True, half_restored: bool = False) -> Self:
        """The one at `path`; see `DataFolder.open`."""
        make_ours(path, NODE, create=create)
        if not half_restored:
            refuse_half_restored(path, "`tocsin restore` ends it")
        return cls(path)

    @property
    def fleet(self) -> str:
        """The fingerprint of its fleet's secret; empty while that is not known. Raises OrgError."""
        return make_ours(self.path, NODE, create=False).fleet

    def orgs(self) -> dict[str, OrgFiles]:
        """The folders of orgs that are here, by name. Raises OrgError."""
        with telling(self.path):
            found = sorted(path for path in self._orgs.glob("*") if path.is_dir())
        return {path.name: OrgFiles(path) for path in found}

    def belong_to(self, fleet: FleetSecret) -> None:
        """Be of this fleet from now on. Raises OrgError, when what is here is of another one."""
        known = self.fleet
        if known not in ("", fleet.fingerprint):
            text = f"{self.path} belongs to another fleet, which has another secret; it was left as it is"
            raise OrgError(text, hint=ELSEWHERE)
        if not known:
            mark(self.path, Marker(NODE, fleet=fleet.fingerprint))

    @property
    def is_known(self) -> bool:
        """Whether it was served before, so that there are `settings`."""
        return (self.path / _SETTINGS).exists()

    def settings(self) -> NodeSettings:
        """What it was last served with. Raises OrgError."""
        place = self.path / _SETTINGS
        if not self.is_known:
            raise OrgError(f"how {self.path} reaches its fleet is not known before it is served", hint="serve it first")
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
        with telling(self.path):
            self._orgs.mkdir(mode=0o700, exist_ok=True)
        path = self._orgs / name
        known = make_ours(path, NODE_ORG, create=True, journal=journal).journal
        folder = DataFolder(path, backing)
        if known != journal:
            with folder.alone():
                folder.delete_projections()
                mark(path, Marker(NODE_ORG, journal=journal))
        return folder
