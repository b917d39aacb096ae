"""A connection to the servers of a cluster: made once, then kept for ever; and questions that are repeated for a while.

`nats-py` speaks the protocol and finds another server when one is gone. It gives up for good on some errors (an account
that expired, a server that refuses it after a restart): then a new client takes the place of the old one.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import msgspec

from tocsin.journal.jetstream.settings import EXTRA_HINT, JetStreamSettings, check_settings, credentials, tls
from tocsin.journal.protocol import MAX_ENTRY_BYTES, JournalError, JournalUnreachable

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

MIN_PAYLOAD = 2 * MAX_ENTRY_BYTES  # one entry, its headers, and the base64 of neither
_ATTEMPT_S = 2.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0
_PING_S, _PINGS = 1.0, 2  # a server that hangs is left after three seconds: well inside the patience of an append
_RECONNECT_S = 0.2
_LEAVE_AFTER_S = 3.0

Heard = Callable[["Msg"], None]


class Refused(Exception):
    """The server's own answer of no. Never leaves this package."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.err_code = int(error.get("err_code", 0))
        self.code = int(error.get("code", 0))
        self.description = str(error.get("description", ""))
        super().__init__(self.description)


class Patience:
    """How long something is tried again, and how long until the next time. For one operation."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, asyncio.get_running_loop().time() + seconds
        self._pause_s = _FIRST_PAUSE_S
        self.first = True

    @property
    def attempt_s(self) -> float:
        """How long one attempt may take."""
        return max(0.0, min(_ATTEMPT_S, self._end - asyncio.get_running_loop().time()))

    async def pause(self, what: str, why: object) -> None:
        """Wait a little, longer each time. Raises: JournalUnreachable, when there was enough of that."""
        self.first = False
        pause_s = self._pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - so that nodes do not ask in step
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        if asyncio.get_running_loop().time() + pause_s >= self._end:
            cause = why if isinstance(why, Exception) else None
            raise JournalUnreachable(what, seconds=self._seconds, why=str(why) or type(why).__name__) from cause
        await asyncio.sleep(pause_s)


class Silence:
    """Since when questions of one kind have had no answer of use; they may be many, and each given up early."""

    def __init__(self) -> None:
        self.since: float | None = None
        """By the loop's clock; None when the last one was answered."""

    def asked(self, now: float) -> bool:
        """Another one is about to be asked. Returns: whether it has been silent for long."""
        self.since = now if self.since is None else self.since
        return now - self.since >= _LEAVE_AFTER_S

    def answered(self) -> None:
        """That one was."""
        self.since = None


