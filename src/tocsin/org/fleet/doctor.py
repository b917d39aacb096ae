"""What is wrong with a node's data folder, as far as it can be told without its fleet. Works while the node runs."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from tocsin.org.doctor import Finding, disk, found, left_over, permissions
from tocsin.org.errors import OrgError
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.secret import FleetSecret
from tocsin.org.folder import OrgFiles
from tocsin.org.marker import NODE_ORG, make_ours
from tocsin.org.private_sqlite import connect, telling_of
from tocsin.org.risk_index import STEP_IPS, Page, RiskIndex

_SAMPLE_PLACES, _SAMPLE_IPS = 256, 64
_OF_THE_FLEET = (
    "the fleet's: `tocsin fleet check` looks at its servers, streams, copies and clocks; that what is here is what "
    "they say is not examined, `tocsin rebuild --org NAME` makes it anew"
)


def examine_node(path: Path, *, deep: bool = False) -> Iterator[Finding]:
    """
    Check the node's data folder at `path`; each finding is told as it is found.

    Args:
        deep: walk the whole risk indexes, not only a sample.
    """
    try:
        node = NodeFolder.open(path, create=False)
        yield Finding("marker", f"{path} is a data folder of a node of a fleet")
        yield found("fleet", partial(_fleet, node))
        yield found("permissions", partial(permissions, path))
        yield found("left over", partial(left_over, path))
        yield found("disk", partial(disk, path))
        for name, files in node.orgs().items():
            yield from _examine_org(name, files, deep)
        yield Finding("journals", _OF_THE_FLEET)
    except OrgError as error:
        yield Finding("marker", error.summary, error.hint)


def _examine_org(name: str, files: OrgFiles, deep: bool) -> Iterator[Finding]:
    looks: dict[str, Callable[[], str]] = {
        "directory": partial(_table, files.directory),
        "risk index": partial(_risk_index, files, deep),
        "feed": partial(_table, files.feed),
        "system log": partial(_table, files.log),
    }
    try:
        make_ours(files.path, NODE_ORG, create=False)
        with files.in_use():
            for check, look in looks.items():
                one = found(f"{name}: {check}", look)
                yield one if one.mend is None else Finding(one.check, one.text, _rebuild(name))
    except OrgError as error:
        yield Finding(name, error.summary, error.hint)


def _rebuild(name: str) -> str:
    return f"stop the node, and run `tocsin rebuild --org {name}`"


def _fleet(node: NodeFolder) -> str:
    if not node.is_known:
        return "not known before it is served"
    settings = node.settings()
    if settings.secret_file is None:
        raise OrgError("no secret_file is known", hint="serve it with one")
    secret = FleetSecret.read(Path(settings.secret_file))
    if node.fleet not in ("", secret.fingerprint):
        raise OrgError(f"{settings.secret_file} is another fleet's", hint="serve it with the secret of its own fleet")
    return f"{', '.join(settings.servers)}, and its secret"


def _table(path: Path) -> str:
    if not path.exists():
        return "not made yet"
    with telling_of(path, hint=""), closing(connect(path)) as db:
        problems = [text for (text,) in db.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise sqlite3.DatabaseError("; ".join(problems).replace("\n", " "))
        ((cursor,),) = db.execute("SELECT seq FROM cursor")
    return f"whole, up to entry {cursor}"


def _risk_index(files: OrgFiles, deep: bool) -> str:
    if not files.index.exists():
        return "not made yet"
    index = RiskIndex(files.index, remake=False)
    try:
        for page in _pages(index, deep):
            last = max((said.seq for _, assertions in page.found for said in assertions), default=0)
            if last > index.cursor():
                raise OrgError(f"it holds what entry {last} says, and has no such entry applied")
        seen = "all of it" if deep else "a sample"
        return f"{len(index):,} IPs held, readable, up to entry {index.cursor()} ({seen} read)"
    finally:
        index.close()


def _pages(index: RiskIndex, deep: bool) -> Iterator[Page]:
    if not deep:
        for place in range(_SAMPLE_PLACES):
            yield index.page(bytes([place]), limit=_SAMPLE_IPS)
        return
    start: bytes | None = b""
    while start is not None:
        page = index.page(start, limit=STEP_IPS)
        yield page
        start = page.next
