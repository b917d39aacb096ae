"""Whose a request to a node is, what it is answered while the org is not ready, and how far behind that is."""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any, cast

import httpx2
import pytest
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from support.far import FarKeyValue, Way
from tocsin.journal import MemoryKeyValue
from tocsin.org.config import OrgConfig
from tocsin.org.errors import OrgError
from tocsin.org.fleet.lag import Lag
from tocsin.org.fleet.node import Node
from tocsin.org.fleet.registered import Registered
from tocsin.org.fleet.secret import FleetSecret
from tocsin.org.http.front import Front
from tocsin.org.http.hosts import Hosts
from tocsin.org.http.served import ServedOrg
from tocsin.org.projector import Projector
from tocsin.org.rounds import end, in_rounds


class Applied:
    """A projector, as far as a lag asks it."""

    def __init__(self, applied: int) -> None:
        self.applied = applied


class Answering:
    """The front door of an open org, which says whose it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def stop(self) -> None:
        """Nothing goes on for ever here."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self._name.encode()})


class Serving:
    """A node, as far as its HTTP side asks it."""

    connected = looks = True
    config = OrgConfig()

    def __init__(self, **hosts: str) -> None:
        self.served = {name: served() for name in hosts}
        self._hosts, self.hosts, self.alone = hosts, set(hosts.values()), len(hosts) == 1

    def orgs(self) -> dict[str, tuple[str, ServedOrg]]:
        return {name: (self._hosts[name], org) for name, org in self.served.items()}

    def open(self, name: str) -> None:
        self.served[name].lag, self.served[name].front = Lag(applied_up_to(1), last=1), cast("Front", Answering(name))

    def client(self, *, monotonic: Callable[[], float] = time.monotonic) -> httpx2.AsyncClient:
        application = Hosts(cast("Node", self), clock=lambda: 0.0, monotonic=monotonic)
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(cast("Any", application)), base_url="http://node")


def served() -> ServedOrg:
    return ServedOrg("acme", OrgConfig(), clock=lambda: 0.0, most_late_s=30.0, https=False)


def applied_up_to(seq: int) -> Projector:
    return cast("Projector", Applied(seq))


async def test_the_host_says_whose_a_request_is() -> None:
    node = Serving(acme="acme.example", six="2001:db8::1")
    for name in ("acme", "six"):
        node.open(name)
    async with node.client() as client:
        for host, answer in (
            ("acme.example", "acme"),
            ("ACME.example:8420", "acme"),
            ("acme.example.:8420", "acme"),
            ("[2001:db8::1]:8420", "six"),
            ("acme.example.evil", None),
            ("", None),
        ):
            said = await client.get("/risk/v1/ips/203.0.113.9", headers={"host": host})
            assert (said.status_code, said.text if answer else None) == (200 if answer else 404, answer), host
        assert said.json()["errorCode"] == "E0000008"


async def test_a_host_that_is_no_orgs_is_told_so_and_logged_once_and_not_without_end() -> None:
    node, now = Serving(acme="acme.example", bolt="bolt.example"), [0.0]
    with capture_logs() as logs:
        async with node.client(monotonic=lambda: now[0]) as client:

            async def asked(host: str) -> str:
                said = await client.get("/api/v1/logs", headers={"host": host})
                assert said.status_code == 404
                return said.text

            for _ in range(3):
                text = await asked("acmee.example:8420")
            assert "No org is served at the host" in text
            assert not any(name in text for name in ("acme", "bolt"))
            assert [(log["event"], log["host"]) for log in logs] == [("host.unknown", "acmee.example")]
            assert "tocsin fleet org" in logs[0]["remedy"]
            await asked(f"{'long' * 100}.example")
            assert len(logs[1]["host"]) < 260
            for number in range(1000):
                await asked(f"made-up-{number}.example")
            assert len(logs) < 50
            now[0] += 4000
            await asked("acmee.example")
            assert logs[-1]["host"] == "acmee.example"


