"""What is carried forward of a target, as another outbox takes it in that knows something older."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tocsin.journal.protocol import MAX_ENTRY_BYTES
from tocsin.relay import Kind, Outbox, Refusal, TargetBook
from tocsin.relay.carrying import RECORDS_IN_A_PART, REFUSED_IN_A_PART
from tocsin.relay.changes import Served
from tocsin.relay.fleet.fenced import sealed
from tocsin.relay.intake import Prepared
from tocsin.relay.ledger import Answered, Carried, Held, Intent, Outcome, Page, Spent, Told
from tocsin.relay.okta_target import REASON_CHARS
from tocsin.relay.reconcile import Policy
from tocsin.relay.record import Standing
from tocsin.signals.limits import MESSAGE_CHARS

NOW_MS = 1_770_110_100_000
HOUR_MS = 3_600_000
IP, OTHER_IP = (bytes(10) + b"\xff\xff\x0a\x00\x00" + bytes([n]) for n in (1, 2))
SPENT = Spent(30, 3, NOW_MS + 60_000)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with ExitStack() as stack:
        outbox = Outbox(tmp_path / "outbox")
        stack.callback(outbox.close)
        outbox.serve([Served(Policy(target=outbox.target("acme").number), lambda key: False)])
        rows = [(key, 3, NOW_MS, NOW_MS + HOUR_MS, b"") for key in (IP, OTHER_IP)]
        outbox.take_in([Prepared("a", rows)], now_ms=NOW_MS)
        yield outbox


def _learns(outbox: Outbox, *entries: Intent | Answered | Carried) -> tuple[TargetBook, bool]:
    book = outbox.target("acme")
    return book, outbox.in_flight.recover("acme", book, Page(7, entries), now_ms=NOW_MS)


def _standing(outbox: Outbox, key: bytes) -> Standing:
    return dict(outbox.dump())[key].standing(outbox.target("acme").number)


def _all(held: dict[bytes, Held]) -> Carried:
    return Carried(NOW_MS, SPENT, b"", None, held, [])


HOLDS = Held(3, unsure=False, told_ms=NOW_MS, until_ms=NOW_MS + HOUR_MS, refused=0)


def test_what_is_not_carried_forward_is_not_held(outbox: Outbox) -> None:
    """Others have let it go since, and that has ended: believed still held, it would not be told again."""
    _learns(outbox, Intent(Told(NOW_MS, {IP: (3, NOW_MS + HOUR_MS)}), SPENT), Answered(Outcome.DELIVERED, SPENT))
    assert outbox.pending(1) == 1
    _learns(outbox, _all({OTHER_IP: HOLDS}))
    assert _standing(outbox, IP).until_ms == 0
    assert [one.key for one in outbox.best(1, now_ms=NOW_MS, at_most=9).tellings] == [IP]


def test_a_request_without_an_answer_is_settled_in_what_is_carried_forward(outbox: Outbox) -> None:
    book, unanswered = _learns(outbox, Intent(Told(NOW_MS, {IP: (3, NOW_MS + HOUR_MS)}), SPENT))
    assert unanswered
    book, unanswered = _learns(outbox, _all({IP: HOLDS}))
    assert not unanswered
    assert (book.told_ms, book.left, book.closes_ms) == (NOW_MS, 3, NOW_MS + 60_000)
    _learns(outbox, Intent(Told(NOW_MS + 1, {OTHER_IP: (3, NOW_MS + HOUR_MS)}), SPENT))
    assert not _standing(outbox, IP).unsure


def test_the_largest_part_fits_into_an_entry() -> None:
    refusals = [
        Refusal(
            kind=Kind.SUBJECT,
            by="a" * 100,
            reason="\U0001f600" * REASON_CHARS,
            first_ms=NOW_MS,
            last_ms=NOW_MS,
            source="s" * 100,
            ip="ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            level="MEDIUM",
            message="m" * MESSAGE_CHARS,
        )
    ]
    held = {number.to_bytes(16): HOLDS for number in range(RECORDS_IN_A_PART)}
    part = Carried(NOW_MS, SPENT, b"", OTHER_IP, held, refusals * 3 * REFUSED_IN_A_PART)
    assert len(sealed(part, by="w" * 200, at_ms=NOW_MS)) < MAX_ENTRY_BYTES


def test_a_part_says_nothing_about_what_lies_outside_its_range(outbox: Outbox) -> None:
    both = dict.fromkeys((IP, OTHER_IP), (3, NOW_MS + HOUR_MS))
    _learns(outbox, Intent(Told(NOW_MS, both), SPENT), Answered(Outcome.DELIVERED, SPENT))
    _learns(outbox, Carried(NOW_MS, SPENT, b"", OTHER_IP, {}, []))
    assert [_standing(outbox, key).until_ms > NOW_MS for key in (IP, OTHER_IP)] == [False, True]
