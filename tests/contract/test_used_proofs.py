"""What every memory of used DPoP proofs promises, of one machine or of a fleet."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.virtual_time import run_virtually
from tocsin.journal import JournalUnreachable, MemoryKeyValue
from tocsin.org.freshness import ANSWER_WITHIN_S
from tocsin.org.oauth.dpop import Proof
from tocsin.org.oauth.proofs import UsedProofs
from tocsin.org.shared.proofs import LIFE_S, SharedProofs
from tocsin.org.stores import Proofs

NOW = 1_770_000_000.0


def proof(jti: bytes) -> Proof:
    return Proof("thumb", jti.ljust(32, b"."), NOW, None, None)


@pytest.fixture(params=["own", "fleet"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Proofs, Proofs]]:
    """Two who have it in common: two processes of one machine, or two nodes."""
    if request.param == "own":
        one, other = (UsedProofs(tmp_path / "proofs.db", now=NOW) for _ in range(2))
        yield one, other
        one.close()
        other.close()
    else:
        table = MemoryKeyValue(clock=lambda: NOW, life_s=LIFE_S)
        yield SharedProofs(table, "acme"), SharedProofs(table, "acme")


async def test_of_many_who_show_a_proof_one_is_let_in(nodes: tuple[Proofs, Proofs]) -> None:
    for jti in (b"a", b"b"):
        uses = await asyncio.gather(*(nodes[n % 2].use(proof(jti), now=NOW) for n in range(20)))
        assert sum(uses) == 1
    assert not await nodes[0].use(proof(b"a"), now=NOW + 360)  # as long as any is good


async def test_one_that_was_taken_back_works_once_more(nodes: tuple[Proofs, Proofs]) -> None:
    assert await nodes[0].use(proof(b"a"), now=NOW)
    await nodes[1].take_back(proof(b"a"))
    uses = await asyncio.gather(*(nodes[n % 2].use(proof(b"a"), now=NOW) for n in range(6)))
    assert sum(uses) == 1
    await nodes[0].take_back(proof(b"never used"))


async def test_orgs_of_a_fleet_do_not_know_each_other() -> None:
    table = MemoryKeyValue(clock=lambda: NOW)
    assert await SharedProofs(table, "acme").use(proof(b"a"), now=NOW)
    assert await SharedProofs(table, "other").use(proof(b"a"), now=NOW)


def test_nobody_waits_long_for_who_does_not_answer() -> None:
    class Silent(MemoryKeyValue):
        async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
            await asyncio.sleep(1e6)
            return await super().put(key, value, revision=revision)

    async def main() -> None:
        with pytest.raises(JournalUnreachable):
            await SharedProofs(Silent(clock=lambda: NOW), "acme").use(proof(b"a"), now=NOW)
        assert asyncio.get_running_loop().time() <= ANSWER_WITHIN_S

    run_virtually(main)