async def test_one_org_alone_is_asked_by_any_host() -> None:
    node = Serving(acme="acme.example")
    node.open("acme")
    async with node.client() as client:
        assert (await client.get("/api/v1/logs", headers={"host": "10.0.0.1"})).text == "acme"


async def test_until_it_knows_who_may_do_what_it_answers_nobody_and_says_how_far_it_is() -> None:
    node = Serving(acme="acme.example", bolt="bolt.example")
    node.open("bolt")
    at_acme = {"host": "acme.example"}
    async with node.client() as client:
        refused = await client.get("/api/v1/logs", headers=at_acme)
        assert (refused.status_code, refused.json()["errorCode"]) == (503, "E0000010")
        assert int(refused.headers["retry-after"]) > 0
        assert (await client.get("/healthz", headers=at_acme)).status_code == 200
        assert (await client.get("/readyz", headers=at_acme)).status_code == 503
        whole = await client.get("/readyz", headers={"host": "10.0.0.1"})
        assert whole.status_code == 503
        assert {name: org["ready"] for name, org in whole.json()["orgs"].items()} == {"acme": False, "bolt": True}
        assert (whole.json()["ready"], whole.json()["whyNot"]) == (False, ["acme is not ready"])
        assert (await client.get("/api/v1/logs", headers={"host": "bolt.example"})).text == "bolt"


@pytest.mark.parametrize("host", ["acme.example", "nobody.example"])
async def test_who_asks_how_it_is_asks_with_get_or_head_also_while_it_is_not_known_whose_it_is(host: str) -> None:
    node = Serving(acme="acme.example", bolt="bolt.example")
    async with node.client() as client:
        for path, status in (("/healthz", 200), ("/readyz", 503)):
            for method in ("GET", "HEAD"):
                assert (await client.request(method, path, headers={"host": host})).status_code == status
            for method in ("POST", "DELETE", "OPTIONS"):
                said = await client.request(method, path, headers={"host": host})
                assert (said.status_code, said.headers["allow"]) == (405, "GET, HEAD")
        twice = [("host", host), ("x-forwarded-for", "1"), ("authorization", "SSWS a"), ("authorization", "SSWS b")]
        assert (await client.get("/healthz", headers=twice)).status_code == 400


async def test_decisions_are_answered_once_the_index_is_there_and_while_it_is_not_late() -> None:
    node, now, projector = Serving(acme="acme.example"), [1000.0], Applied(89)
    node.open("acme")
    node.served["acme"].lag = lag = Lag(cast("Projector", projector), last=90, monotonic=lambda: now[0])
    decisions = ("ips/203.0.113.9", "ips:batch", "check", "check/deep", "stream", "sign-ins")

    async def answers(status: int) -> dict[str, Any]:
        for path in (*(f"/risk/v1/{one}" for one in decisions), "/v1/decisions", "/v1/decisions/stream"):
            assert (await client.get(path)).status_code == status, path
        for path in ("/api/v1/risk/providers", "/api/v1/logs", "/risk/v1/policy", "/oauth2/v1/keys"):
            assert (await client.get(path)).status_code == 200, path
        standing = cast("dict[str, Any]", (await client.get("/readyz")).json())
        assert standing["ready"] == (status == 200)
        return standing

    async with node.client() as client:
        await answers(503)  # what the journal held at the start is not there yet
        projector.applied = 90
        await answers(200)
        lag.look(95)
        now[0] += 30
        assert (await answers(200))["lag"] == 5  # one entry of a small org that hangs is enough
        now[0] += 1
        standing = await answers(503)
        assert (standing["applied"], standing["last"], standing["lateS"]) == (90, 95, 31.0)
        lag.look(None)  # a fleet that cannot be reached is no lag
        await answers(200)
        now[0] += 31
        await answers(503)
        projector.applied = 97  # of what nobody could ask for any more: it was in the journal all the same
        standing = await answers(200)
        assert (standing["applied"], standing["last"], standing["lag"]) == (97, 97, 0)
        lag.look(1_000_000)  # the seqs of a busy fleet run away within a second
        now[0] += 1
        await answers(200)


