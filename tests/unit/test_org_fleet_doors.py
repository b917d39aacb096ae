"""The doors of two nodes of one org: what one was told the other knows, and what both answer when they are alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from support.far import FarJournal, FarKeyValue, Way
from support.oauth_org import TOKEN
from support.org import PROVIDERS, RISK_EVENTS, event
from support.org_nodes import FleetNode, fleet_of
from support.virtual_time import run_virtually
from tocsin.journal import Entry, Journal, JournalUnreachable, MemoryJournal, MemoryKeyValue
from tocsin.org.crowdsec.feed import Pull
from tocsin.org.records import Role, local_deed
from tocsin.org.stores import Tables
from tocsin.signals import RiskEvent, RiskEventSubject, RiskLevel, RiskProvider, RiskProviderAction

NOW = 1_770_000_000.0
BAD = "203.0.113.9"
KEYS = "/oauth2/v1/keys"


class Two(NamedTuple):
    """Two nodes, and the way of each to the rest."""

    nodes: list[FleetNode]
    ways: list[Way]
    tables: Tables

    async def token(self, name: str = "t") -> dict[str, str]:
        """The header of a new token, which the first node made."""
        secret = await self.nodes[0].org.tokens.create(name, Role.SUPER_ADMIN, deed=local_deed(0))
        return {"authorization": f"SSWS {secret}"}

    async def say(self, node: int, level: str, headers: dict[str, str]) -> None:
        """Let one node take in an event, and both have it in their projections."""
        answer = await self.nodes[node].client.post(RISK_EVENTS, json=[event((BAD, level))], headers=headers)
        assert answer.status_code == 202, answer.text
        for each in self.nodes:
            assert await each.org.projector.wait_for(int(answer.headers["x-tocsin-journal-seq"]), at_most_s=10)


async def heard_again(node: FleetNode) -> None:
    """Until it has found out that it is not alone any more."""
    async with asyncio.timeout(10):
        while not node.org.freshness.reachable:
            await asyncio.sleep(0.1)
            await node.org.freshness.confirm(or_local=True)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with opened(tmp_path) as nodes:
        yield nodes


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Two]:
    journal, ways = MemoryJournal(), [Way(Random(1), most_s=0.0), Way(Random(2), most_s=0.0)]
    tables = Tables(*(MemoryKeyValue(clock=lambda: NOW) for _ in range(4)))
    places = [(FarJournal(journal, way), Tables(*(FarKeyValue(table, way) for table in tables))) for way in ways]
    async with fleet_of(tmp_path, places, clock=lambda: NOW) as nodes:
        yield Two(nodes, ways, tables)


async def test_a_token_is_known_and_unknown_at_all_nodes_at_once(two: Two) -> None:
    one, other = two.nodes
    for number in range(5):
        headers = await two.token(f"t{number}")
        assert (await other.client.get(PROVIDERS, headers=headers)).status_code == 200
        await one.org.tokens.revoke(f"t{number}", deed=local_deed(0))
        for path in (PROVIDERS, "/risk/v1/check", f"/risk/v1/ips/{BAD}"):
            assert (await other.client.get(path, headers=headers)).status_code == 401


async def test_so_is_a_bouncer(two: Two) -> None:
    one, other = two.nodes
    key = await one.org.bouncers.create("edge", deed=local_deed(0))
    asked = f"/v1/decisions?ip={BAD}"
    assert (await other.client.get(asked, headers={"x-api-key": key})).status_code == 200
    await one.org.bouncers.delete("edge", deed=local_deed(0))
    assert (await other.client.get(asked, headers={"x-api-key": key})).status_code == 403


async def test_a_window_is_the_orgs_whichever_node_is_asked(two: Two) -> None:
    headers = await two.token()
    body = [event((BAD, "LOW"))]
    sent = (two.nodes[n % 2].client.post(RISK_EVENTS, json=body, headers=headers) for n in range(40))
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [202] * 30 + [429] * 10
    lefts = sorted(int(answer.headers["x-rate-limit-remaining"]) for answer in answers if answer.status_code == 202)
    assert lefts == list(range(30))


@pytest.mark.slow
async def test_a_node_that_is_alone_tells_decisions_and_does_nothing_else(two: Two) -> None:
    one, _ = two.nodes
    headers = await two.token()
    default = one.org.providers.all()[0]
    put = await one.client.put(
        f"{PROVIDERS}/{default.id}", json={"name": default.name, "action": "enforce_and_log"}, headers=headers
    )
    assert put.status_code == 200, put.text
    key = await one.org.bouncers.create("edge", deed=local_deed(0))
    await two.say(1, "HIGH", headers)
    two.ways[0].is_cut = True
    bouncer = {"x-api-key": key}
    for path, status, sent, *words in (
        (f"/risk/v1/ips/{BAD}", 200, headers, '"effectiveLevel":"HIGH"'),
        ("/risk/v1/check", 200, headers),
        (f"/v1/decisions?ip={BAD}", 200, bouncer, BAD),
        ("/v1/decisions", 200, bouncer, BAD),
        ("/v1/decisions/stream?startup=true", 200, bouncer, BAD),
        ("/v1/decisions/stream", 200, bouncer, '{"deleted":null,"new":null}'),
        ("/healthz", 200, {}),
        (PROVIDERS, 503, headers),
        ("/api/v1/logs", 503, headers),
        ("/risk/v1/policy", 503, headers),
        (f"/risk/v1/ips/{BAD}", 503, {"authorization": "SSWS 00nobody-knows-it-here"}),
        (f"/v1/decisions?ip={BAD}", 503, {"x-api-key": "not known here"}),
    ):
        answer = await one.client.get(path, headers=sent)
        assert answer.status_code == status, (path, answer.text)
        assert all(word in answer.text for word in words), (path, answer.text)
    batch = await one.client.post("/risk/v1/ips:batch", json={"ips": [BAD]}, headers=headers)
    assert (batch.status_code, batch.json()["ips"][0]["effectiveLevel"]) == (200, "HIGH")
    refused = await one.client.post(RISK_EVENTS, json=[event((BAD, "LOW"))], headers=headers)
    assert (refused.status_code, refused.json()["errorCode"]) == (503, "E0000010")
    assert "No quorum" in refused.json()["errorCauses"][0]["errorSummary"]
    assert (await one.client.post(TOKEN, data={"grant_type": "client_credentials"})).status_code == 503
    two.ways[0].is_cut = False
    await heard_again(one)
    assert (await one.client.get(PROVIDERS, headers=headers)).status_code == 200


class Silent(FarJournal):
    """Once it is cut, nothing is answered until whoever asks has had enough of waiting."""

    async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
        await self._wait()
        return await super().append(topic, body, expect_last=expect_last)

    async def last(self, topic: str | None = None) -> int:
        await self._wait()
        return await super().last(topic)

    async def _wait(self) -> None:
        if self._way.is_cut:
            await asyncio.sleep(10)


def test_without_a_quorum_the_public_keys_are_those_that_are_known(tmp_path: Path) -> None:
    async def main() -> None:
        way, now, loop = Way(Random(1), most_s=0.0), [NOW], asyncio.get_running_loop()
        tables = Tables(*(MemoryKeyValue(clock=lambda: NOW) for _ in range(4)))
        journal = Silent(MemoryJournal(), way)
        async with fleet_of(tmp_path, [(journal, tables)], clock=lambda: now[0]) as (node,):
            way.is_cut = True
            begun_s = loop.time()
            assert (await node.client.get(KEYS)).status_code == 503  # there is none
            assert loop.time() - begun_s < 2
            way.is_cut = False
            await heard_again(node)
            known = await node.client.get(KEYS)
            assert (known.status_code, len(known.json()["keys"])) == (200, 2)
            assert known.headers["cache-control"] != "max-age=0, must-revalidate"
            way.is_cut, now[0] = True, NOW + 100 * 24 * 3600  # another one is due
            begun_s = loop.time()
            told = await node.client.get(KEYS)
            assert (told.status_code, told.headers["cache-control"]) == (200, "max-age=0, must-revalidate")
            assert loop.time() - begun_s < 2
            assert told.json()["keys"]
            way.is_cut = False

    run_virtually(main)


class Reasons(FarJournal):
    """Tells single entries when two are asked for at a time, one of them not at all, or says that it cannot."""

    def __init__(self, journal: Journal, says: str) -> None:
        super().__init__(journal, Way(Random(1), most_s=0.0))
        self._says, self._asked = says, list[int]()
        self._both = asyncio.Event()

    async def get(self, seq: int) -> Entry | None:
        self._asked.append(seq)
        if len(self._asked) == 2:
            self._both.set()
        await self._both.wait()
        if self._says == "no":
            raise JournalUnreachable("it", seconds=1, why="no answer")
        if self._says == "one" and seq == self._asked[0]:
            await asyncio.sleep(1e6)
        return await super().get(seq)


@pytest.mark.parametrize(("says", "told"), [("both", 2), ("one", 1), ("no", 0)])
def test_a_level_is_told_also_when_the_reasons_are_not(tmp_path: Path, says: str, told: int) -> None:
    async def main() -> None:
        async with opened(tmp_path) as two:
            one, headers = two.nodes[0], await two.token()
            made = await one.client.post(PROVIDERS, json={"name": "edge", "clientId": "c"}, headers=headers)
            assert made.status_code == 201, made.text
            for provider in one.org.providers.all():
                wanted = RiskProvider(
                    name=provider.name, client_id=provider.client_id, action=RiskProviderAction.ENFORCE_AND_LOG
                )
                await one.org.providers.replace(provider.id, wanted, deed=local_deed(0))
                subject = RiskEventSubject(ip=BAD, risk_level=RiskLevel.HIGH, message="seen")
                deed = local_deed(int(NOW * 1000))
                seq = await one.org.accept([RiskEvent(subjects=[subject])], provider, deed=deed)
                assert await one.org.projector.wait_for(seq, at_most_s=10)
            one.org.journal = Reasons(one.org.journal, says)
            answer = await one.client.get(f"/risk/v1/ips/{BAD}", headers=headers)
            assert (answer.status_code, answer.json()["effectiveLevel"]) == (200, "HIGH")
            messages = [by["message"] for by in answer.json()["providers"]]
            assert (len(messages), messages.count("seen")) == (2, told)

    run_virtually(main)


@pytest.mark.slow
async def test_a_bouncer_that_changes_nodes_is_told_each_change_once(two: Two) -> None:
    one, other = two.nodes
    headers = await two.token()
    default = one.org.providers.all()[0]
    await one.client.put(
        f"{PROVIDERS}/{default.id}", json={"name": default.name, "action": "enforce_and_log"}, headers=headers
    )
    bouncer = {"x-api-key": await one.org.bouncers.create("edge", deed=local_deed(0))}
    await two.say(0, "HIGH", headers)
    first = await one.client.get("/v1/decisions/stream?startup=true", headers=bouncer)
    assert [decision["value"] for decision in first.json()["new"]] == [BAD]
    assert (await other.client.get("/v1/decisions/stream", headers=bouncer)).json() == {"deleted": None, "new": None}
    two.ways[0].is_cut = True  # it hears of nothing from here on
    at = await other.client.post(RISK_EVENTS, json=[event(("203.0.113.10", "HIGH"))], headers=headers)
    assert await other.org.projector.wait_for(int(at.headers["x-tocsin-journal-seq"]), at_most_s=10)
    second = await other.client.get("/v1/decisions/stream", headers=bouncer)
    assert [decision["value"] for decision in second.json()["new"]] == ["203.0.113.10"]
    two.ways[0].is_cut = False
    await heard_again(one)
    third = await one.client.get("/v1/decisions/stream", headers=bouncer)
    assert (third.status_code, third.json()) == (200, {"deleted": None, "new": None})


@pytest.mark.slow
async def test_a_node_behind_what_a_bouncer_was_told_tells_it_nothing_old(two: Two) -> None:
    one, _ = two.nodes
    bouncer = {"x-api-key": await one.org.bouncers.create("edge", deed=local_deed(0))}
    edge = one.org.bouncers.named("edge")
    assert edge is not None
    beyond = await one.org.journal.last() + 1
    await two.nodes[1].org.pulls.note(edge.id, Pull(beyond, int(NOW * 1000)))
    assert (await one.client.get("/v1/decisions/stream", headers=bouncer)).status_code == 503
    anew = await one.client.get("/v1/decisions/stream?startup=true", headers=bouncer)
    assert (anew.status_code, anew.json()) == (200, {"deleted": None, "new": None})
    assert (await one.client.get("/v1/decisions/stream", headers=bouncer)).status_code == 200
