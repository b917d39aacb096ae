"""Who has what in a fleet, from its two tables; and how the engines of one worker are doing, put together."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tocsin.journal import Kept
from tocsin.relay.fleet.faults import Failing
from tocsin.relay.fleet.membership import owned, present
from tocsin.relay.fleet.stream import STREAM
from tocsin.relay.status import SourceStatus, Status


class Who(Struct, frozen=True):
    """Who has what."""

    workers: dict[str, list[str]]
    """Each worker that is there -> what it has, such as `target.acme`."""
    unserved: list[str]
    """What nobody has now: its worker has died or left it, and the next one has not begun."""
    unlike: list[str]
    """Workers whose configuration names other targets and sources than most do."""
    failing: dict[str, list[Failing]]
    """What workers should serve and cannot, each of them that has such."""


def who_has_what(workers: Mapping[str, Kept], owners: Mapping[str, Kept]) -> Who:
    """From the entries of both tables. Raises: msgspec.DecodeError, for what another version wrote."""
    there = present(workers)
    found: dict[str, list[str]] = {one.worker: [] for one in there}
    unserved: list[str] = []
    for item, (owner, _) in sorted(owned(owners).items()):
        found.get(owner.worker, unserved).append(item)
    alike = [one.serves for one in there]
    usual = max(alike, key=alike.count, default="")
    failing = {one.worker: one.failing for one in there if one.failing}
    return Who(found, unserved, [one.worker for one in there if one.serves != usual], failing)


def together(statuses: Iterable[Status], *, state: str, running: bool) -> Status:
    """One status of many outboxes, each with its targets, and with the same sources: those of the stream."""
    found = list(statuses)
    sources: dict[str, SourceStatus] = {}
    for status in found:
        for source in status.sources:
            known = sources.get(source.name)
            if source.name != STREAM and (known is None or source.taken > known.taken):
                sources[source.name] = source
    targets = [target for status in found for target in status.targets]
    return Status(
        state=state,
        running=running,
        ips=sum(status.ips for status in found),
        quarantined=sum(status.quarantined for status in found),
        targets=sorted(targets, key=lambda target: target.name),
        sources=[sources[name] for name in sorted(sources)],
    )
