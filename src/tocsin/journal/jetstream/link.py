"""A client of the servers of a cluster: made once, then kept for ever, with all that is listened to.

`nats-py` speaks the protocol and finds another server when one is gone. On some errors it gives up for good, and some
end its search without a word (a server that refuses it after a restart, a file that cannot be read at that moment):
then a new client takes the place of the old one.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog

from tocsin.errors import TocsinError
from tocsin.journal.jetstream.asking import ATTEMPT_S, heeding_cancellation
from tocsin.journal.jetstream.denials import Denials
from tocsin.journal.jetstream.settings import EXTRA_HINT, JetStreamSettings, credentials, tls, who_asks
from tocsin.journal.protocol import JournalError

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from tocsin.journal.jetstream.client import StrictClient

_PING_S, _PINGS = 1.0, 2  # a server that hangs is left after three seconds: well inside the patience of an append
_RECONNECT_S, _LONGEST_PAUSE_S = 0.2, 2.0
_log = structlog.get_logger("tocsin.journal")

Heard = Callable[["Msg"], None]


class Listening:
    """What `listen` began."""

    def __init__(self, subject: str, heard: Heard) -> None:
        self.subject, self.heard = subject, heard
        self.ended = False
        self.subscription: Any = None


class Link:
    """Belongs to one event loop. All that is sent is lost, and said to be, while no server is there."""

    def __init__(self, settings: JetStreamSettings, role: str = "") -> None:
        self.settings = settings
        self._client: StrictClient | None = None
        self.denials = Denials(self.where, settings.inbox_prefix, role)
        self._listening: list[Listening] = []
        self._no = ""
        self._closed = False
        self._keeping: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a server is there at this moment; it says nothing of a quorum."""
        return self._client is not None and self._client.is_connected

    @property
    def where(self) -> str:
        """The servers, for messages."""
        return ", ".join(url.partition("://")[2] for url in self.settings.servers)

    async def connect(self) -> None:
        """Once. Raises: JournalError, which says what is to be mended."""
        self._client = await self._connected()
        self._keeping = asyncio.create_task(self._keep())

    async def ask(self, subject: str, payload: bytes, headers: dict[str, str] | None, timeout_s: float) -> "Msg":
        """One answer to a question. Raises: OSError or nats.errors.Error, when none came; JournalError, if denied."""
        client = self._there()
        with heeding_cancellation():
            async with self.denials.told(subject):
                return await client.request(subject, payload, timeout=timeout_s, headers=headers)

    async def tell(self, subject: str, payload: bytes) -> None:
        """Publish without an answer; lost when no server is there."""
        with suppress(OSError, nats_errors().Error, JournalError):
            await self._there().publish(subject, payload)

    async def publish(self, subject: str, payload: bytes, reply: str, headers: dict[str, str] | None = None) -> None:
        """A question whose answers are listened to elsewhere. Raises: OSError or nats.errors.Error."""
        await self._there().publish(subject, payload, reply=reply, headers=headers)

    async def listen(self, subject: str, heard: Heard) -> Listening:
        """Call `heard` with each message of `subject` from now on, also after a reconnect."""
        one = Listening(subject, heard)
        self._listening.append(one)
        if self._client is not None and not self._client.is_closed:  # else the next one does it
            with suppress(OSError, nats_errors().Error):  # then it is told when a server is there again
                await self._subscribe(self._client, one)
        return one

    async def unlisten(self, one: Listening) -> None:
        """The end of `listen`."""
        if not one.ended:
            one.ended = True
            self._listening.remove(one)
            if one.subscription is not None:
                with suppress(OSError, nats_errors().Error):
                    await one.subscription.unsubscribe()

    def new_inbox(self) -> str:
        """A subject of this user's own, for answers."""
        assert self._client is not None
        return self._client.new_inbox()

    async def close(self) -> None:
        """End it. What is asked after that raises JournalError."""
        self._closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        if self._client is not None:
            await _let_go(self._client)

    def _there(self) -> "StrictClient":
        if self._closed:
            raise JournalError("the connection to the servers is closed")
        if self._client is None or not self._client.is_connected:
            raise ConnectionError(f"not connected: {self._no}" if self._no else "not connected")
        return self._client

    async def _connected(self) -> "StrictClient":
        """A new client, connected. Raises JournalError."""
        refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told = list[Exception]()

        async def note(error: Exception) -> None:
            told.append(error)
            del told[:-10]
            self.denials.note(str(error))
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
            await self._subscribe_all(client)
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
            "disconnected_cb": self._disconnected,
            "connect_timeout": ATTEMPT_S,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": _RECONNECT_S,
            "dont_randomize": True,  # one after the other, so that the one that is left comes last
            "ping_interval": _PING_S,
            "max_outstanding_pings": _PINGS,
            "inbox_prefix": self.settings.inbox_prefix,
            "pending_size": 0,  # nothing is kept while no server is there: whoever asks is told, and asks again
        }

    async def _subscribe_all(self, client: "StrictClient") -> None:
        """Also to what is listened to, and no longer to what is not, from in between."""
        known = set[Listening]()
        while new := [one for one in self._listening if one not in known]:
            for one in new:
                if not one.ended:
                    await self._subscribe(client, one)
            known.update(new)

    async def _subscribe(self, client: "StrictClient", one: Listening) -> None:
        async def hear(message: "Msg") -> None:
            if not one.ended:
                one.heard(message)

        one.subscription = await client.subscribe(one.subject, cb=hear, pending_msgs_limit=0, pending_bytes_limit=0)

    async def _disconnected(self) -> None:
        self.denials.forget()

    async def _keep(self) -> None:
        while not self._closed:  # nothing else is sure to end it: nats-py swallows a cancellation now and then
            await self._lost()
            await self._replace()

    async def _lost(self) -> None:
        """Until the client has given up, or for so long found no server that it may no longer look for one."""
        now = asyncio.get_running_loop().time
        there_s = now()
        while not self._closed and now() < there_s + self.settings.connect_s:
            if self._client is None or self._client.is_closed:
                return
            await asyncio.sleep(_RECONNECT_S)
            if self.is_connected:
                there_s = now()

    async def _replace(self) -> None:
        """Put a new client in its place, however long that takes."""
        assert self._client is not None
        await _let_go(self._client)
        pause_s = _RECONNECT_S
        while not self._closed:
            try:
                self._client = await self._connected()
            except Exception as error:
                self._note_no(error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                self._no = ""
                return

    def _not_connected(self, told: list[Exception], failed: BaseException | None) -> JournalError:
        refusal = next((error for error in told if _is_no(error)), None)
        if refusal is not None:
            return JournalError(
                f"{self.where} does not let this user in",
                hint=f"check {who_asks(self.settings)}, and that the servers know this user",
            )
        why = failed or (told[-1] if told else "no answer")
        refused = isinstance(why, ConnectionError) and why.errno  # whose text quotes a tuple of Python
        said = os.strerror(refused) if refused else str(why).removeprefix("nats: ")
        text = " ".join(said.split()) or type(why).__name__
        return JournalError(
            f"no NATS server answers at {self.where}: {text}",
            hint="check that the servers run, their addresses, and the certificates",
        )

    def _note_no(self, error: Exception) -> None:
        """Why there is no connection: logged when it is something new."""
        if str(error) != self._no:
            self._no = str(error)
            remedy = error.hint if isinstance(error, TocsinError) else None
            _log.error("journal.not_connected", error=self._no or type(error).__name__, remedy=remedy)


def nats_errors() -> Any:
    """`nats.errors`, once the extra is known to be there."""
    import nats.errors

    return nats.errors


def _is_no(error: Exception) -> bool:
    text = str(error).lower()
    return "authorization violation" in text or "authentication" in text or "nkey" in text


def _new_client() -> "StrictClient":
    """Raises JournalError, where the extra is not installed."""
    try:
        from tocsin.journal.jetstream.client import StrictClient
    except ImportError:
        raise JournalError("nats-py, which speaks to NATS, is not installed", hint=EXTRA_HINT) from None
    return StrictClient()


async def _let_go(client: "StrictClient") -> None:
    with suppress(Exception):  # it is over, whatever the server says to that
        async with asyncio.timeout(ATTEMPT_S):
            await client.close()
    client.abort()
    await asyncio.sleep(0)  # it is closed in the loop's next turn
