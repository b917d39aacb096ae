from pathlib import Path

import pytest

from tocsin.journal import Entry, MemoryJournal
from tocsin.org.directory import Directory
from tocsin.org.errors import OrgError
from tocsin.org.projector import Projector
from tocsin.org.records import PROVIDER_TOPIC, Role, directory_record
from tocsin.org.registry import NameTaken, ProviderUnknown, Registry, TooManyProviders
from tocsin.signals import RiskProvider


class Node:
    """One process' view of a journal that several share."""

    def __init__(self, journal: MemoryJournal, path: Path) -> None:
        self.directory = Directory(path)
        self.projector = Projector(journal, [self.directory])
        self.registry = Registry(journal, self.directory, self.projector)

    async def close(self) -> None:
        await self.projector.close()
        self.directory.close()


def wanted(name: str) -> RiskProvider:
    return RiskProvider(name=name, client_id="c")


async def test_a_token_is_kept_as_a_hash_and_found_by_it(tmp_path: Path) -> None:
    journal = MemoryJournal()
    node = Node(journal, tmp_path / "d.db")
    token = await node.registry.create_token("ci", Role.READ_ONLY, at_ms=1)
    principal = node.directory.principal_of(token)
    assert principal is not None
    assert (principal.name, principal.role, principal.id[:3]) == ("ci", Role.READ_ONLY, "00T")
    assert node.directory.principal_of(token + "x") is None
    assert all(token.encode() not in entry.body for entry in await journal.read())
    with pytest.raises(NameTaken, match="'ci'"):
        await node.registry.create_token("ci", Role.SUPER_ADMIN, at_ms=1)
    with pytest.raises(OrgError, match="printable"):
        await node.registry.create_token("a\nb", Role.SUPER_ADMIN, at_ms=1)
    await node.close()


async def test_two_nodes_cannot_both_take_the_last_place_or_a_name(tmp_path: Path) -> None:
    journal = MemoryJournal()
    first, second = Node(journal, tmp_path / "1.db"), Node(journal, tmp_path / "2.db")
    for node in (first, second, first):
        await node.registry.make_default_provider(at_ms=1)
    await first.registry.create_provider(wanted("a"), "t", at_ms=2)
    with pytest.raises(NameTaken):
        await second.registry.create_provider(wanted("a"), "t", at_ms=3)
    created = await second.registry.create_provider(wanted("b"), "t", at_ms=3)
    with pytest.raises(TooManyProviders):
        await first.registry.create_provider(wanted("c"), "t", at_ms=4)
    await first.registry.delete_provider(created.id, "t", at_ms=5)
    with pytest.raises(ProviderUnknown, match=created.id):
        await second.registry.replace_provider(created.id, wanted("x"), "t", at_ms=6)
    assert [provider.name for provider in second.directory.providers()] == ["Default", "a"]
    for node in (first, second):
        await node.close()


async def test_a_writer_who_was_overtaken_decides_again(tmp_path: Path) -> None:
    journal = MemoryJournal()
    slow, quick = Node(journal, tmp_path / "1.db"), Node(journal, tmp_path / "2.db")

    class Overtaken(MemoryJournal):
        """The same journal, where another writer comes between a decision and its append, once."""

        async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
            if not quick.directory.providers():
                await quick.registry.create_provider(wanted("a"), "t", at_ms=1)
            return await journal.append(topic, body, expect_last=expect_last)

    overtaken = Overtaken()
    overtaken.last = journal.last  # type: ignore[method-assign]
    registry = Registry(overtaken, slow.directory, slow.projector)
    with pytest.raises(NameTaken):
        await registry.create_provider(wanted("a"), "t", at_ms=2)
    assert await journal.last() == 1
    for node in (slow, quick):
        await node.close()


async def test_a_deleted_file_is_made_again_from_the_journal(tmp_path: Path) -> None:
    journal = MemoryJournal()
    node = Node(journal, tmp_path / "1.db")
    await node.registry.make_default_provider(at_ms=1)
    created = await node.registry.create_provider(wanted("a"), "t", at_ms=2)
    await node.registry.replace_provider(created.id, wanted("b"), "t", at_ms=3)
    again = Node(journal, tmp_path / "2.db")
    await again.projector.catch_up()
    assert again.directory.providers() == node.directory.providers()
    assert again.directory.cursor() == node.directory.cursor() == 3
    for each in (node, again):
        await each.close()


async def test_entries_may_come_twice(tmp_path: Path) -> None:
    journal = MemoryJournal()
    node = Node(journal, tmp_path / "1.db")
    await node.registry.make_default_provider(at_ms=1)
    node.directory.apply(await journal.read())
    assert len(node.directory.providers()) == 1
    await node.close()


def test_a_record_of_a_newer_version_is_not_skipped() -> None:
    with pytest.raises(OrgError, match="entry 7") as caught:
        directory_record(Entry(7, PROVIDER_TOPIC, b"\x81\xa1t\xa3new"))
    assert "newer version" in str(caught.value.hint)
