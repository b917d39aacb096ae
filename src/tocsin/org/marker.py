"""The note in a data folder that says whose it is, of which kind, and which version wrote it."""

import os
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.org.errors import OrgError
from tocsin.org.file_errors import ELSEWHERE, telling

ORG = "tocsin-org"
"""Of one org, its journal among its files."""
NODE = "tocsin-node"
"""Of a node of a fleet, with a folder for each of its orgs."""
NODE_ORG = "tocsin-node-org"
"""Of one org of a node: its journal is the fleet's."""
SNAPSHOT = "tocsin-node-snapshot"
"""No data folder: what a node's was at a moment, for another node to begin with."""
FORMAT = 3  # raised by a change that older versions cannot read
UNFINISHED = ".marker-"
_NAME = "marker.json"
_MOST_BYTES = 4096
_NAMES = {ORG: "an org", NODE: "a node of a fleet", NODE_ORG: "one org of a node", SNAPSHOT: "a snapshot"}
_MENDS = {
    ORG: f"serve it without --journal; or {ELSEWHERE}, for the node",
    NODE: f"serve it with --journal; or {ELSEWHERE}",
    NODE_ORG: "name the node's folder with --data, and the org with --org",
    SNAPSHOT: "`tocsin restore` makes a node's data folder of it",
}


class Marker(Struct, frozen=True):
    """What it says."""

    kind: str
    format: int = FORMAT
    journal: str = ""
    """Which journal was applied to what lies here, where that is kept elsewhere."""
    whole_up_to: int = 0
    """Of that journal, the seq up to which all that was applied was there when it was read: see `trimmed.py`."""
    fleet: str = ""
    """Of a node: the fingerprint of its fleet's secret, once that is known."""


def make_ours(path: Path, kind: str, *, create: bool, journal: str = "") -> Marker:
    """
    See that the folder at `path` is ours, and of `kind`.

    Args:
        create: make it (mode 0700) when there is none or an empty one; False to only look at one that is there.
        journal: what the note of a new one says.
    Raises: OrgError, if it cannot be made or written, is not ours or another kind, or was written by a newer version.
    """
    with telling(path):
        if create:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = {file.name for file in path.iterdir() if not file.name.startswith(UNFINISHED)}
        if not names and create:
            write_whole(path / _NAME, msgspec.json.encode(Marker(kind, journal=journal)))
        elif _NAME not in names:
            raise OrgError(f"{path} is not a data folder of {_NAMES[kind]}; it was left as it is", hint=ELSEWHERE)
        marker = _read(path)
    if marker.kind != kind:
        text = f"{path} is a data folder of {_NAMES.get(marker.kind, repr(marker.kind))}, not of {_NAMES[kind]}"
        raise OrgError(f"{text}; it was left as it is", hint=_MENDS.get(marker.kind, ELSEWHERE))
    _refuse_other_formats(path, marker)
    return marker


def mark(path: Path, marker: Marker) -> None:
    """Let the note of the folder at `path` say something else. Raises OrgError."""
    with telling(path):
        replace_whole(path / _NAME, msgspec.json.encode(marker))


def whole_up_to(path: Path) -> int:
    """What the note of the folder at `path` says of that. Raises OrgError."""
    with telling(path):
        return _read(path).whole_up_to


def mark_whole(path: Path, up_to: int) -> None:
    """Let it say another seq. Raises OrgError."""
    with telling(path):
        marker = _read(path)
    mark(path, replace(marker, whole_up_to=up_to))


def kind_of(path: Path) -> str | None:
    """The kind of the data folder at `path`, or None where nothing says so. Raises OrgError."""
    with telling(path):
        return _read(path).kind if (path / _NAME).exists() else None


def replace_whole(place: Path, content: bytes) -> None:
    """Write a file whole or not at all, in the place of one that may be there. Raises OSError."""
    unfinished = _unfinished(place, content)
    unfinished.rename(place)
    _sync_folder(place.parent)


def write_whole(place: Path, content: bytes) -> None:
    """Write a file whole or not at all; when another process is quicker, its file is as good. Raises OSError."""
    unfinished = _unfinished(place, content)
    try:
        os.link(unfinished, place)
        _sync_folder(place.parent)
    except FileExistsError:
        return
    finally:
        unfinished.unlink()


def _unfinished(place: Path, content: bytes) -> Path:
    handle, unfinished = tempfile.mkstemp(dir=place.parent, prefix=UNFINISHED)  # made with mode 0600
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(unfinished)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> Marker:
    with (path / _NAME).open("rb") as file:
        text = file.read(_MOST_BYTES)
    try:
        return msgspec.json.decode(text, type=Marker)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise OrgError(f"{path / _NAME} cannot be understood; it was left as it is", hint=ELSEWHERE) from None


def _refuse_other_formats(path: Path, marker: Marker) -> None:
    if marker.format < FORMAT:
        older = f"{path} was written before the first release (format {marker.format}; this one knows {FORMAT})"
        raise OrgError(f"{older}; it was left as it is", hint=ELSEWHERE)
    if marker.format > FORMAT:
        newer = f"{path} was written by a newer version (format {marker.format}; this one knows {FORMAT})"
        raise OrgError(f"{newer}; it was left as it is", hint="use that version again, or a later one")
