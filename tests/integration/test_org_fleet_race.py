"""Four nodes of one org on a real cluster of three servers, raced against each other over HTTP."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from support.jetstream import jetstream
from support.nats_cluster import NatsCluster
from support.oauth import ASSERTION_TYPE, assertion, ec_key, hash_of, proof, rsa_key, service_app
from support.oauth_org import CLIENTS, MANAGE_EVENTS, TOKEN
from support.org import PROVIDERS, RISK_EVENTS, event
from support.org_nodes import BASE, FleetNode, fleet_node
from tocsin.journal import KeyValue
from tocsin.journal.jetstream import FleetClock, JetStreamConnection, JetStreamJournal, JetStreamKeyValue
from tocsin.journal.jetstream.declared import make
from tocsin.org.fleet.declared import BUCKETS, declared
from tocsin.org.records import Role, local_deed
from tocsin.org.stores import Tables

pytestmark = pytest.mark.slow
NODES, LIMIT, SOON_S = 4, 30, 30.0
PROVIDERS_READ = "okta.riskProviders.read"


@pytest.fixture
async def nodes(nats_cluster: NatsCluster, tmp_path: Path) -> AsyncIterator[list[FleetNode]]:
    """Each with a connection, a clock and projections of its own."""
    name = uuid4().hex
    async with AsyncExitStack() as stack:
        opened = []
        for number in range(NODES):
            connection = await stack.enter_async_context(jetstream(nats_cluster))
            if number == 0:
                await make(connection, declared())
            clock = await FleetClock.start(connection)
            stack.push_async_callback(clock.close)
            journal = await JetStreamJournal.open(connection, name)
            stack.push_async_callback(journal.close)
            tables = Tables(*[await table(stack, connection, bucket) for bucket in BUCKETS[1:]])
            node = fleet_node(tmp_path / f"n{number}", journal, tables, clock=clock, name=name)
            opened.append(await stack.enter_async_context(node))
        yield opened


async def table(stack: AsyncExitStack, connection: JetStreamConnection, bucket: str) -> KeyValue:
    opened = await JetStreamKeyValue.open(connection, bucket)
    stack.push_async_callback(opened.close)
    return opened


async def admin_of(nodes: list[FleetNode]) -> dict[str, str]:
    secret = await nodes[0].org.tokens.create("admin", Role.SUPER_ADMIN, deed=local_deed(0))
    return {"authorization": f"SSWS {secret}"}


async def answered(node: FleetNode, method: str, path: str, **kwargs: Any) -> Any:
    """Ask until there is an answer: on a busy machine a node may take its cluster for lost for a second."""
    async with asyncio.timeout(SOON_S):
        while (answer := await node.client.request(method, path, **kwargs)).status_code == 503:  # noqa: ASYNC110 - nobody tells when it is over
            await asyncio.sleep(0.2)
    return answer


async def race(nodes: list[FleetNode], count: int, method: str, path: str, **kwargs: Any) -> list[Any]:
    """Ask the nodes in turn, all at once."""
    return await asyncio.gather(*(answered(nodes[n % NODES], method, path, **kwargs) for n in range(count)))


async def test_there_is_no_31st_request_no_fourth_provider_and_no_name_twice(nodes: list[FleetNode]) -> None:
    headers = await admin_of(nodes)
    sent = await race(nodes, 60, "POST", RISK_EVENTS, json=[event(("203.0.113.9", "LOW"))], headers=headers)
    assert Counter(answer.status_code for answer in sent) == {202: LIMIT, 429: 60 - LIMIT}
    assert len({answer.headers["x-rate-limit-reset"] for answer in sent}) == 1
    seqs = [int(answer.headers["x-tocsin-journal-seq"]) for answer in sent if answer.status_code == 202]
    assert len(set(seqs)) == LIMIT
    made = await asyncio.gather(
        *(
            answered(nodes[n % NODES], "POST", PROVIDERS, json={"name": name, "clientId": f"c{n}"}, headers=headers)
            for n, name in enumerate("aabbccdd" * 2)
        )
    )
    names = [answer.json()["name"] for answer in made if answer.status_code == 201]
    assert len(names) == len(set(names)) == 2
    for node in nodes:
        listed = (await answered(node, "GET", PROVIDERS, headers=headers)).json()
        assert {provider["name"] for provider in listed} >= set(names)
        assert len(listed) == 3


async def test_what_was_revoked_lets_nobody_in_at_any_node(nodes: list[FleetNode]) -> None:
    headers = await admin_of(nodes)
    for number in range(6):
        made = await asyncio.gather(
            *(node.org.tokens.create(f"t{number}", Role.SUPER_ADMIN, deed=local_deed(0)) for node in nodes),
            return_exceptions=True,
        )
        (secret,) = [one for one in made if isinstance(one, str)]
        shown = {"authorization": f"SSWS {secret}"}
        assert {answer.status_code for answer in await race(nodes, NODES, "GET", PROVIDERS, headers=shown)} == {200}
        await nodes[number % NODES].org.tokens.revoke(f"t{number}", deed=local_deed(0))
        for path in (PROVIDERS, "/risk/v1/check"):  # the second one a node would answer alone, by what it has learned
            answers = await race(nodes, NODES, "GET", path, headers=shown)
            assert {answer.status_code for answer in answers} == {401}
    assert {answer.status_code for answer in await race(nodes, NODES, "GET", PROVIDERS, headers=headers)} == {200}


async def test_neither_an_assertion_nor_a_proof_works_twice(nodes: list[FleetNode]) -> None:
    headers, key = await admin_of(nodes), ec_key()
    metadata = service_app("edge", rsa_key(), dpop_bound_access_tokens=True)
    app = (await answered(nodes[1], "POST", CLIENTS, json=metadata, headers=headers)).json()["client_id"]
    for scope in (MANAGE_EVENTS, PROVIDERS_READ):
        granted = {"scopeId": scope, "issuer": BASE}
        path = f"/api/v1/apps/{app}/grants"
        assert (await answered(nodes[2], "POST", path, json=granted, headers=headers)).is_success

    def form() -> dict[str, str]:
        text = assertion(app, BASE + TOKEN, rsa_key(), now=nodes[0].org.clock() - 1)
        told = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "scope": PROVIDERS_READ}
        return {**told, "client_assertion": text}

    def shown(url: str, **claims: Any) -> str:
        return proof(key, url, now=nodes[0].org.clock() - 1, **claims)

    first = await answered(nodes[0], "POST", TOKEN, data=form(), headers={"dpop": shown(BASE + TOKEN)})
    nonce, same = first.headers["dpop-nonce"], form()
    sent = [
        answered(node, "POST", TOKEN, data=same, headers={"dpop": shown(BASE + TOKEN, nonce=nonce)})
        for node in nodes * 2
    ]
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    (token,) = [answer.json()["access_token"] for answer in answers if answer.status_code == 200]
    text = shown(BASE + TOKEN, nonce=nonce)
    answers = await asyncio.gather(
        *(answered(node, "POST", TOKEN, data=form(), headers={"dpop": text}) for node in nodes * 2)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    for _ in range(3):
        one = shown(BASE + PROVIDERS, method="GET", ath=hash_of(token))
        asked = {"authorization": f"DPoP {token}", "dpop": one}
        answers = await race(nodes, 2 * NODES, "GET", PROVIDERS, headers=asked)
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
