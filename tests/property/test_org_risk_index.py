"""The risk index against a dict that keeps every assertion and reads the rules the long way."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.journal import Entry
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed, encode_record, local_deed, risk_topic
from tocsin.org.risk_index import RiskIndex

PROVIDERS = ["rkpA", "rkpB", "rkpC"]
IPS = [bytes(15) + bytes([number]) for number in range(3)]
IPS += [bytes(10) + b"\xff\xff" + bytes(3) + bytes([number]) for number in range(3)]
TIMES = st.integers(-50, 400)


class Said(NamedTuple):
    ip: bytes
    provider: str
    severity: int
    observed_ms: int
    expires_ms: int
    seq: int
    position: int


EVENTS = st.builds(
    lambda timestamp_ms, expires_ms, subjects: ConsumedEvent(
        timestamp_ms, expires_ms, b"".join(ip for ip, _ in subjects), bytes(level for _, level in subjects), None
    ),
    st.none() | TIMES,
    st.none() | TIMES,
    st.lists(st.tuples(st.sampled_from(IPS), st.integers(1, 3)), min_size=1, max_size=4),
)
REQUESTS = st.lists(st.tuples(st.sampled_from(PROVIDERS), st.lists(EVENTS, min_size=1, max_size=3)), max_size=12)


def journal_of(requests: list[tuple[str, list[ConsumedEvent]]]) -> list[Entry]:
    """Entries received 10 ms apart; some numbers are skipped, as a journal may."""
    return [
        Entry(
            3 * number,
            risk_topic(provider),
            encode_record(RiskEventsConsumed(local_deed(10 * number), provider, events)),
        )
        for number, (provider, events) in enumerate(requests, start=1)
    ]


def model_of(requests: list[tuple[str, list[ConsumedEvent]]]) -> dict[tuple[bytes, str], Said]:
    day_ms = 24 * 3600 * 1000
    held: dict[tuple[bytes, str], Said] = {}
    kept_away: dict[tuple[bytes, str], list[int]] = {}
    for number, (provider, events) in enumerate(requests, start=1):
        now = 10 * number
        for event_index, event in enumerate(events):
            for index, severity in enumerate(event.severities):
                ip = event.ips[16 * index : 16 * index + 16]
                observed = now if event.timestamp_ms is None or event.timestamp_ms > now else max(event.timestamp_ms, 0)
                expires = max(event.expires_ms, 0) if event.expires_ms is not None else now + day_ms
                old = held.get((ip, provider))
                if old is not None and old.observed_ms > observed:
                    ends = [old.expires_ms, *kept_away[ip, provider]]
                    if max(ends) > now:
                        kept_away[ip, provider].append(expires)
                        continue
                kept_away[ip, provider] = []
                position = event_index * 50 + index
                held[ip, provider] = Said(ip, provider, severity, observed, expires, 3 * number, position)
    return held


def content_of(index: RiskIndex) -> set[Said]:
    return {
        Said(ip, said.provider_id, said.severity, said.observed_ms, said.expires_ms, said.seq, said.position)
        for ip, assertions in index.dump()
        for said in assertions
    }


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(REQUESTS, st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_it_holds_what_the_model_holds_however_the_journal_is_cut(
    requests: list[tuple[str, list[ConsumedEvent]]], cuts: list[int]
) -> None:
    entries = journal_of(requests)
    with tempfile.TemporaryDirectory() as folder:
        index, place, turn = RiskIndex(Path(folder) / "index"), 0, 0
        while place < len(entries):
            size = cuts[turn % len(cuts)]
            index.apply(entries[place : place + size])
            index.apply(entries[:1])  # what was applied already must not be applied again
            place, turn = place + size, turn + 1
        assert content_of(index) == set(model_of(requests).values())
        assert index.cursor() == (entries[-1].seq if entries else 0)
        index.close()


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(REQUESTS, st.integers(0, 12))
def test_sweeping_changes_nothing_that_could_be_asked_later(
    requests: list[tuple[str, list[ConsumedEvent]]], swept_after: int
) -> None:
    entries, until_ms = journal_of(requests), 10 * swept_after
    with tempfile.TemporaryDirectory() as folder:
        index = RiskIndex(Path(folder) / "index")
        index.apply(entries[:swept_after])
        place: bytes | None = b""
        while place is not None:
            place = index.sweep(place, until_ms=until_ms, providers=PROVIDERS, limit=2)
        held = {(said.ip, said.provider): said for said in content_of(index)}
        assert held.items() <= model_of(requests[:swept_after]).items()
        index.apply(entries[swept_after:])
        later_ms = max(until_ms, 10 * len(requests))
        expected = {said for said in model_of(requests).values() if said.expires_ms > later_ms}
        assert {said for said in content_of(index) if said.expires_ms > later_ms} == expected
        index.close()
