"""What `tocsin fleet check` looks at: the servers, then the streams and buckets, then the secret."""

from collections.abc import AsyncIterator
from pathlib import Path

from msgspec import Struct

from tocsin.cli.fleet import as_admin, told
from tocsin.cli.fleet_copies import Shown, compare_copies
from tocsin.cli.fleet_files import SYSTEM
from tocsin.cli.fleet_roles import declared
from tocsin.errors import TocsinError
from tocsin.journal.jetstream import JetStreamConnection, JetStreamKeyValue
from tocsin.journal.jetstream.declared import differences
from tocsin.journal.jetstream.servers import copies_lost, faults, servers
from tocsin.org.fleet.declared import ORGS_BUCKET, REPLICAS
from tocsin.org.fleet.fleet import secret_of
from tocsin.org.fleet.registered import Registered
from tocsin.org.fleet.settings import NodeSettings


class Line(Struct, frozen=True):
    """What one check found."""

    text: str
    well: bool


async def lines(folder: Path) -> list[Line]:
    """One for each thing that was looked at. Raises ConfigError, when `folder` is no fleet's."""
    return [*await _of_servers(told(folder, SYSTEM)), *await _of_streams(folder)]


async def _of_servers(settings: NodeSettings) -> list[Line]:
    try:
        connection = await JetStreamConnection.open(settings, jetstream=False)
    except TocsinError as error:
        return [_problem("servers", error.summary, error.hint)]
    try:
        found = await servers(connection)
        cut = await copies_lost(connection, [one.config()["name"] for one in declared()])
    except TocsinError as error:
        return [_problem("servers", error.summary, error.hint)]
    finally:
        await connection.close()
    wrong = [*faults(found, replicas=REPLICAS), *cut]
    bad = {fault.where for fault in wrong}
    well = [_ok(one.name, f"version {one.version}, syncs always") for one in found if one.name not in bad]
    if found and not cut:
        well.append(_ok("copies", "no server lacks what others hold"))
    return well + [_problem(fault.where, fault.text, fault.hint) for fault in wrong]


async def _of_streams(folder: Path) -> list[Line]:
    found: list[Line] = []
    try:
        async with as_admin(folder) as (connection, settings):
            for one in declared():
                name = one.config()["name"]
                unlike = await differences(connection, [one])
                found += [_problem(name, each.text, each.hint) for each in unlike]
                if not unlike:
                    found.append(_ok(name, f"as declared, {one.replicas} replicas"))
            table = await JetStreamKeyValue.open(connection, ORGS_BUCKET)
            await Registered(table).check(secret_of(settings))
            await table.close()
            found.append(_ok("secret", "the fleet's own"))
    except TocsinError as error:
        found.append(_problem("fleet", error.summary, error.hint))
    return found


async def lines_of_copies(folder: Path, shown: Shown) -> AsyncIterator[Line]:
    """One for each stream and bucket, all of which are read; `shown` is told how that goes on. Raises ConfigError."""
    try:
        async for one in compare_copies(folder, shown):
            yield _ok(one.stream, one.text) if one.mend is None else _problem(one.stream, one.text, one.mend)
    except TocsinError as error:
        yield _problem("copies", error.summary, error.hint)


def _ok(what: str, text: str) -> Line:
    return Line(f"ok       {what}: {text}", well=True)


def _problem(what: str, text: str, hint: str | None) -> Line:
    return Line(f"PROBLEM  {what}: {text}" + (f" - {hint}" if hint else ""), well=False)
