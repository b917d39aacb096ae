"""How a relay is doing, read from its outbox: by the relay itself for its metrics, or by another process."""

from pathlib import Path

from msgspec import Struct

from tocsin.relay.books import SourceBook, TargetBook
from tocsin.relay.errors import RelayError
from tocsin.relay.outbox import Backlog, Outbox
from tocsin.relay.reconcile import Rank
from tocsin.relay.sender import LOOKS_AGAIN_AFTER

LOOKS_AGAIN_AFTER_MS = round(LOOKS_AGAIN_AFTER.total_seconds() * 1000)
LEVELS = {
    "HIGH": (Rank.RAISE_HIGH, Rank.REFRESH_HIGH),
    "MEDIUM": (Rank.RAISE_MEDIUM, Rank.REFRESH_MEDIUM),
    "LOW": (Rank.RAISE_LOW, Rank.REFRESH_LOW),
    "let_go": (Rank.LOWER,),
}
"""What a target waits to be told, by level; `let_go` is where it is to believe less."""


class Waiting(Struct, frozen=True):
    """What waits of one level."""

    count: int
    oldest_s: float
    """How long the first of it has waited; 0 when there is none."""


class TargetStatus(Struct, frozen=True):
    """One target."""

    name: str
    backlog: dict[str, Waiting]
    """By level."""
    requests: int
    retries: int
    delivered: int
    refused: int
    limit: int
    """Requests in a window, as far as is known."""
    left: int
    """Requests left in it now."""
    answer: str
    """The last one, in a word or the target's own."""
    answered_s: float | None
    """How long ago that was; None before the first."""
    paused: str
    """Why nothing is sent; empty while it works."""
    remedy: str
    again_s: float
    """When a paused one is tried again by the relay, if it runs and has something to tell."""

    @property
    def waiting(self) -> int:
        """How many IPs wait, of all levels."""
        return sum(waiting.count for waiting in self.backlog.values())


class SourceStatus(Struct, frozen=True):
    """One source."""

    name: str
    taken: int
    skipped: dict[str, int]
    unkept: int
    """Broken records that quarantine had no room for."""
    heard_s: float | None
    """How long ago its last batch came; None before the first."""
    lag_s: float | None
    """How old the newest of its observations is."""
    stopped: str
    """Why nothing comes from it; empty while it works."""


class Status(Struct, frozen=True):
    """One relay."""

    state: str
    running: bool
    ips: int
    """How many IPs something is held about."""
    quarantined: int
    targets: list[TargetStatus]
    sources: list[SourceStatus]

    @property
    def works(self) -> bool:
        """Whether it runs, and every target can be told, and every source gives what it has."""
        stopped = any(target.paused for target in self.targets) or any(source.stopped for source in self.sources)
        return self.running and not stopped


def status_of(outbox: Outbox, *, running: bool, now_ms: int) -> Status:
    """How the relay of an open outbox is doing."""
    return Status(
        state=str(outbox.store.path.parent),
        running=running,
        ips=len(outbox),
        quarantined=outbox.quarantine.count(),
        targets=[
            _target(name, book, outbox.backlog(book.number), now_ms) for name, book in sorted(outbox.targets().items())
        ],
        sources=[_source(name, book, now_ms) for name, book in sorted(outbox.sources().items())],
    )


def open_outbox(state: Path) -> Outbox:
    """The outbox of a state folder that is there. Raises RelayError."""
    if not (state / "outbox").is_dir():
        raise RelayError(f"{state} is not the state folder of a relay", hint="`tocsin relay` makes one")
    return Outbox(state / "outbox")


def _target(name: str, book: TargetBook, backlog: dict[Rank, Backlog], now_ms: int) -> TargetStatus:
    return TargetStatus(
        name=name,
        backlog={level: _waiting([backlog[rank] for rank in ranks], now_ms) for level, ranks in LEVELS.items()},
        requests=book.requests,
        retries=book.retries,
        delivered=book.delivered,
        refused=book.refused,
        limit=book.limit,
        left=book.left if now_ms < book.closes_ms else book.limit,
        answer=book.answer,
        answered_s=_ago(book.answered_ms, now_ms),
        paused=book.paused,
        remedy=book.remedy,
        again_s=max(0, book.answered_ms + LOOKS_AGAIN_AFTER_MS - now_ms) / 1000 if book.paused else 0,
    )


def _waiting(backlogs: list[Backlog], now_ms: int) -> Waiting:
    oldest_ms = min((one.oldest_ms for one in backlogs if one.oldest_ms is not None), default=now_ms)
    return Waiting(sum(one.count for one in backlogs), max(0, now_ms - oldest_ms) / 1000)


def _source(name: str, book: SourceBook, now_ms: int) -> SourceStatus:
    return SourceStatus(
        name=name,
        taken=book.taken,
        skipped=book.skipped,
        unkept=book.unkept,
        heard_s=_ago(book.heard_ms, now_ms),
        lag_s=_ago(book.newest_ms, now_ms),
        stopped=book.stopped,
    )


def _ago(moment_ms: int, now_ms: int) -> float | None:
    return max(0, now_ms - moment_ms) / 1000 if moment_ms else None
