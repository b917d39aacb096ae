"""What is carried forward of a target, as another outbox takes it in that knows something older."""

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.relay_fleet import ledger_over
from tocsin.journal import MemoryJournal
from tocsin.journal.protocol import MAX_ENTRY_BYTES
from tocsin.relay import Outbox, Refusal, TargetBook
from tocsin.relay.carrying import RECORDS_IN_A_PART, REFUSED_IN_A_PART
from tocsin.relay.changes import Served
from tocsin.relay.fleet.fenced import sealed
from tocsin.relay.intake import SOURCE_BYTES, Prepared
from tocsin.relay.ledger import Answered, Carried, Held, Intent, Outcome, Page, Spent, Told
from tocsin.relay.okta_target import REASON_CHARS
from tocsin.relay.plan import Telling
from tocsin.relay.reconcile import Policy
from tocsin.relay.record import Standing
from tocsin.signals import RiskLevel
from tocsin.signals.limits import MESSAGE_CHARS

NOW_MS = 1_770_110_100_000
HOUR_MS = 3_600_000
IP, OTHER_IP = (bytes(10) + b"\xff\xff\x0a\x00\x00" + bytes([n]) for n in (1, 2))
SPENT = Spent(30, 3, NOW_MS + 60_000)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with ExitStack() as stack:
        yield _opened(tmp_path / "outbox", stack)


def _opened(path: Path, stack: ExitStack, ips: Sequence[bytes] = (IP, OTHER_IP)) -> Outbox:
    """In which a source claims these."""
    outbox = Outbox(path)
    stack.callback(outbox.close)
    outbox.serve([Served(Policy(target=outbox.target("acme").number), lambda key: False)])
    rows = [(key, 3, NOW_MS, NOW_MS + HOUR_MS, b"") for key in ips]
    outbox.take_in([Prepared("a", rows)], now_ms=NOW_MS)
    return outbox


def _learns(outbox: Outbox, *entries: Intent | Answered | Carried) -> tuple[TargetBook, bool]:
    book = outbox.target("acme")
    return book, outbox.in_flight.recover("acme", book, Page(7, entries), now_ms=NOW_MS)


def _standing(outbox: Outbox, key: bytes) -> Standing:
    return dict(outbox.dump())[key].standing(outbox.target("acme").number)


def _all(held: dict[bytes, Held]) -> Carried:
    return Carried(NOW_MS, SPENT, 0, b"", None, held, [])


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


def test_a_part_of_all_is_compared_one_ip_at_a_time(tmp_path: Path) -> None:
    """A worker that held little wrote it; who reads it may have taken in a list of millions since."""
    with ExitStack() as stack:
        outbox = _opened(tmp_path / "outbox", stack, [number.to_bytes(16) for number in range(10_000)])
        tracemalloc.start()
        stack.callback(tracemalloc.stop)
        _learns(outbox, _all({OTHER_IP: HOLDS}))
        _, peak_bytes = tracemalloc.get_traced_memory()
        assert peak_bytes < 1_000_000
        assert _standing(outbox, OTHER_IP).until_ms > NOW_MS


def _refused(outbox: Outbox, key: bytes, severity: int, reason: str, message: str = "", source: int = 1) -> Refusal:
    telling = Telling(key, 1, severity, NOW_MS + HOUR_MS, message, source)
    return outbox.in_flight.refuse("acme", outbox.target("acme"), telling, reason, now_ms=NOW_MS)


