"""Each server's own copy of a stream, read whole and compared: what counting does not find (docs/jetstream.md).

A server whose copy has a flipped bit leaves that message out, and says nothing. A direct get is answered by any of the
servers, whichever one is connected to; a trace of the question (NATS ADR-41) tells which it was. So each piece is asked
for until all have told it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tocsin.journal.jetstream.batches import Batch, Stored
from tocsin.journal.jetstream.comparing import Comparison, Held, Piece, Unlike
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.declared import Declared
from tocsin.journal.jetstream.permissions import Permissions
from tocsin.journal.jetstream.replicas import Replica
from tocsin.journal.protocol import JournalError

if TYPE_CHECKING:
    from nats.aio.msg import Msg

MOST_UNLIKE = 10_000
"""More is not looked for in one stream: a copy that lacks so many is filled anew, whatever else it lacks."""
_TRACED_TO = "Nats-Trace-Dest"
_OF_THE_ANSWER = {"Nats-Num-Pending", "Nats-Last-Sequence"}
_HIGHEST_SEQ = 2**64 - 1
_AT_ONCE = 1000
_TRACED_WITHIN_S = 2.0
_TELLS_WITHIN_S = 30.0  # a follower that has just started answers no direct gets for ten seconds
_IN_VAIN, _PAUSE_S = 10, 0.1
_LOOKS, _LOOK_AGAIN_S = 3, 2.0

OnProgress = Callable[[int], None]
"""Is told which seq has been reached."""


class Damage(NamedTuple):
    """What is wrong with the copy of `stream` that `server` has."""

    stream: str
    server: str
    lacked: tuple[int, ...]
    """Seqs of messages that others hold."""
    unlike: tuple[int, ...]
    """Seqs of messages that others hold otherwise, or not at all."""
    subjects: frozenset[str]
    """Of all of them."""


def to_compare_copies(declared: Sequence[Declared]) -> Permissions:
    """`damages`, with `to_be_told_by_whom`: all of `declared` is read."""
    return Permissions(tuple(f"$JS.API.DIRECT.GET.{one.config()['name']}" for one in declared))


def to_be_told_by_whom(inbox_prefix: str) -> Permissions:
    """Traces, which a user has sent to its own inbox: it must be allowed to write there."""
    return Permissions((f"{inbox_prefix}.>",))


async def damages(
    connection: JetStreamConnection, stream: str, copies: Sequence[Replica], on_progress: OnProgress
) -> list[Damage]:
    """
    What is wrong with `copies`, as the servers told of them just now; all messages that they held then are read.

    What differs is believed when it does so three times within some seconds: a copy that is behind, or is trimmed at
    this moment, differs only once.

    Raises: JournalError, when a server does not tell what it holds.
    """
    servers, last = [copy.server for copy in copies], min(copy.last_seq for copy in copies)
    reached, believed = 0, set[Unlike]()
    async with _told_by(connection, stream) as told:
        while reached < last and len(believed) < MOST_UNLIKE:
            comparison = await _compared(told, Comparison(servers, reached + 1, last), on_progress)
            reached = comparison.compared
            believed |= await _still(told, servers, set(comparison.unlike))
    return [damage for server in servers if (damage := _damage(stream, server, believed)) is not None]


async def _compared(told: "_Told", comparison: Comparison, on_progress: OnProgress = lambda *_: None) -> Comparison:
    """Ask until all is compared, or more than enough differs."""
    now = asyncio.get_running_loop().time
    in_vain, heard_s = 0, now()
    while (at := comparison.next) is not None and len(comparison.unlike) < MOST_UNLIKE:
        piece = await told.from_seq(at)
        if piece is not None and comparison.add(piece):
            in_vain, heard_s = 0, now()
            on_progress(comparison.compared)
            continue
        in_vain += 1
        if now() > heard_s + _TELLS_WITHIN_S:
            who = ", ".join(comparison.awaited)
            text = f"{who} does not tell what it holds of {told.stream}"
            raise JournalError(text, hint="it may be catching up: run it again later, or look into its log")
        if in_vain >= _IN_VAIN:
            await asyncio.sleep(_PAUSE_S)
    return comparison


async def _still(told: "_Told", servers: Sequence[str], suspects: set[Unlike]) -> set[Unlike]:
    """Those of `suspects` that are not gone after a while."""
    for _ in range(1, _LOOKS):
        if suspects:
            await asyncio.sleep(_LOOK_AGAIN_S)
        found = set[Unlike]()
        for first, last in _spans(one.seq for one in suspects):
            found |= set((await _compared(told, Comparison(servers, first, last))).unlike)
        suspects &= found
    return suspects


def _spans(seqs: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of those that one question covers, or that follow on each other so."""
    first = last = 0
    for seq in sorted(seqs):
        if first and seq > last + _AT_ONCE:
            yield first, last
            first = seq
        first, last = first or seq, seq
    if first:
        yield first, last


def _damage(stream: str, server: str, unlike: Iterable[Unlike]) -> Damage | None:
    found = sorted(one for one in unlike if one.server == server)
    if not found:
        return None
    lacked, otherwise = (tuple(one.seq for one in found if one.lacks is lacks) for lacks in (True, False))
    return Damage(stream, server, lacked, otherwise, frozenset(one.subject for one in found))


class _Told:
    """What servers tell of `stream`, and which of them did. `_told_by` makes one."""

    def __init__(self, connection: JetStreamConnection, stream: str) -> None:
        self.stream = stream
        self._connection = connection
        self._inbox, self._numbers = connection.new_inbox(), count()
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self.traced = f"{self._inbox}.*"

    async def from_seq(self, first: int) -> Piece | None:
        """Of one of them, at random; None when nothing came, or nothing to go by."""
        to = f"{self._inbox}.{next(self._numbers)}"
        answered = self._waiting[to] = asyncio.get_running_loop().create_future()
        try:
            batches, headers = self._connection.batches, {_TRACED_TO: to}
            batch = await batches.ask(self.stream, ">", first, most=_AT_ONCE, headers=headers)
            async with asyncio.timeout(_TRACED_WITHIN_S):
                server = await answered
        except TimeoutError:
            return None
        finally:
            del self._waiting[to]
        last = _last(batch)
        if last is None:
            return None
        return Piece(server, first, last, {one.seq: _held(one) for one in batch.stored})

    def hear(self, message: "Msg") -> None:
        """A trace: each server on the question's way sends one; the last of them passes it on to no other."""
        event, waiting = msgspec.json.decode(message.data), self._waiting.get(message.subject)
        if waiting is not None and not waiting.done() and not event.get("hops"):
            waiting.set_result(event["server"]["name"])


@asynccontextmanager
async def _told_by(connection: JetStreamConnection, stream: str) -> AsyncIterator[_Told]:
    told = _Told(connection, stream)
    listening = await connection.listen(told.traced, told.hear)
    try:
        yield told
    finally:
        await connection.unlisten(listening)


def _last(batch: Batch) -> int | None:
    """Up to which seq it tells all; None when it tells nothing."""
    if batch.stored:
        return batch.stored[-1].seq
    return _HIGHEST_SEQ if batch.status == "404" else None


def _held(stored: Stored) -> Held:
    headers = tuple(sorted((name, value) for name, value in stored.headers.items() if name not in _OF_THE_ANSWER))
    return Held(hash((stored.subject, stored.body, stored.written, headers)), stored.subject)
