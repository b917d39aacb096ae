"""Who set the policy that holds: what a person said is not undone by a configuration, whichever node is asked."""

from pathlib import Path

from tocsin.journal import MemoryJournal
from tocsin.org.policy import Action, Policy
from tocsin.org.records import Author, AuthorKind, Deed
from tocsin.org.registry import Registry

CONFIGURED, WANTED = Policy(high=Action.CHALLENGE), Policy(high=Action.ALLOW)


async def test_a_configuration_undoes_nothing_that_another_node_was_told_meanwhile(tmp_path: Path) -> None:
    journal = MemoryJournal()
    here, there = Registry(journal, tmp_path / "here.db"), Registry(journal, tmp_path / "there.db")
    assert await here.policy.start_from(CONFIGURED, at_ms=1)
    assert await there.policy.start_from(CONFIGURED, at_ms=2)
    assert len(await journal.read()) == 1
    deed = Deed(3, Author(AuthorKind.TOKEN, "id", "ops"))
    await there.policy.replace(WANTED, deed=deed)
    assert here.policy.standing.policy == CONFIGURED  # it has not heard yet
    assert not await here.policy.start_from(Policy(high=Action.DENY), at_ms=4)
    assert here.policy.standing.policy == WANTED
    for registry in (here, there):
        await registry.close()
