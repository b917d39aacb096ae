"""A connection to a JetStream cluster, and what all that one process does with it has in common."""

import asyncio
from typing import Any, Self

import msgspec

from tocsin.journal.jetstream.asking import LEAVE_AFTER_S, Patience, Refused, Silence, is_passing
from tocsin.journal.jetstream.batches import Batches
from tocsin.journal.jetstream.leading import Leading
from tocsin.journal.jetstream.link import Link, nats_errors
from tocsin.journal.jetstream.settings import JetStreamSettings, check_settings
from tocsin.journal.protocol import MAX_ENTRY_BYTES, JournalError, JournalUnreachable

MIN_PAYLOAD = 2 * MAX_ENTRY_BYTES  # one entry, its headers, and the base64 of neither


class JetStreamConnection(Link):
    """Questions to JetStream, which are repeated for a while; `open` makes one."""

    def __init__(self, settings: JetStreamSettings, role: str = "") -> None:
        super().__init__(settings, role)
        self.batches = Batches(self)
        self._leading: dict[str, Leading] = {}
        self._read, self._written = Silence(), Silence()
        self._left_at = float("-inf")

    @classmethod
    async def open(cls, settings: JetStreamSettings, *, role: str = "", jetstream: bool = True) -> Self:
        """
        Connect, and see that JetStream is on and takes entries of full length.

        Args:
            role: whose key is to be shown, for the hint where another one's is.
            jetstream: False for the system account, which has none.

        Raises: JournalError, which says what is to be mended, when no server can be reached, none lets this user in,
            or JetStream is off.
        """
        check_settings(settings)
        connection = cls(settings, role)
        try:
            await connection.connect()
            if jetstream:
                await connection._check_jetstream()
        except BaseException:
            await connection.close()
            raise
        return connection

    def patience(self) -> Patience:
        """A new one, of the length that is set."""
        return Patience(self.settings.patience_s)

    def leading(self, stream: str) -> Leading:
        """What is known of the leader of `stream`."""
        if stream not in self._leading:
            self._leading[stream] = Leading(self, stream)
        return self._leading[stream]

    async def api(self, operation: str, body: object = None) -> Any:
        """
        What JetStream answers to `operation` (such as `STREAM.INFO.X`), asked again while it gives no answer.

        Raises: Refused, for an answer of no; JournalUnreachable, when nothing answers for `patience_s`.
        """
        patience, what = self.patience(), f"asked JetStream for {operation}"
        payload = b"" if body is None else msgspec.json.encode(body)
        while True:
            await self._leave_if_silent(self._read)
            try:
                answer = await self.ask(f"$JS.API.{operation}", payload, None, patience.attempt_s)
            except (OSError, nats_errors().Error) as error:
                await patience.pause(what, error)
                continue
            decoded = msgspec.json.decode(answer.data)
            refused = Refused(decoded["error"]) if "error" in decoded else None
            if refused is not None and is_passing(refused):
                await patience.pause(what, refused)
                continue
            self._read.answered()
            if refused is not None:
                raise refused
            return decoded

    async def write(self, subject: str, body: bytes, headers: dict[str, str], timeout_s: float) -> Any:
        """What JetStream answers to a message: an acknowledgement, or `error`. Raises as `ask` does."""
        # Counted apart: a leader that was cut off answers, and refuses, until it has noticed; it acknowledges nothing.
        await self._leave_if_silent(self._written)
        decoded = msgspec.json.decode((await self.ask(subject, body, headers, timeout_s)).data)
        if "error" not in decoded:
            self._written.answered()
        return decoded

    async def leave(self) -> None:
        """Go to another server: this one may be cut off from the others. Not oftener than every three seconds."""
        now = asyncio.get_running_loop().time()
        if self._client is not None and now - self._left_at >= LEAVE_AFTER_S:
            self._left_at = now
            self._read.since = self._written.since = now
            await self._client.force_reconnect()

    async def _leave_if_silent(self, silence: Silence) -> None:
        """One that answers pings and nothing else is left; another one may do more."""
        if silence.asked(asyncio.get_running_loop().time()):
            await self.leave()

    async def _check_jetstream(self) -> None:
        assert self._client is not None
        try:
            await self.api("INFO")
        except Refused as refused:
            raise JournalError(
                f"JetStream is off at {self.where}: {refused.description}",
                hint="add a `jetstream {}` block to the servers, and to this user's account",
            ) from None
        except JournalUnreachable as error:
            if not isinstance(error.__cause__, nats_errors().NoRespondersError):
                raise
            raise JournalError(
                f"JetStream is off at {self.where}", hint="add a `jetstream {}` block to the servers' config"
            ) from None
        if self._client.max_payload < MIN_PAYLOAD:
            raise JournalError(
                f"the servers at {self.where} take messages of at most {self._client.max_payload} bytes",
                hint="write `max_payload: 2MB` into their config",
            )
