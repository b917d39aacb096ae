"""A node while the orgs of its fleet come, go and change under it."""

import asyncio
from pathlib import Path
from unittest.mock import ANY

import pytest
from structlog.testing import capture_logs

from support.node import MemoryFleet, ready, running
from tocsin.journal import JournalError, MemoryJournal, MemoryKeyValue
from tocsin.org.config import Http, OrgConfig
from tocsin.org.fleet.registered import Registered, RegisteredOrg
from tocsin.org.opening import open_org, open_registry
from tocsin.org.records import Role, local_deed

ACME, BOLT = ({"host": f"{name}.example", "authorization": "SSWS nobody's"} for name in ("acme", "bolt"))
BALANCER = {"host": "10.0.0.1", "authorization": "SSWS nobody's"}
LOG = "/api/v1/logs"


async def test_a_host_is_its_orgs_alone_also_while_that_changes_and_after_it_is_gone(tmp_path: Path) -> None:
    fleet = MemoryFleet(tmp_path / "node")
    for name in ("acme", "bolt"):
        await fleet.registered.add(name, f"http://{name}.example", at_ms=1)
    async with running(fleet) as (node, client):
        for host in (ACME, BOLT):
            await ready(client, host["host"])
            assert (await client.get(LOG, headers=host)).status_code == 401
        seen = set[int]()
        await fleet.registered.remove("bolt")
        await fleet.registered.add("bolt", "http://bolt.example", at_ms=2)
        async with asyncio.timeout(20):
            while 503 not in seen or (await client.get("/readyz", headers=BOLT)).status_code != 200:
                seen.add((await client.get(LOG, headers=BOLT)).status_code)
                await asyncio.sleep(0)
        assert seen <= {401, 503}
        await fleet.registered.remove("bolt")
        async with asyncio.timeout(20):
            while (status := (await client.get(LOG, headers=BOLT)).status_code) != 404:
                assert status in (401, 503)
                await asyncio.sleep(0)
        assert set(node.orgs()) == {"acme"}
        made = [tmp_path / "node" / "orgs", tmp_path / "node" / "orgs" / "acme"]
        assert [path.stat().st_mode & 0o777 for path in made] == [0o700, 0o700]
        assert (await client.get(LOG, headers=BALANCER)).status_code == 401  # the only one it is for


async def test_one_of_two_that_it_is_for_does_not_answer_for_the_other(tmp_path: Path) -> None:
    fleet = MemoryFleet(tmp_path / "node")
    await fleet.registered.add("acme", "http://acme.example", at_ms=1)
    async with running(fleet, "acme", "bolt") as (_, client):
        await ready(client)
        assert (await client.get(LOG, headers=BOLT)).status_code == 404


async def test_a_node_that_cannot_look_serves_what_it_has_and_says_that_it_is_not_ready(tmp_path: Path) -> None:
    fleet, now = MemoryFleet(tmp_path / "node"), [0.0]
    for name in ("acme", "coil"):
        await fleet.registered.add(name, f"http://{name}.example", at_ms=1)
    async with running(fleet, monotonic=lambda: now[0]) as (node, client):
        await ready(client)
        registered, fleet.registered = fleet.registered, Registered(MemoryKeyValue(clock=fleet.clock))
        await fleet.registered._table.close()
        with pytest.raises(JournalError):
            await node.look()
        assert (await client.get(LOG, headers=ACME)).status_code == 401
        assert (await client.get("/readyz", headers=BALANCER)).status_code == 200
        now[0] += 31
        assert (await client.get("/readyz", headers=BALANCER)).status_code == 503
        fleet.registered = registered
        await ready(client)


async def test_one_that_is_not_understood_holds_up_no_other_and_is_answered_for_by_none(tmp_path: Path) -> None:
    """A newer version registered it, or wrote it anew; the nodes of this one go on."""
    fleet, now = MemoryFleet(tmp_path / "node"), [0.0]
    for name in ("acme", "coil"):
        await fleet.registered.add(name, f"http://{name}.example", at_ms=1)
    with capture_logs() as logs:
        async with running(fleet, monotonic=lambda: now[0]) as (node, client):
            await ready(client)
            known = node.orgs()["coil"]
            for name in ("bolt", "coil", "_no_name"):
                await fleet.table.put(f"org.{name}", b'{"url": 1, "created_ms": 1}')
            await fleet.registered.remove("acme")
            await fleet.registered.add("dent", "http://dent.example", at_ms=1)
            now[0] += 31
            for _ in range(3):
                await node.look()
            assert set(node.orgs()) == {"coil", "dent"}
            assert node.orgs()["coil"] == known
            await ready(client, "dent.example")
            assert (await client.get("/readyz", headers=BALANCER)).status_code == 200
            await fleet.table.delete("org.coil")
            await node.look()
            assert set(node.orgs()) == {"dent"}
            assert (await client.get(LOG, headers=BOLT)).status_code == 404, "it is not dent's"
    told = sorted(str(log["org"]) for log in logs if log["event"] == "org.not_understood")
    assert told == ["_no_name", "bolt", "coil"]
    await fleet.registered.remove("bolt")
    assert await fleet.registered.all() == ({"dent": RegisteredOrg("http://dent.example", 1)}, ANY)


