"""Whether the leader of a stream still leads. One that has been cut off from the others does not notice for long.

A leader with no follower left goes on to answer reads (seen with 2.15.1: for more than 15 s), while the others elect a
new one and accept what the old one never hears of. But a follower asks for votes only after four seconds without a word
of its leader, and a leader says how long ago it heard of each follower: until three seconds after it heard of so many
that there is no majority without it, there is no other.

What remains: a follower that alone does not hear the leader may be elected by one that does. The old leader learns of
that with its next heartbeat, a second later.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tocsin.journal.jetstream.asking import Patience, Refused, Together
from tocsin.journal.jetstream.stream import refused_error

if TYPE_CHECKING:
    from tocsin.journal.jetstream.connection import JetStreamConnection

_T = TypeVar("_T")
LEASE_S = 3.0  # nats-server waits for 4 s to 9 s (`minElectionTimeout`)
_RENEW_S = 1.0
_NS = 1_000_000_000


def leads_until(info: dict[str, Any], asked_s: float) -> float:
    """
    Until when the leader that gave this `STREAM.INFO` is the only one, by the clock of `asked_s`.

    Args:
        asked_s: when the question was sent.
    """
    heard_ns = sorted(replica["active"] for replica in info.get("cluster", {}).get("replicas") or ())
    needed = (len(heard_ns) + 1) // 2  # followers that make a majority with it: one of two, none of none
    return asked_s + LEASE_S - (heard_ns[needed - 1] / _NS if needed else 0.0)


class Leading:
    """What is known of one stream's leader, by all who use one connection."""

    def __init__(
        self, connection: "JetStreamConnection", stream: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection, self._stream, self._monotonic = connection, stream, monotonic
        self._until_s = float("-inf")
        self._together = Together[None]()

    async def told(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """
        What the leader answers to `ask`, given while it was sure to be the only one; asked again where it was not.

        Raises: JournalUnreachable, when it is cut off from the others, or each answer takes longer than it is sure;
            whatever `ask` raises.
        """
        patience: Patience | None = None
        while True:
            if self._is_old:
                await self._together.ask(self._stream, self._ask)
            answer = await ask()
            if self._is_sure:
                return answer
            patience = patience or self._connection.patience()
            await patience.pause(f"asked the leader of {self._stream}", "it answers too slowly to be believed")

    @property
    def _is_sure(self) -> bool:
        return self._monotonic() < self._until_s

    @property
    def _is_old(self) -> bool:
        return self._monotonic() > self._until_s - _RENEW_S

    async def _ask(self) -> None:
        """Ask the leader whom it has heard of."""
        patience = self._connection.patience()
        while self._is_old:
            asked_s = self._monotonic()
            try:
                info = await self._connection.api(f"STREAM.INFO.{self._stream}")
            except Refused as refused:
                raise refused_error(self._stream, refused) from None
            self._until_s = leads_until(info, asked_s)
            if self._is_sure:
                return
            await self._connection.leave()
            await patience.pause(f"asked the leader of {self._stream}", "it is cut off from the others")