class JetStreamConnection:
    """Shared by all that one process does with a cluster. Belongs to one event loop; `open` makes one."""

    def __init__(self, settings: JetStreamSettings) -> None:
        self.settings = settings
        self._client: Client | None = None
        self._listeners: dict[str, Heard] = {}
        self._subscriptions: dict[str, Any] = {}
        self._denied = set[str]()
        self._closing = False
        self._renewal: asyncio.Task[None] | None = None
        self._read, self._written = Silence(), Silence()
        self._left_at = float("-inf")

    @classmethod
    async def open(cls, settings: JetStreamSettings, *, jetstream: bool = True) -> Self:
        """
        Connect, and see that JetStream is on and takes entries of full length.

        Args:
            jetstream: False for the system account, which has none.

        Raises: JournalError, which says what is to be mended, when no server can be reached, none lets this user in,
            or JetStream is off.
        """
        check_settings(settings)
        connection = cls(settings)
        try:
            connection._client = await connection._connected()
            if jetstream:
                await connection._check_jetstream()
        except BaseException:
            await connection.close()
            raise
        return connection

    @property
    def is_connected(self) -> bool:
        """Whether a server is there at this moment; it says nothing of a quorum."""
        return self._client is not None and self._client.is_connected

    @property
    def where(self) -> str:
        """The servers, for messages."""
        return ", ".join(url.partition("://")[2] for url in self.settings.servers)

    def patience(self) -> Patience:
        """A new one, of the length that is set."""
        return Patience(self.settings.patience_s)

    async def ask(self, subject: str, payload: bytes, headers: dict[str, str] | None, timeout_s: float) -> "Msg":
        """One answer to a question. Raises: OSError or nats.errors.Error, when none came; JournalError, if denied."""
        if self._client is None or self._client.is_closed:
            raise ConnectionError("not connected")
        task = asyncio.current_task()
        assert task is not None
        cancelled = task.cancelling()
        try:
            answer = await self._client.request(subject, payload, timeout=timeout_s, headers=headers)
        except TimeoutError:
            self._check_denied(subject)
            raise
        if task.cancelling() > cancelled:  # by 3.11's `wait_for`, when the answer comes at that moment, not passed on
            raise asyncio.CancelledError
        return answer

    async def tell(self, subject: str, payload: bytes) -> None:
        """Publish without an answer; lost when no server is there."""
        if self._client is not None:
            with suppress(OSError, _errors().Error):
                await self._client.publish(subject, payload)

    async def publish(self, subject: str, payload: bytes, reply: str) -> None:
        """A question whose answers are listened to elsewhere. Raises: OSError or nats.errors.Error."""
        if self._client is None or self._client.is_closed:
            raise ConnectionError("not connected")
        await self._client.publish(subject, payload, reply=reply)

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
            except (OSError, _errors().Error) as error:
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

    async def listen(self, subject: str, heard: Heard) -> None:
        """Call `heard` with each message of `subject` from now on, also after a reconnect."""
        self._listeners[subject] = heard
        if self._client is not None:
            await self._subscribe(self._client, subject)

    async def unlisten(self, subject: str) -> None:
        """The end of `listen`."""
        self._listeners.pop(subject, None)
        subscription = self._subscriptions.pop(subject, None)
        if subscription is not None:
            with suppress(OSError, _errors().Error):
                await subscription.unsubscribe()

    def new_inbox(self) -> str:
        """A subject of this user's own, for answers."""
        assert self._client is not None
        return self._client.new_inbox()

    async def close(self) -> None:
        """End it. What is asked after that raises."""
        self._closing = True
        if self._renewal is not None:
            self._renewal.cancel()
        if self._client is not None:
            await _let_go(self._client)

    async def leave(self) -> None:
        """Go to another server: this one may be cut off from the others. Not oftener than every three seconds."""
        now = asyncio.get_running_loop().time()
        if self._client is not None and now - self._left_at >= _LEAVE_AFTER_S:
            self._left_at = now
            self._read.since = self._written.since = now
            await self._client.force_reconnect()

    async def _leave_if_silent(self, silence: Silence) -> None:
        """One that answers pings and nothing else is left; another one may do more."""
        if silence.asked(asyncio.get_running_loop().time()):
            await self.leave()

    async def _connected(self) -> "Client":
        """A new client, connected. Raises JournalError."""
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told = list[Exception]()

        async def note(error: Exception) -> None:
            told.append(error)
            del told[:-10]
            self._note_denied(str(error))
            if _is_no(error) and not refused.done():
                refused.set_result(None)

        client = _new_client()
        servers = random.sample(self.settings.servers, len(self.settings.servers))
        connecting = asyncio.create_task(client.connect(servers, **self._options(note)))
        try:
            await asyncio.wait(
                (connecting, refused), timeout=self.settings.connect_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not connecting.done() or connecting.exception() is not None:
                raise self._not_connected(told, connecting.exception() if connecting.done() else None)
            for subject in self._listeners:
                await self._subscribe(client, subject)
        except BaseException:
            connecting.cancel()
            await _let_go(client)
            with suppress(asyncio.CancelledError, Exception):
                await connecting
            raise
        return client

    def _options(self, note: Callable[[Exception], Awaitable[None]]) -> dict[str, Any]:
        return credentials(self.settings) | {
            "tls": tls(self.settings),
            "name": "tocsin",
            "error_cb": note,
            "closed_cb": self._closed,
            "connect_timeout": _ATTEMPT_S,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": _RECONNECT_S,
            "dont_randomize": True,  # one after the other, so that the one that is left comes last
            "ping_interval": _PING_S,
            "max_outstanding_pings": _PINGS,
            "inbox_prefix": self.settings.inbox_prefix,
            "pending_size": 0,  # nothing is kept while no server is there: whoever asks is told, and asks again
        }

    async def _subscribe(self, client: "Client", subject: str) -> None:
        heard = self._listeners[subject]

        async def hear(message: "Msg") -> None:
            heard(message)

        self._subscriptions[subject] = await client.subscribe(
            subject, cb=hear, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def _closed(self) -> None:
        if not self._closing and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        """Put a new client in the place of one that gave up."""
        pause_s = _RECONNECT_S
        while not self._closing:
            try:
                self._client = await self._connected()
            except JournalError:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, 10.0)
            else:
                return

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
            if not isinstance(error.__cause__, _errors().NoRespondersError):
                raise
            raise JournalError(
                f"JetStream is off at {self.where}", hint="add a `jetstream {}` block to the servers' config"
            ) from None
        if self._client.max_payload < MIN_PAYLOAD:
            raise JournalError(
                f"the servers at {self.where} take messages of at most {self._client.max_payload} bytes",
                hint="write `max_payload: 2MB` into their config",
            )

    def _not_connected(self, told: list[Exception], failed: BaseException | None) -> JournalError:
        refusal = next((error for error in told if _is_no(error)), None)
        if refusal is not None:
            return JournalError(
                f"{self.where} does not let this user in",
                hint="check the credentials, and that the servers know this user",
            )
        why = failed or (told[-1] if told else "no answer")
        text = " ".join(str(why).removeprefix("nats: ").split()) or type(why).__name__
        return JournalError(
            f"no NATS server answers at {self.where}: {text}",
            hint="check that the servers run, their addresses, and the certificates",
        )

    def _note_denied(self, text: str) -> None:
        if "permissions violation" in text.lower() and text.count('"') >= 2:
            self._denied.add(text.split('"')[1].lower())

    def _check_denied(self, subject: str) -> None:
        if subject.lower() in self._denied:
            self._denied.discard(subject.lower())
            raise JournalError(
                f"this user may not ask {subject} of {self.where}", hint="give it the permissions of its role"
            )


def is_passing(refused: Refused) -> bool:
    """Whether the same question may be answered in a moment: no leader, no quorum, a peer that is not there yet."""
    return refused.code == 503 and refused.err_code not in _LASTING


# JetStream not enabled, not enabled for the account: these are also said with the code 503.
_LASTING = frozenset({10039, 10076})


def _is_no(error: Exception) -> bool:
    text = str(error).lower()
    return "authorization violation" in text or "authentication" in text or "nkey" in text


def _errors() -> Any:
    import nats.errors

    return nats.errors


def _new_client() -> "Client":
    """Raises JournalError, where the extra is not installed."""
    try:
        from tocsin.journal.jetstream.client import StrictClient
    except ImportError:
        raise JournalError("nats-py, which speaks to NATS, is not installed", hint=EXTRA_HINT) from None
    return StrictClient()


async def _let_go(client: "Client") -> None:
    with suppress(Exception):  # it is over, whatever the server says to that
        await client.close()
    transport: Any = client._transport
    if transport is not None:  # left open where no connection came about
        transport.close()
