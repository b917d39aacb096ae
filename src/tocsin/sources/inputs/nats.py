"""Messages of a NATS subject. Where a stream keeps the subject, a message is acknowledged once it is durable here.

Without a stream NATS hands a message to whoever listens at that moment: what comes while the relay is away is lost.
NATS says "subject" for what is listened to; elsewhere in this project that word means an address.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from tocsin.loopback import is_loopback
from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.inputs.portions import Portions
from tocsin.sources.inputs.secrets import key_of
from tocsin.sources.source import Clock

_MOST_MESSAGES = 500
_WAIT_S = 1.0
_CONNECT_S = 10.0


class NatsSource:
    """Reads one subject. The server remembers the position, by the name of the source."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`, and where the extra is not installed."""
        try:
            import nats
        except ImportError:
            hint = "install it with the extra: tocsin[nats]"
            raise SourceError("nats-py, which speaks to NATS, is not installed", hint=hint) from None
        self._nats: Any = nats
        self.name = name
        self._config, self._subject = config, str(config.subject)
        _check_url(config)
        self._portions = Portions(name, config, clock)

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        client = await self._connect()
        try:
            subscription, kept = await self._subscribe(client)
            while True:
                messages = await _taken(subscription) if not kept else await _fetched(subscription)
                if not messages:
                    if client.is_closed:
                        raise SourceError(f"{self._config.nats} is gone", hint="it is asked again")
                    continue
                portion = b"".join(message.data.rstrip(b"\n") + b"\n" for message in messages)
                self._portions.known_by(portion, f"what {self._subject} carries")
                for batch in self._portions.batches(portion, lambda _read: position):
                    yield batch
                if kept:
                    for message in messages:
                        await message.ack()
        except self._nats.errors.Error as error:
            raise self._gone(error) from None
        finally:
            await _let_go(client)

    async def _connect(self) -> Any:
        told = list[Exception]()

        async def note(error: Exception) -> None:
            told.append(error)

        # Not again by itself: whoever runs a source asks again, and says so.
        options: dict[str, Any] = {"allow_reconnect": False, "max_reconnect_attempts": 1, "reconnect_time_wait": 0.2}
        options |= {"connect_timeout": _CONNECT_S / 2, "error_cb": note}
        if (key := key_of(self._config)) is not None:
            options |= {"user": self._config.user, "password": key} if self._config.user else {"token": key}
        if self._config.ca_file is not None:
            options["tls"] = _trusting(self._config.ca_file)
        client = self._nats.NATS()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await client.connect(str(self._config.nats), **options)
        except (OSError, self._nats.errors.Error) as error:  # also TimeoutError
            await _let_go(client)
            raise self._gone(told[0] if told else error) from None
        return client

    def _gone(self, error: Exception) -> SourceError:
        why = str(error) or type(error).__name__
        return SourceError(f"{self._config.nats}: {why}", hint="check URL and key; it is asked again")

    async def _subscribe(self, client: Any) -> tuple[Any, bool]:
        """The subscription, and whether a stream keeps what is not acknowledged."""
        from nats.js.errors import Error as StreamError
        from nats.js.errors import NotFoundError

        streams = client.jetstream()
        try:
            stream = await streams.find_stream_name_by_subject(self._subject)
        except (NotFoundError, StreamError, self._nats.errors.Error):
            return await client.subscribe(self._subject), False
        durable = "tocsin-" + "".join(c if c.isalnum() else "-" for c in self.name)
        return await streams.pull_subscribe(self._subject, durable=durable, stream=stream), True


def _check_url(config: SourceConfig) -> None:
    """Raises: SourceError, which does not quote what is secret, for a URL that holds it or would carry it in clear."""
    url = str(config.nats)
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", None
    if parts is None or not host:
        raise SourceError("nats is no URL of a server", hint="write one such as nats://127.0.0.1:4222")
    if "@" in url:
        raise SourceError(f"the NATS URL of {host} holds a key", hint="name a file that holds it under key_file")
    has_key = config.key_file is not None or config.key_env is not None
    if has_key and parts.scheme not in ("tls", "wss") and not is_loopback(host):
        hint = "write tls:// in the URL; plain nats:// is for loopback only"
        raise SourceError(f"a key is not sent to {host} in clear text", hint=hint)


def _trusting(ca_file: str) -> ssl.SSLContext:
    """Raises: SourceError, when it holds no certificates."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        why = error.strerror or "it holds no certificate"
        raise SourceError(f"ca_file {ca_file} cannot be used: {why}", hint="name a file in PEM") from None


async def _let_go(client: Any) -> None:
    with suppress(Exception):  # it is over, whatever the server says to that
        await client.close()
    if (transport := client._transport) is not None:  # left open where no connection came about
        transport.close()


async def _fetched(subscription: Any) -> list[Any]:
    try:
        return list(await subscription.fetch(_MOST_MESSAGES, timeout=_WAIT_S))
    except TimeoutError:
        return []


async def _taken(subscription: Any) -> list[Any]:
    try:
        messages = [await subscription.next_msg(timeout=_WAIT_S)]
    except TimeoutError:
        return []
    while len(messages) < _MOST_MESSAGES and subscription.pending_msgs:
        messages.append(await subscription.next_msg(timeout=_WAIT_S))
    return messages
