"""Whose a request to a node is, what it is answered while the org is not ready, and how far behind that is."""

from typing import Any, cast

import httpx2
import pytest

from tocsin.journal import MemoryKeyValue
from tocsin.journal.jetstream import JetStreamJournal
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


class Applied:
    """A projector, as far as a lag asks it."""

    def __init__(self, applied: int, first: int) -> None:
        self.applied, self.applied_first = applied, first


class Heard:
    """A journal, as far as a lag asks it."""

    heard = 0


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

    connected = True

    def __init__(self, **hosts: str) -> None:
        self.served = {name: served() for name in hosts}
        self._hosts = hosts

    def orgs(self) -> dict[str, tuple[str, ServedOrg]]:
        return {name: (self._hosts[name], org) for name, org in self.served.items()}

    def open(self, name: str, *, applied: int = 1, last: int = 1) -> None:
        lag = Lag(cast("Projector", Applied(applied, last)), cast("JetStreamJournal", Heard()), last=last)
        self.served[name].lag, self.served[name].front = lag, cast("Front", Answering(name))

    def client(self) -> httpx2.AsyncClient:
        application = Hosts(cast("Node", self), clock=lambda: 0.0)
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(cast("Any", application)), base_url="http://node")


def served() -> ServedOrg:
    return ServedOrg(OrgConfig(), clock=lambda: 0.0, most_lag=10, https=False)


async def test_the_host_says_whose_a_request_is() -> None:
    node = Serving(acme="acme.example", six="2001:db8::1")
    for name in ("acme", "six"):
        node.open(name)
    async with node.client() as client:
        for host, answer in (
            ("acme.example", "acme"),
            ("ACME.example:8420", "acme"),
            ("[2001:db8::1]:8420", "six"),
            ("acme.example.evil", None),
            ("", None),
        ):
            said = await client.get("/risk/v1/ips/203.0.113.9", headers={"host": host})
            assert (said.status_code, said.text if answer else None) == (200 if answer else 404, answer), host
        assert said.json()["errorCode"] == "E0000008"


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
        assert (await client.get("/api/v1/logs", headers={"host": "bolt.example"})).text == "bolt"


@pytest.mark.parametrize(("applied", "status"), [(90, 200), (89, 503)])
async def test_decisions_are_answered_while_the_index_is_less_than_a_bound_behind(applied: int, status: int) -> None:
    node = Serving(acme="acme.example")
    node.open("acme", applied=applied, last=100)
    decisions = ("ips/203.0.113.9", "ips:batch", "check", "check/deep", "stream", "sign-ins")
    async with node.client() as client:
        for path in (*(f"/risk/v1/{one}" for one in decisions), "/v1/decisions", "/v1/decisions/stream"):
            assert (await client.get(path)).status_code == status, path
        for path in ("/api/v1/risk/providers", "/api/v1/logs", "/risk/v1/policy", "/oauth2/v1/keys"):
            assert (await client.get(path)).status_code == 200, path
        standing = (await client.get("/readyz")).json()
        assert (standing["applied"], standing["last"], standing["lag"]) == (applied, 100, 100 - applied)
        assert standing["ready"] == (status == 200)


async def test_names_and_hosts_are_given_once_and_another_secret_is_noticed() -> None:
    orgs, secret = Registered(MemoryKeyValue(clock=lambda: 0.0)), FleetSecret(bytes(32))
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
    ):
        with pytest.raises(OrgError, match=why):
            await orgs.add(name, url, at_ms=2)
    assert {name: org.host for name, org in (await orgs.all()).items()} == {"acme": "acme.example"}
    await orgs.remove("acme")
    with pytest.raises(OrgError, match="no org acme"):
        await orgs.remove("acme")
