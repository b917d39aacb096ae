"""What an event is made of, and the index that says where it is."""

import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tocsin.journal import READ_LIMIT, Entry, MemoryJournal
from tocsin.org.config import LogConfig
from tocsin.org.errors import OrgError
from tocsin.org.log.draft import Caller, Draft, Named, drafted
from tocsin.org.log.event import Actor, Outcome, Result, Risk, Target
from tocsin.org.log.filters.fields import resolve
from tocsin.org.log.finish import event_uuid, finish
from tocsin.org.log.index import LogIndex
from tocsin.org.log.java import java_list, java_map
from tocsin.org.log.keywords import holds, parse_keywords
from tocsin.org.log.query import LogTimeout, Order, Query
from tocsin.org.log.render import drafts
from tocsin.org.log.system_log import SystemLog
from tocsin.org.log.user_agent import browser_of, device_of, system_of
from tocsin.org.records import (
    PROVIDER_TOPIC,
    Author,
    AuthorKind,
    CarriedEvent,
    ConsumedEvent,
    Deed,
    Origin,
    ProviderCreated,
    Record,
    RiskCarried,
    RiskEventsConsumed,
    encode_record,
    org_deed,
    record_of,
    risk_topic,
)
from tocsin.signals import RiskProviderAction

AT_MS = 1_770_110_142_318
DEED = Deed(
    AT_MS,
    Author(AuthorKind.CLIENT, "0oa4k2Yq8VfWn6Rsd0g7", "edge-sensor"),
    Origin("7c1f0a9d4be2436e8f51d0b7a2c93e64", "2001:db8::1", "Mozilla/5.0", "/api/v1/risk/events/ip"),
)
ENTRY = Entry(7, "log.x", b"body")


def test_values_are_printed_as_java_does() -> None:
    reasons = {"reasons": "Anomalous Location, Anomalous Device", "level": "HIGH"}
    assert java_map(reasons) == "{reasons=Anomalous Location, Anomalous Device, level=HIGH}"
    assert java_list([{"name": "edge-sensor", "level": "HIGH"}, {}]) == "[{name=edge-sensor, level=HIGH}, {}]"
    assert java_map({"a": True, "b": None, "c": [1, 2.5]}) == "{a=true, b=null, c=[1, 2.5]}"


def test_an_event_of_somebody_else_from_elsewhere() -> None:
    draft = drafted(
        DEED,
        "user.session.start",
        "User login to Okta",
        actor=Actor("00u1", "User", "lee@corp.example", "Lee"),
        caller=Caller("203.0.113.9", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:83.0) Firefox/83.0"),
        outcome=Outcome(Result.FAILURE, "VERIFICATION_ERROR"),
        risk=Risk("HIGH", ["Anomalous Location"]),
        debug=lambda: {"threatSuspected": "false"},
    )
    event = plain(draft)
    assert event["actor"]["displayName"] == "Lee"
    assert event["client"]["ipAddress"] == "203.0.113.9"
    assert event["client"]["userAgent"]["os"] == "Mac OS X"
    assert (event["client"]["userAgent"]["browser"], event["client"]["device"]) == ("FIREFOX", "Computer")
    assert event["client"]["id"] == "0oa4k2Yq8VfWn6Rsd0g7"
    assert event["request"]["ipChain"][0]["version"] == "V4"
    assert event["outcome"] == {"result": "FAILURE", "reason": "VERIFICATION_ERROR"}
    assert event["securityContext"]["risk"] == {"level": "HIGH", "reasons": ["Anomalous Location"]}
    assert event["target"] is None
    assert event["transaction"] == {"type": "WEB", "id": "7c1f0a9d4be2436e8f51d0b7a2c93e64", "detail": {}}
    assert event["debugContext"]["debugData"]["threatSuspected"] == "false"
    assert event["debugContext"]["debugData"]["requestUri"] == "/api/v1/risk/events/ip"


def test_every_member_of_an_event_can_be_asked_for_but_when_and_what_changed() -> None:
    draft = drafted(DEED, "a.b", "A", Target("1", "T", "2", "3", {"x": "y"}), risk=Risk("LOW", ["r"]))
    unknown = {".".join(path) for path in paths(plain(draft)) if resolve(path) is None}
    assert unknown == {"published"}


def test_the_uuid_of_an_event_is_of_its_time_and_its_own() -> None:
    made = event_uuid(ENTRY, 0, published_ms=AT_MS)
    assert (made.version, made.variant) == (1, uuid.RFC_4122)
    assert (made.time - 0x01B21DD213814000) // 10_000 == AT_MS
    assert made.node >> 40 & 1  # no network card's
    others = {
        event_uuid(ENTRY, 1, published_ms=AT_MS),
        event_uuid(ENTRY._replace(body=b"other"), 0, published_ms=AT_MS),
        event_uuid(ENTRY._replace(seq=8), 0, published_ms=AT_MS),
        event_uuid(ENTRY._replace(seq=7 + 10_000), 0, published_ms=AT_MS),
    }
    assert len(others | {made}) == 5
    assert event_uuid(ENTRY, 0, published_ms=AT_MS) == made


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("", ("Unknown", "UNKNOWN", "Unknown")),
        ("okta-sdk-python/3.0.0 Linux", ("Linux", "UNKNOWN", "Unknown")),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
            ("Windows", "EDGE", "Computer"),
        ),
        ("Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", ("Linux", "CHROME", "Computer")),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1",
            ("iOS", "SAFARI", "Mobile"),
        ),
    ],
)
def test_what_a_user_agent_says(agent: str, words: tuple[str, str, str]) -> None:
    assert (system_of(agent), browser_of(agent), device_of(agent)) == words