@pytest.mark.parametrize("name", ["no_name", "Acme"])
async def test_what_is_no_name_of_an_org_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    fleet = MemoryFleet(tmp_path / "node")
    await fleet.table.put(f"org.{name}", b'{"url": "http://acme.example", "created_ms": 1}')
    async with running(fleet) as (node, _):
        assert node.orgs() == {}
        assert not (tmp_path / "node" / "orgs").exists()


async def test_one_scrape_on_the_machine_tells_of_all_orgs_and_a_token_of_its_own(tmp_path: Path) -> None:
    fleet = MemoryFleet(tmp_path / "node")
    for name in ("acme", "bolt"):
        await fleet.registered.add(name, f"http://{name}.example", at_ms=1)
    async with open_registry(fleet.folder_of("acme", await fleet.registered.get("acme"))) as registry:
        token = await registry.tokens.create("t", Role.SUPER_ADMIN, deed=local_deed(0))
    async with running(fleet, config=OrgConfig(http=Http(open_metrics=True))) as (node, client):
        for host in (ACME, BOLT):
            await ready(client, host["host"])
        assert (await client.get(LOG, headers=BOLT)).status_code == 401
        for host in (BALANCER, ACME):
            text = (await client.get("/metrics", headers=host)).text
            for line in (
                'tocsin_ready{org="acme"} 1.0',
                'tocsin_answers_total{area="/api/v1/logs",org="bolt",status="401"} 1.0',
                'tocsin_projection_lag{org="acme"} 0.0',
                'tocsin_providers{org="acme"} 1.0',
                'tocsin_providers{org="bolt"} 1.0',
            ):
                assert line in text.splitlines(), text
            assert text.count("# TYPE tocsin_held_ips gauge") == text.count("# TYPE process_cpu_seconds_total") == 1
        proxied = {"x-forwarded-for": "198.51.100.7"}
        assert (await client.get("/metrics", headers=BALANCER | proxied)).status_code == 404
        assert (await client.get("/metrics", headers=BOLT | proxied)).status_code == 401
        own = {"host": "acme.example", "authorization": f"SSWS {token}"}
        text = (await client.get("/metrics", headers=own | proxied)).text
        assert 'tocsin_providers{org="acme"} 1.0' in text
        assert "bolt" not in text
        node.orgs()["bolt"][1].front = None
        text = (await client.get("/metrics", headers=BALANCER)).text
        assert 'tocsin_ready{org="bolt"} 0.0' in text
        assert 'tocsin_providers{org="bolt"}' not in text


async def test_another_stream_in_the_place_of_the_one_it_knew_is_noticed_and_begun_anew(tmp_path: Path) -> None:
    fleet = MemoryFleet(tmp_path / "node")
    await fleet.registered.add("acme", "http://acme.example", at_ms=1)
    registered = await fleet.registered.get("acme")
    async with open_registry(fleet.folder_of("acme", registered)) as registry:
        token = await registry.tokens.create("old", Role.SUPER_ADMIN, deed=local_deed(0))
        for number in range(5):
            await registry.tokens.create(f"t{number}", Role.SUPER_ADMIN, deed=local_deed(0))
    headers = {"authorization": f"SSWS {token}"}
    with capture_logs() as logs:
        async with running(fleet) as (_, client):
            await ready(client)
            assert (await client.get(LOG, headers=headers)).status_code == 200
            fleet.journals["acme"], fleet.stream_created = MemoryJournal(), "again"
            async with asyncio.timeout(20):
                while (await client.get(LOG, headers=headers)).status_code != 401:  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.01)
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["fleet.stream_replaced"]
    async with open_org(fleet.folder_of("acme", registered)) as org:
        assert org.tokens.all() == []
