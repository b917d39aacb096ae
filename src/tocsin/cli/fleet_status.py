"""What `tocsin relay status` says of a worker of a fleet: what it has, how that is doing, and who has the rest."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from tocsin.cli.durations import about
from tocsin.cli.relay_file import RelayFile
from tocsin.cli.status import status_lines
from tocsin.cli.waiting import telling_of
from tocsin.journal.jetstream.settings import JetStreamSettings
from tocsin.relay import Status, open_outbox, status_of
from tocsin.relay.fleet.opening import open_stores
from tocsin.relay.fleet.serving import TARGET, state_of
from tocsin.relay.fleet.who import Who, together, who_has_what
from tocsin.relay.fleet.worker_name import known_name
from tocsin.signals import to_ms


class FleetStatus(Struct, frozen=True):
    """One worker, and its fleet."""

    worker: str
    """Empty before its first start."""
    here: Status
    """Of the targets that it has now."""
    fleet: Who

    @property
    def works(self) -> bool:
        """Whether this worker does, and every other one serves what it should."""
        return self.here.works and not (self.fleet.failing or self.fleet.unserved)


def fleet_status(file: RelayFile, settings: JetStreamSettings, *, running: bool) -> FleetStatus:
    """Asks the fleet. Raises: TocsinError, when it cannot be reached or used."""
    fleet = asyncio.run(_who(file, settings))
    worker = known_name(Path(file.state))
    names = [item.removeprefix(TARGET) for item in fleet.workers.get(worker, []) if item.startswith(TARGET)]
    statuses = [_status_in(state_of(file.state, name)) for name in names if state_of(file.state, name).is_dir()]
    return FleetStatus(worker, together(statuses, state=file.state, running=running), fleet)


def fleet_lines(status: FleetStatus) -> Iterator[str]:
    """For a person."""
    yield from status_lines(status.here, of_worker=True)
    for worker, items in status.fleet.workers.items():
        this = " (this one)" if worker == status.worker else ""
        unlike = "; its configuration names other targets or sources" if worker in status.fleet.unlike else ""
        yield f"worker {worker}{this}: {len(items):,} held{unlike}"
        yield from (f"  {item}" for item in items)
        for one in status.fleet.failing.get(worker, []):
            yield f"  cannot serve {one.item}, for {about(timedelta(seconds=one.for_s))}: {one.reason}"
    if status.fleet.unserved:
        yield f"held by nobody at the moment: {', '.join(status.fleet.unserved)}"


async def _who(file: RelayFile, settings: JetStreamSettings) -> Who:
    with telling_of(settings):
        async with open_stores(settings, file.of_fleet) as stores:
            return who_has_what(await stores.workers.all(), await stores.owners.all())


def _status_in(state: Path) -> Status:
    with closing(open_outbox(state)) as outbox:
        return status_of(outbox, running=True, now_ms=to_ms(datetime.now(UTC)))
