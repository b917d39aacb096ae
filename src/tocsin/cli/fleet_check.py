"""What `tocsin fleet check` looks at: the servers, then the streams and buckets, then the secret."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tocsin.cli import fleet_files
from tocsin.cli.fleet import as_relay_admin, connected_as, told
from tocsin.cli.fleet_copies import Shown, compare_copies
from tocsin.cli.fleet_roles import SYSTEM, declared, declared_of_orgs, declared_of_relays
from tocsin.cli.waiting import telling_of
from tocsin.errors import TocsinError
from tocsin.journal.jetstream import JetStreamConnection, JetStreamKeyValue
from tocsin.journal.jetstream.declared import Declared, differences
from tocsin.journal.jetstream.servers import copies_lost, faults, servers
from tocsin.org.fleet.declared import ORGS_BUCKET, REPLICAS
from tocsin.org.fleet.fleet import secret_of
from tocsin.org.fleet.registered import Registered
from tocsin.org.fleet.roles import ADMIN
from tocsin.org.fleet.settings import NodeSettings
from tocsin.relay.fleet.set_lease import lease_of

_REACH_S = 3.0


class Line(Struct, frozen=True):
    """What one check found."""

    text: str
    well: bool


Tell = Callable[[Line], None]


async def look(folder: Path, tell: Tell) -> bool:
    """
    Tell a line for each thing that is looked at.

    Returns: whether there was a server to ask.
    Raises: ConfigError, when `folder` is no fleet's.
    """
    settings = told(folder, fleet_files.SYSTEM)
    with telling_of(settings):
        tries = await asyncio.gather(*(_reach(settings, url) for url in settings.servers))
        reached = [one for one in tries if isinstance(one, JetStreamConnection)]
        for error in tries:
            if isinstance(error, TocsinError):
                tell(_problem("server", error.summary, error.hint))
        try:
            for line in await _of_servers(reached[0]) if reached else ():
                tell(line)
        finally:
            await asyncio.gather(*(one.close() for one in reached))
        if reached:
            await _look_at_orgs(told(folder, fleet_files.ADMIN), tell)
            await _look_at_relays(folder, tell)
    return bool(reached)


async def _reach(settings: NodeSettings, url: str) -> JetStreamConnection | TocsinError:
    """One server, and no other in its place."""
    alone = replace(settings, servers=(url,), connect_s=min(settings.connect_s, _REACH_S))
    try:
        return await JetStreamConnection.open(alone, role=SYSTEM, jetstream=False)
    except TocsinError as error:
        return error


async def _of_servers(connection: JetStreamConnection) -> list[Line]:
    try:
        found = await servers(connection)
        cut = await copies_lost(connection, [one.config()["name"] for one in declared()])
    except TocsinError as error:
        return [_problem("servers", error.summary, error.hint)]
    wrong = [*faults(found, replicas=REPLICAS), *cut]
    bad = {fault.where for fault in wrong}
    well = [_ok(one.name, f"version {one.version}, syncs always") for one in found if one.name not in bad]
    if found and not cut and "servers" not in bad:
        well.append(_ok("copies", "no server lacks what others hold"))
    return well + [_problem(fault.where, fault.text, fault.hint) for fault in wrong]


async def _look_at_orgs(settings: NodeSettings, tell: Tell) -> None:
    try:
        async with connected_as(ADMIN, settings) as connection:
            await _look_at_streams(connection, declared_of_orgs(), tell)
            table = await JetStreamKeyValue.open(connection, ORGS_BUCKET)
            await Registered(table).check(secret_of(settings))
            await table.close()
            tell(_ok("secret", "the fleet's own"))
    except TocsinError as error:
        tell(_problem("fleet", error.summary, error.hint))


async def _look_at_relays(folder: Path, tell: Tell) -> None:
    try:
        async with as_relay_admin(folder) as connection:
            lease_s = await lease_of(connection)
            await _look_at_streams(connection, declared_of_relays(lease_s), tell)
            if lease_s is not None:
                tell(_ok("lease", f"of relay workers {lease_s:g} s"))
    except TocsinError as error:
        tell(_problem("relays", error.summary, error.hint))


async def _look_at_streams(connection: JetStreamConnection, wanted: Sequence[Declared], tell: Tell) -> None:
    for one in wanted:
        name = one.config()["name"]
        unlike = await differences(connection, [one])
        for each in unlike:
            tell(_problem(name, each.text, each.hint))
        if not unlike:
            tell(_ok(name, f"as declared, {one.replicas} replicas"))


async def look_at_copies(folder: Path, shown: Shown, tell: Tell) -> None:
    """A line for each stream and bucket, all of which are read; `shown` hears how that goes on. Raises ConfigError."""
    try:
        async for one in compare_copies(folder, shown):
            tell(_ok(one.stream, one.text) if one.mend is None else _problem(one.stream, one.text, one.mend))
    except TocsinError as error:
        tell(_problem("copies", error.summary, error.hint))


def _ok(what: str, text: str) -> Line:
    return Line(f"ok       {what}: {text}", well=True)


def _problem(what: str, text: str, hint: str | None) -> Line:
    return Line(f"PROBLEM  {what}: {text}" + (f" - {hint}" if hint else ""), well=False)
