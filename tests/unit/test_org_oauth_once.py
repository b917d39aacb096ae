"""What works once works once, also when two processes of one org are asked at the same moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.oauth import ec_key, hash_of, proof
from support.oauth_org import BASE, CLIENTS, MANAGE_EVENTS, TOKEN, OAuthOrg, oauth_org
from support.org import PROVIDERS, RISK_EVENTS, event

ROUNDS = 5


@asynccontextmanager
async def two_orgs(data: Path) -> AsyncIterator[tuple[OAuthOrg, OAuthOrg]]:
    """Two that share a journal and a machine, and nothing in memory."""
    async with oauth_org(data) as one, oauth_org(data, index="index-2") as other:
        yield one, other


@pytest.mark.slow
async def test_of_two_processes_one_takes_an_assertion(tmp_path: Path) -> None:
    async with two_orgs(tmp_path / "data") as orgs:
        app = await orgs[0].app(MANAGE_EVENTS)
        await orgs[1].org.projector.catch_up()
        for _ in range(ROUNDS):
            form = orgs[0].token_form(app)
            answers = await asyncio.gather(*(it.post(TOKEN, form) for it in orgs * 3))
            assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401, 401]
            refused = {answer.json().get("error_description") for answer in answers} - {None}
            assert refused == {"The client_assertion token has already been used."}


@pytest.mark.slow
async def test_of_two_processes_one_takes_a_proof_and_both_take_the_token(tmp_path: Path) -> None:
    async with two_orgs(tmp_path / "data") as orgs:
        it, key = orgs[0], ec_key()
        app = await it.app("okta.riskProviders.read", dpop_bound_access_tokens=True)
        scope, url = "okta.riskProviders.read", BASE + TOKEN
        first = await it.post(TOKEN, it.token_form(app, scope), dpop=proof(key, url, now=it.now))
        text = proof(key, url, now=it.now, nonce=first.headers["dpop-nonce"])
        token = (await it.post(TOKEN, it.token_form(app, scope), dpop=text)).json()["access_token"]
        await orgs[1].org.projector.catch_up()
        for _ in range(ROUNDS):
            one = proof(key, BASE + PROVIDERS, now=it.now, method="GET", ath=hash_of(token))
            headers = {"authorization": f"DPoP {token}", "dpop": one}
            answers = await asyncio.gather(*(each.request("GET", PROVIDERS, headers) for each in orgs * 3))
            assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]


@pytest.mark.slow
async def test_what_one_process_changes_the_other_knows(tmp_path: Path) -> None:
    async with two_orgs(tmp_path / "data") as (one, other):
        app = await one.app(MANAGE_EVENTS)
        token = await one.access_token(app)
        await other.org.projector.catch_up()
        bearer = {"authorization": f"Bearer {token}"}
        assert (await other.request("POST", RISK_EVENTS, bearer, json=[])).status_code == 400
        taken = await other.admin.post(CLIENTS, json={"client_name": "edge"})
        assert taken.json()["error"] == "invalid_client_metadata"
        await one.admin.delete(f"{CLIENTS}/{app}")
        await other.org.projector.catch_up()
        answer = await other.request("POST", RISK_EVENTS, bearer, json=[event(("203.0.113.9", "HIGH"))])
        assert answer.status_code == 401