def test_the_largest_part_fits_into_an_entry(outbox: Outbox) -> None:
    keys = [bytes([255] * 14) + number.to_bytes(2) for number in range(RECORDS_IN_A_PART)]
    sources = [f"{n}" + "s" * (SOURCE_BYTES - 1) for n in range(2)]
    message = "m" * MESSAGE_CHARS
    for at, source in enumerate(sources, 2):
        rows = [(key, 3, NOW_MS, NOW_MS + HOUR_MS, message.encode()) for key in keys]
        outbox.take_in([Prepared(source, rows)], now_ms=NOW_MS)
        for key in keys[-REFUSED_IN_A_PART:]:
            for severity in (1, 2, 3):
                _refused(outbox, key, severity, f"{at}" + "\U0001f600" * (REASON_CHARS - 1), message, source=at)
    _learns(outbox, Intent(Told(NOW_MS, dict.fromkeys(keys, (3, NOW_MS + HOUR_MS))), SPENT))
    book = outbox.target("acme")
    outbox.in_flight.lost("acme", book, now_ms=NOW_MS)
    book.round_next = keys[0]
    part = outbox.in_flight.to_carry("acme", book, now_ms=NOW_MS)
    assert len(part.held) == RECORDS_IN_A_PART
    assert len(part.refusals) == len(RiskLevel) * REFUSED_IN_A_PART
    assert len(sealed(part, by="w" * 200, at_ms=NOW_MS)) < MAX_ENTRY_BYTES


def test_what_was_refused_and_given_up_is_not_listed_at_the_next_owner_and_not_told(
    outbox: Outbox, tmp_path: Path
) -> None:
    outbox.quarantine.drop(_refused(outbox, IP, 3, "no"))
    _refused(outbox, OTHER_IP, 3, "no")
    part = outbox.in_flight.to_carry("acme", outbox.target("acme"), now_ms=NOW_MS)
    with ExitStack() as stack:
        other = _opened(tmp_path / "other", stack)
        _learns(other, part)
        assert [one.ip for one in other.quarantine.all()] == ["10.0.0.2"]
        assert other.quarantine.count() == 1
        assert other.pending(1) == 0


def test_what_was_tried_again_while_the_worker_was_stopped_stays_so(tmp_path: Path) -> None:
    """What it has carried forward itself, before, it does not learn again."""
    with ExitStack() as stack:
        outbox = _opened(tmp_path / "outbox", stack)
        refusal, book = _refused(outbox, IP, 3, "no"), outbox.target("acme")
        part = outbox.in_flight.to_carry("acme", book, now_ms=NOW_MS)
        outbox.in_flight.has_carried("acme", book, part, 7)
    with ExitStack() as stack:
        outbox = _opened(tmp_path / "outbox", stack)
        outbox.quarantine.retry(refusal, now_ms=NOW_MS)
        assert outbox.target("acme").ledger_seq == 7


async def test_a_round_goes_on_with_whoever_has_the_target(tmp_path: Path) -> None:
    """So what came before it is forgotten, also where nobody stays for as long as a round takes."""
    journal, ips = MemoryJournal(), [bytes(10) + b"\xff\xff\x0a\x00\x00" + bytes([n]) for n in range(12)]
    with ExitStack() as stack:
        owners = [_opened(tmp_path / f"w{n}", stack, ips) for n in range(2)]
        begun = []
        for turn in range(9):
            outbox, ledger = owners[turn % 2], ledger_over(journal, f"{turn}")
            book = outbox.target("acme")
            async for page in ledger.begin(book.ledger_seq):
                outbox.in_flight.recover("acme", book, page, now_ms=NOW_MS)
            part = outbox.in_flight.to_carry("acme", book, now_ms=NOW_MS, records=3)
            seq = await ledger.carries(part)
            outbox.in_flight.has_carried("acme", book, part, seq)
            begun.append(part.first)
        assert begun == [b"", ips[3], ips[6], ips[9]] * 2 + [b""]
        assert (await journal.read())[0].seq == 10  # of the part that the second round began with


def test_a_part_says_nothing_about_what_lies_outside_its_range(outbox: Outbox) -> None:
    both = dict.fromkeys((IP, OTHER_IP), (3, NOW_MS + HOUR_MS))
    _learns(outbox, Intent(Told(NOW_MS, both), SPENT), Answered(Outcome.DELIVERED, SPENT))
    _learns(outbox, Carried(NOW_MS, SPENT, 0, b"", OTHER_IP, {}, []))
    assert [_standing(outbox, key).until_ms > NOW_MS for key in (IP, OTHER_IP)] == [False, True]
