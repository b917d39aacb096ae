"""Four nodes of one org race each other under virtual time: what is to hold exactly holds, in whatever order they act.

Each node's questions and answers take their own time and some answers get lost; reads come from replicas that are
behind; clocks differ by up to 10 ms.
"""

import asyncio
import os
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.far import FarJournal, FarKeyValue, Way
from support.oauth import ASSERTION_TYPE, assertion, ec_key, proof, rsa_key, service_app
from support.oauth_org import CLIENTS, MANAGE_EVENTS, TOKEN
from support.org import PROVIDERS, RISK_EVENTS, event
from support.org_nodes import BASE, FleetNode, fleet_of
from support.virtual_time import run_virtually
from tocsin.journal import MemoryJournal, MemoryKeyValue
from tocsin.org.errors import OrgError
from tocsin.org.records import Role, local_deed
from tocsin.org.shared import proofs, windows
from tocsin.org.stores import Tables

NODES, LIMIT = 4, 30
SEEDS = int(os.environ.get("TOCSIN_SOAK_EXAMPLES", "2"))
T0 = 1_770_000_000.0


class Race:
    """The nodes, and what they are asked."""

    def __init__(self, dice: Random, nodes: list[FleetNode], admin: dict[str, str]) -> None:
        self.dice, self.nodes, self.admin = dice, nodes, admin

    @property
    def now(self) -> float:
        """Epoch seconds."""
        return T0 + asyncio.get_running_loop().time()

    async def ask(self, method: str, path: str, within_s: float = 0.2, **kwargs: Any) -> Any:
        """Ask any of the nodes, soon. Nothing is answered but what a client may be."""
        await asyncio.sleep(self.dice.random() * within_s)
        answer = await self.dice.choice(self.nodes).client.request(method, path, **kwargs)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        return answer

    async def windows(self) -> None:
        """No 31st request in a window, over three of them."""
        body = [event(("203.0.113.9", "LOW"))]
        asked = (self.ask("POST", RISK_EVENTS, 130.0, json=body, headers=self.admin) for _ in range(170))
        answers = [answer for answer in await asyncio.gather(*asked) if answer.status_code != 503]
        allowed = Counter(int(a.headers["x-rate-limit-reset"]) for a in answers if a.status_code == 202)
        resets = sorted({int(answer.headers["x-rate-limit-reset"]) for answer in answers})
        assert len(resets) >= 2
        assert all(later - earlier >= 60 for earlier, later in pairwise(resets)), resets
        assert max(allowed.values()) <= LIMIT, allowed
        assert sum(allowed.values()) > LIMIT

    async def names(self) -> None:
        """No fourth provider, and no name twice."""
        made = (
            self.ask("POST", PROVIDERS, json={"name": name, "clientId": f"c{name}"}, headers=self.admin)
            for name in "abc" * 4
        )
        answers = [answer for answer in await asyncio.gather(*made) if answer.status_code == 201]
        kept = [node.org.providers.all() for node in self.nodes]
        names = Counter(answer.json()["name"] for answer in answers)
        assert max(names.values()) == 1
        assert all(len(providers) <= 3 for providers in kept)
        assert len(answers) <= 2  # the default one was there

    async def revocation(self, number: int) -> None:
        """No token is let in once it was answered that it is revoked; and of many of one name one is made."""
        name = f"t{number}"
        makers = (node.org.tokens.create(name, Role.SUPER_ADMIN, deed=local_deed(0)) for node in self.nodes)
        made = [one for one in await asyncio.gather(*makers, return_exceptions=True) if isinstance(one, str)]
        assert len(made) <= 1
        if not made:
            return  # the answer got lost
        headers = {"authorization": f"SSWS {made[0]}"}
        revoked = asyncio.Event()

        async def knock() -> None:
            for _ in range(6):
                before = revoked.is_set()
                answer = await self.ask("GET", PROVIDERS, 0.1, headers=headers)
                assert answer.status_code in ((401, 503) if before else (200, 401, 503)), before

        async def revoke() -> None:
            await asyncio.sleep(0.2)
            try:
                await self.dice.choice(self.nodes).org.tokens.revoke(name, deed=local_deed(0))
            except OrgError:
                pytest.fail("it was there")
            revoked.set()

        await asyncio.gather(revoke(), *(knock() for _ in range(6)))

    async def once(self, app: str) -> None:
        """Neither an assertion nor a proof works twice."""
        text = assertion(app, BASE + TOKEN, rsa_key(), now=self.now - 1)
        form = {"grant_type": "client_credentials", "scope": MANAGE_EVENTS, "client_assertion_type": ASSERTION_TYPE}
        asked = (self.ask("POST", TOKEN, 0.05, data={**form, "client_assertion": text}) for _ in range(8))
        assert sum(answer.status_code == 200 for answer in await asyncio.gather(*asked)) <= 1

        async def with_proof(header: str) -> Any:
            fresh = assertion(app, BASE + TOKEN, rsa_key(), now=self.now - 1)
            return await self.ask(
                "POST", TOKEN, 0.05, data={**form, "client_assertion": fresh}, headers={"dpop": header}
            )

        first = await with_proof(proof(ec_key(), BASE + TOKEN, now=self.now - 1, nonce="none of ours"))
        if first.status_code == 503:
            return
        one = proof(ec_key(), BASE + TOKEN, now=self.now - 1, nonce=first.headers["dpop-nonce"])
        answers = await asyncio.gather(*(with_proof(one) for _ in range(8)))
        assert sum(answer.status_code == 200 for answer in answers) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("loses_one_of", [0, 200])
def test_four_nodes_agree(tmp_path: Path, loses_one_of: int) -> None:
    for seed in range(SEEDS):
        run_virtually(partial(_race, tmp_path / str(seed), Random(seed), loses_one_of))


async def _race(data: Path, dice: Random, loses_one_of: int) -> None:
    loop, journal = asyncio.get_running_loop(), MemoryJournal()
    lives = (windows.LIFE_S, proofs.LIFE_S, None, None)
    tables = [MemoryKeyValue(clock=lambda: T0 + loop.time(), life_s=life_s) for life_s in lives]
    ways = [Way(dice, loses_one_of=0) for _ in range(NODES)]
    places = [(FarJournal(journal, way), Tables(*(FarKeyValue(table, way) for table in tables))) for way in ways]
    async with fleet_of(data, places, clock=lambda: T0 + loop.time()) as nodes:
        for node in nodes:
            node.org.clock = partial(_skewed, loop, dice.uniform(-0.01, 0.01))
        secret = await nodes[0].org.tokens.create("admin", Role.SUPER_ADMIN, deed=local_deed(0))
        race = Race(dice, nodes, {"authorization": f"SSWS {secret}"})
        made = await nodes[1].client.post(CLIENTS, json=service_app("edge", rsa_key()), headers=race.admin)
        app = str(made.json()["client_id"])
        granted = {"scopeId": MANAGE_EVENTS, "issuer": BASE}
        await nodes[2].client.post(f"/api/v1/apps/{app}/grants", json=granted, headers=race.admin)
        for way in ways:
            way.loses_one_of = loses_one_of
        await race.names()
        for number in range(5):
            await race.revocation(number)
            await race.once(app)
        await race.windows()
        for way in ways:
            way.loses_one_of = 0


def _skewed(loop: asyncio.AbstractEventLoop, by_s: float) -> float:
    return T0 + loop.time() + by_s