def test_keywords_are_met_by_words_and_their_parts() -> None:
    event = {"a": ["us-west-1 (Oregon)", None, 20], "b": {"c": "{ip=203.0.113.9, level=HIGH}", "d": True}}
    for text in ("US-WEST-1", "west", "oregon", "(oregon)", "203.0.113.9", "high 1", "20", "true", ""):
        assert holds(parse_keywords(text), event), text
    for text in ("us-west", "203.0.113", "west south", "a", "ore", "null"):
        assert not holds(parse_keywords(text), event), text


def test_what_another_process_applied_is_not_applied_again(tmp_path: Path) -> None:
    first, second = LogIndex(tmp_path / "log.db"), LogIndex(tmp_path / "log.db")
    entries = journal_of(created("a"), consumed("a"), consumed("a"))
    first.apply(entries[:2])
    second.apply(entries)
    first.apply(entries)
    assert first.select("SELECT place FROM events ORDER BY place") == [(16,), (32,), (48,)]
    assert (first.cursor(), second.cursor()) == (3, 3)
    assert second.known(2)("a") == Named("a", "log_only")
    assert second.known(1)("a") is None
    first.close()
    second.close()


def test_what_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "log.db")
    entries = [*journal_of(created("a")), Entry(2, PROVIDER_TOPIC, b"\x81\xa1t\xa3new")]
    with pytest.raises(OrgError, match="entry 2"):
        index.apply(entries)
    assert (index.cursor(), index.select("SELECT * FROM events")) == (0, [])
    index.close()


def test_a_look_that_takes_too_long_is_broken_off(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "log.db")
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(OrgError, match="interrupted"):
        index.select(forever, deadline=0.0)
    index.close()


async def test_a_query_that_takes_too_long_is_told_so(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "log.db")
    log = SystemLog(MemoryJournal(), index, LogConfig(), query_s=0.0)
    with pytest.raises(LogTimeout, match="took too long"):
        await log.page(Query(order=Order.PERSISTED, since_ms=0, until_ms=0), now_ms=AT_MS)
    await log.close()
    index.close()


class ShortReads(MemoryJournal):
    """A journal whose entries are so large that a read gives two of them."""

    async def read(self, after: int = 0, *, limit: int = READ_LIMIT) -> list[Entry]:
        return (await super().read(after, limit=limit))[:2]


async def test_a_journal_may_give_fewer_entries_than_asked_for(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "log.db")
    journal = ShortReads()
    records: list[Record] = [created("a"), *[consumed("a")] * 8]
    for record in records:
        await journal.append(topic_of(record), encode_record(record))
    index.apply(await MemoryJournal.read(journal))
    log = SystemLog(journal, index, LogConfig())
    page = await log.page(Query(order=Order.PERSISTED, since_ms=0, until_ms=0), now_ms=AT_MS)
    assert len(page.events) == 9
    await log.close()
    index.close()


async def test_what_the_journal_forgot_is_left_out(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "log.db")
    journal = MemoryJournal()
    for record in (created("a"), consumed("a")):
        await journal.append(topic_of(record), encode_record(record))
    index.apply(await journal.read())
    index.apply(journal_of(*[created("a")] * 2, consumed("a"), consumed("a"))[2:])  # as if these had been there too
    log = SystemLog(journal, index, LogConfig())
    page = await log.page(Query(order=Order.PERSISTED, since_ms=0, until_ms=0), now_ms=AT_MS)
    assert len(page.events) == 2
    await log.close()
    index.close()


def created(provider_id: str) -> ProviderCreated:
    action = RiskProviderAction.LOG_ONLY
    return ProviderCreated(org_deed(AT_MS), provider_id, provider_id, None, action, is_default=True)


def consumed(provider_id: str) -> RiskEventsConsumed:
    event = ConsumedEvent(None, None, bytes(10) + b"\xff\xff\xcb\x00\x71\x09", b"\x03", None)
    return RiskEventsConsumed(DEED, provider_id, [event])


def topic_of(record: Record) -> str:
    return risk_topic(record.provider_id) if isinstance(record, RiskEventsConsumed) else PROVIDER_TOPIC


def journal_of(*records: Record) -> list[Entry]:
    return [Entry(seq, topic_of(record), encode_record(record)) for seq, record in enumerate(records, 1)]


def plain(draft: Draft) -> Any:
    return msgspec.to_builtins(finish(draft, ENTRY, 0))


def paths(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every path to a leaf of an event."""
    if isinstance(value, dict):
        return [found for name in value for found in paths(value[name], (*path, name))]
    if isinstance(value, list):
        return [found for item in value for found in paths(item, path)]
    return [path]


def test_what_is_carried_forward_is_a_record_and_no_event() -> None:
    event = CarriedEvent(0, 0, bytes(16), b"\x03", ["why"], 0)
    carried = RiskCarried(org_deed(0), "rkp", [event])
    assert record_of(Entry(1, "risk.rkp", encode_record(carried))) == carried
    assert drafts(carried, lambda _: None) == []
