"""Which addresses are ours, and which are never signalled: own networks, proxies, and allow-lists."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from tocsin.signals import ip_span
from tocsin.sources.errors import SourceError
from tocsin.sources.ranges import AddressRanges

_MAX_FILE_BYTES = 64 * 1024 * 1024
_NOTHING = AddressRanges()
_HINT = "write networks such as 203.0.113.0/24"


class Guard(Struct, frozen=True):
    """Asked for every address, in one place (`vetting`)."""

    own: AddressRanges = _NOTHING
    """Our hosts, and the addresses they are seen from outside."""
    proxies: AddressRanges = _NOTHING
    """Ours too; what they forward for is the client."""
    allowed: AddressRanges = _NOTHING
    """Known innocents: resolvers, crawlers, scanners that ask first."""


def guard_of(
    own_networks: Iterable[str] = (),
    trusted_proxies: Iterable[str] = (),
    allow_lists: Iterable[str] = (),
    *,
    places: tuple[str, str] = ("own_networks", "trusted_proxies"),
) -> Guard:
    """
    The guard that a configuration describes; `allow_lists` are paths of files.

    Args:
        places: what the first two are called where a person wrote them.

    Raises: SourceError, which names what is no network or cannot be read.
    """
    return Guard(
        _ranges(((network, "one of our own networks") for network in own_networks), places[0]),
        _ranges(((network, "one of our proxies") for network in trusted_proxies), places[1]),
        _ranges((pair for path in allow_lists for pair in _allow_list(Path(path))), "allow_lists"),
    )


def _ranges(networks: Iterable[tuple[str, str]], place: str) -> AddressRanges:
    try:
        return AddressRanges(networks)
    except ValueError as error:
        raise SourceError(f"{place}: {error}", hint=_HINT) from None


class _WarningList(Struct):
    """MISP's form: github.com/MISP/misp-warninglists."""

    name: str
    list: list[str]
    type: str


def _allow_list(path: Path) -> Iterator[tuple[str, str]]:
    content = _content(path)
    if content.lstrip().startswith(b"{"):
        return _of_misp(path, content)
    return _of_lines(path, content)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.peek(2).startswith(b"\x1f\x8b")
            content = (gzip.GzipFile(fileobj=file) if packed else file).read(_MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SourceError(f"the allow-list {path} cannot be read: {why}", hint="nothing was sent") from None
    if len(content) > _MAX_FILE_BYTES:
        text = f"the allow-list {path} is larger than {_MAX_FILE_BYTES:,} bytes"
        raise SourceError(text, hint="split it; nothing was sent")
    return content


def _of_misp(path: Path, content: bytes) -> Iterator[tuple[str, str]]:
    try:
        known = msgspec.json.decode(content, type=_WarningList)
    except msgspec.MsgspecError as error:
        raise SourceError(f"{path} is no warning list: {error}", hint='it has "name", "type" and "list"') from None
    if known.type != "cidr":
        raise SourceError(f"{path} is a list of type {known.type}", hint="lists of type cidr hold addresses")
    word = f"in the allow-list {known.name!r}"
    return ((_network(entry, f"{path}, entry {number}"), word) for number, entry in enumerate(known.list, start=1))


def _of_lines(path: Path, content: bytes) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
        if entry := line.partition("#")[0].partition(";")[0].strip():
            yield _network(entry, f"{path}:{number}"), f"in the allow-list {path.name!r}"


def _network(entry: str, place: str) -> str:
    try:
        ip_span(entry, strict=False)
    except ValueError as error:
        raise SourceError(f"{place}: {error}", hint=_HINT) from None
    return entry