async def test_an_org_that_ends_lets_those_go_first_who_are_in() -> None:
    class Slow(Answering):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await go.wait()
            await super().__call__(scope, receive, send)

    inside, go = asyncio.Event(), asyncio.Event()
    node = Serving(acme="acme.example")
    node.open("acme")
    org = node.served["acme"]
    org.front = cast("Front", Slow("acme"))
    async with node.client() as client:
        asked = asyncio.create_task(client.get("/api/v1/logs"))
        await inside.wait()
        ending = asyncio.create_task(org.let_go())
        await asyncio.sleep(0)
        assert (await client.get("/api/v1/logs")).status_code == 503
        assert not ending.done()
        go.set()
        await ending
        assert (await asked).text == "acme"


async def test_what_is_logged_in_a_request_names_its_org() -> None:
    class Logging(Answering):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            bound.append(get_contextvars())
            await super().__call__(scope, receive, send)

    bound = list[dict[str, Any]]()
    node = Serving(acme="acme.example")
    node.open("acme")
    node.served["acme"].front = cast("Front", Logging("acme"))
    async with node.client() as client:
        await client.get("/api/v1/logs")
    assert (bound, get_contextvars()) == ([{"org": "acme"}], {})


async def test_the_end_of_a_task_does_not_swallow_that_of_its_caller() -> None:
    async def slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await go.wait()

    go = asyncio.Event()
    task = asyncio.create_task(slowly())
    await asyncio.sleep(0)
    ending = asyncio.create_task(end(task))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    go.set()
    await asyncio.wait([task])


async def test_work_in_rounds_outlives_a_mistake_of_ours() -> None:
    tries = list[int]()

    async def work() -> None:
        tries.append(1)
        if len(tries) > 1:
            await asyncio.Event().wait()
        raise ZeroDivisionError("of ours")

    with capture_logs() as logs:
        task = asyncio.create_task(in_rounds(work, rest_s=0, failed="it.failed"))
        async with asyncio.timeout(10):
            while len(tries) < 2:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        await end(task)
    assert [(log["event"], "of ours" in log["exception"]) for log in logs] == [("it.failed", True)]


async def test_names_and_hosts_are_given_once_and_another_secret_is_noticed() -> None:
    table = MemoryKeyValue(clock=lambda: 0.0)
    orgs, secret = Registered(FarKeyValue(table, Way(Random(1), most_s=0.0))), FleetSecret(bytes(32))
    with pytest.raises(OrgError, match="not been set up"):
        await orgs.check(secret)
    await orgs.found(secret)
    await orgs.found(secret)
    with pytest.raises(OrgError, match="another secret"):
        await orgs.found(FleetSecret(b"\1" * 32))
    await orgs.add("acme", "https://acme.example", at_ms=1)
    for name, url, why in (
        ("acme", "https://other.example", "an org acme already"),
        ("bolt", "https://ACME.example:8443", "where acme is reached"),
        ("Bolt", "https://bolt.example", "no name of an org"),
        ("b.c", "https://bolt.example", "no name of an org"),
        ("bolt", "https://bölt.example", "no request names the host"),
    ):
        with pytest.raises(OrgError, match=why):
            await orgs.add(name, url, at_ms=2)
    assert {name: org.host for name, org in (await orgs.all()).orgs.items()} == {"acme": "acme.example"}
    twice = (orgs.add(name, "https://both.example", at_ms=2) for name in ("coil", "dove"))
    refused = [error for error in await asyncio.gather(*twice, return_exceptions=True) if error is not None]
    assert ["where" in str(error) for error in refused] == [True]
    (owner,) = (await orgs.all()).orgs.keys() - {"acme"}
    await orgs.remove(owner)
    await orgs.add("edge", "https://both.example.", at_ms=3)
    await orgs.remove("acme")
    with pytest.raises(OrgError, match="no org acme"):
        await orgs.remove("acme")
