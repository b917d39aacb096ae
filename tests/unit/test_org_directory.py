from pathlib import Path

import pytest

from tocsin.journal import Entry, MemoryJournal
from tocsin.org.changes import NameTaken
from tocsin.org.errors import OrgError
from tocsin.org.providers import ProviderUnknown, TooManyProviders
from tocsin.org.records import PROVIDER_TOPIC, Role, directory_record, local_deed
from tocsin.org.registry import Registry
from tocsin.org.tokens import TokenUnknown
from tocsin.signals import RiskProvider


class Node:
    """One process' view of a journal that several share."""

    def __init__(self, journal: MemoryJournal, path: Path) -> None:
        self.registry = Registry(journal, path)
        self.projector, self.directory = self.registry.projector, self.registry.directory
        self.providers, self.tokens = self.registry.providers, self.registry.tokens

    async def close(self) -> None:
        await self.registry.close()


def wanted(name: str) -> RiskProvider:
    return RiskProvider(name=name, client_id="c")


async def test_a_token_is_kept_as_a_hash_and_found_by_it(tmp_path: Path) -> None:
    journal = MemoryJournal()
    node = Node(journal, tmp_path / "d.db")
    token = await node.tokens.create("ci", Role.READ_ONLY, deed=local_deed(1))
    principal = node.tokens.of_secret(token)
    assert principal is not None
    assert (principal.name, principal.role, principal.id[:3]) == ("ci", Role.READ_ONLY, "00T")
    assert node.tokens.of_secret(token + "x") is None
    assert all(token.encode() not in entry.body for entry in await journal.read())
    with pytest.raises(NameTaken, match="'ci'"):
        await node.tokens.create("ci", Role.SUPER_ADMIN, deed=local_deed(1))
    with pytest.raises(OrgError, match="printable"):
        await node.tokens.create("a\nb", Role.SUPER_ADMIN, deed=local_deed(1))
    await node.close()


async def test_a_revoked_token_opens_nothing_and_its_name_is_free_again(tmp_path: Path) -> None:
    node = Node(MemoryJournal(), tmp_path / "d.db")
    token = await node.tokens.create("ci", Role.READ_ONLY, deed=local_deed(1))
    await node.tokens.revoke("ci", deed=local_deed(2))
    assert node.tokens.of_secret(token) is None
    with pytest.raises(TokenUnknown, match="'ci'"):
        await node.tokens.revoke("ci", deed=local_deed(3))
    await node.tokens.create("ci", Role.SUPER_ADMIN, deed=local_deed(4))
    assert [known.name for known in node.tokens.all()] == ["ci"]
    await node.close()


async def test_two_nodes_cannot_both_take_the_last_place_or_a_name(tmp_path: Path) -> None:
    journal = MemoryJournal()
    first, second = Node(journal, tmp_path / "1.db"), Node(journal, tmp_path / "2.db")
    for node in (first, second, first):
        await node.providers.make_default(at_ms=1)
    await first.providers.create(wanted("a"), deed=local_deed(2))
    with pytest.raises(NameTaken):
        await second.providers.create(wanted("a"), deed=local_deed(3))
    created = await second.providers.create(wanted("b"), deed=local_deed(3))
    with pytest.raises(TooManyProviders):
        await first.providers.create(wanted("c"), deed=local_deed(4))
    await first.providers.delete(created.id, deed=local_deed(5))
    with pytest.raises(ProviderUnknown, match=created.id):
        await second.providers.replace(created.id, wanted("x"), deed=local_deed(6))
    assert [provider.name for provider in second.providers.all()] == ["Default", "a"]
    for node in (first, second):
        await node.close()


async def test_a_writer_who_was_overtaken_decides_again(tmp_path: Path) -> None:
    journal = MemoryJournal()
    quick = Node(journal, tmp_path / "2.db")

    class Overtaken(MemoryJournal):
        """The same journal, where another writer comes between a decision and its append, once."""

        async def append(self, topic: str, body: bytes, *, expect_last: int | None = None) -> int:
            if not quick.providers.all():
                await quick.providers.create(wanted("a"), deed=local_deed(1))
            return await journal.append(topic, body, expect_last=expect_last)

    overtaken = Overtaken()
    overtaken.last, overtaken.read = journal.last, journal.read  # type: ignore[method-assign]
    slow = Node(overtaken, tmp_path / "1.db")
    with pytest.raises(NameTaken):
        await slow.providers.create(wanted("a"), deed=local_deed(2))
    assert await journal.last() == 1
    for node in (slow, quick):
        await node.close()


async def test_a_deleted_file_is_made_again_from_the_journal(tmp_path: Path) -> None:
    journal = MemoryJournal()
    node = Node(journal, tmp_path / "1.db")
    await node.providers.make_default(at_ms=1)
    created = await node.providers.create(wanted("a"), deed=local_deed(2))
    await node.providers.replace(created.id, wanted("b"), deed=local_deed(3))
    again = Node(journal, tmp_path / "2.db")
    await again.projector.catch_up()
    assert again.providers.all() == node.providers.all()
    assert again.directory.cursor() == node.directory.cursor() == 3
    for each in (node, again):
        await each.close()


async def test_entries_may_come_twice(tmp_path: Path) -> None:
    journal = MemoryJournal()
    node = Node(journal, tmp_path / "1.db")
    await node.providers.make_default(at_ms=1)
    node.directory.apply(await journal.read())
    assert len(node.providers.all()) == 1
    await node.close()


def test_a_record_of_a_newer_version_is_not_skipped() -> None:
    with pytest.raises(OrgError, match="entry 7") as caught:
        directory_record(Entry(7, PROVIDER_TOPIC, b"\x81\xa1t\xa3new"))
    assert "newer version" in str(caught.value.hint)
