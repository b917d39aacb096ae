"""The clients: they drive the steps of a call over real connections, one by blocking, one by awaiting."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from tocsin import __version__
from tocsin.okta.configuration import Configuration
from tocsin.okta.exceptions import ApiTypeError
from tocsin.okta.exchange import exchange
from tocsin.okta.oauth.token import AccessToken
from tocsin.okta.request import Call
from tocsin.okta.rest import RESTResponse
from tocsin.okta.steps import FetchToken, Reply, Send, Step, Steps, Wait

if TYPE_CHECKING:
    from types import TracebackType

    import httpx2

    from tocsin.okta.oauth.sources import Means

T = TypeVar("T")

__all__ = ["ApiClient", "AsyncApiClient"]

_logger = logging.getLogger("tocsin.okta")
_USER_AGENT = f"tocsin-okta/{__version__} python/{platform.python_version()}"


class _Client:
    """What both clients share: settings, default headers, the last answer."""

    def __init__(
        self,
        configuration: Configuration | None = None,
        header_name: str | None = None,
        header_value: str | None = None,
        cookie: str | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[], float] | None = None,
    ) -> None:
        self.configuration = configuration or Configuration.get_default()
        self.default_headers: dict[str, str] = {"User-Agent": _USER_AGENT}
        if header_name is not None and header_value is not None:
            self.default_headers[header_name] = header_value
        if cookie is not None:
            self.default_headers["Cookie"] = cookie
        self.last_response: RESTResponse | None = None
        """The last answer to a call, of any status, with `rate_limit`; None before the first."""
        self._clock = clock
        self._draw = draw or _random

    @property
    def user_agent(self) -> str:
        """What this client calls itself."""
        return self.default_headers["User-Agent"]

    @user_agent.setter
    def user_agent(self, value: str) -> None:
        self.default_headers["User-Agent"] = value

    def set_default_header(self, header_name: str, header_value: str) -> None:
        """Send a header with every request from now on."""
        self.default_headers[header_name] = header_value

    def _steps(self, call: Call) -> Steps[RESTResponse]:
        return exchange(
            call, self.configuration, self.default_headers, clock=self._clock, draw=self._draw, new_id=_new_id
        )

    @cached_property
    def _means(self) -> Means:
        from tocsin.okta.oauth.sources import Means

        return Means(self.default_headers, self._clock, self._draw, _new_id)

    def _noted(self, step: Send, reply: Reply) -> Reply:
        if isinstance(reply, RESTResponse) and not step.request.secret_body:
            self.last_response = reply
        if self.configuration.debug:
            _logger.debug("%s %s -> %r", step.request.method, step.request.url, reply)
        return reply


class ApiClient(_Client):
    """
    Sends calls and waits for their answers. Threads may share it.

    Use it in a `with` block, or call `close`; used again after that, it opens new connections.

    Args:
        configuration: the default one when absent.
        header_name, header_value: a header to send with every request.
        cookie: a Cookie header to send with every request.
        transport: what carries requests, in place of connections of its own; tests put a fake org here.
        sleep, clock, draw: how to wait, tell the time and throw dice for the jitter; tests set them.
    """

    _default: ClassVar[ApiClient | None] = None

    def __init__(
        self,
        configuration: Configuration | None = None,
        header_name: str | None = None,
        header_value: str | None = None,
        cookie: str | None = None,
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(configuration, header_name, header_value, cookie, clock=clock, draw=draw)
        self._given = transport
        self._own: httpx2.BaseTransport | None = None
        self._opening = threading.Lock()
        self._sleep = sleep

    @classmethod
    def get_default(cls) -> ApiClient:
        """The client that an API made without one uses; made on first use, with the default configuration."""
        if cls._default is None:
            cls._default = ApiClient()
        return cls._default

    @classmethod
    def set_default(cls, default: ApiClient | None) -> None:
        """Make `default` that client; None forgets it."""
        cls._default = default

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. Closing twice is harmless."""
        with self._opening:
            own, self._own = self._own, None
        if own is not None:
            own.close()

    def perform(self, call: Call, finish: Callable[[RESTResponse], T]) -> T:
        """Send a call, and give its last answer to `finish`."""
        return finish(self._run(self._steps(call)))

    def _run(self, steps: Steps[T]) -> T:
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                result: T = end.value
                return result
            reply = self._do(step)

    def _do(self, step: Step) -> Reply:
        match step:
            case Send():
                from tocsin.okta.transport import send  # here: httpx2 is most of the cost of an import

                return self._noted(step, send(self._transport(), step.request, self.configuration))
            case Wait():
                self._sleep(step.seconds)
                return None
            case FetchToken():
                return self._token(step.instead_of)

    def _token(self, instead_of: AccessToken | None) -> AccessToken:
        source = self.configuration.token_source
        if source is None:
            from tocsin.okta.oauth.sources import fetch_token

            return fetch_token(self.configuration, self._means, self._run, instead_of=instead_of)
        token = source.token(renew=instead_of is not None)
        if isinstance(token, str):
            return AccessToken(token)
        hint = "give an ApiClient one that returns a string"
        raise ApiTypeError("the token source is for an AsyncApiClient", hint=hint)

    def _transport(self) -> httpx2.BaseTransport:
        if self._given is not None:
            return self._given
        with self._opening:
            if self._own is None:
                from tocsin.okta.transport import open_transport

                self._own = open_transport(self.configuration)
            return self._own


class AsyncApiClient(_Client):
    """
    The same for an event loop: use it in an `async with` block, or await `close`. Tasks may share it.

    Args: as for `ApiClient`; `transport` and `sleep` are the async ones.
    """

    def __init__(
        self,
        configuration: Configuration | None = None,
        header_name: str | None = None,
        header_value: str | None = None,
        cookie: str | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(configuration, header_name, header_value, cookie, clock=clock, draw=draw)
        self._given = transport
        self._own: httpx2.AsyncBaseTransport | None = None
        self._sleep = sleep or _async_sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Closing twice is harmless."""
        own, self._own = self._own, None
        if own is not None:
            await own.aclose()

    async def perform(self, call: Call, finish: Callable[[RESTResponse], T]) -> T:
        """Send a call, and give its last answer to `finish`."""
        return finish(await self._run(self._steps(call)))

    async def _run(self, steps: Steps[T]) -> T:
        reply: Reply = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as end:
                result: T = end.value
                return result
            reply = await self._do(step)

    async def _do(self, step: Step) -> Reply:
        match step:
            case Send():
                from tocsin.okta.transport import send_async

                return self._noted(step, await send_async(self._transport(), step.request, self.configuration))
            case Wait():
                await self._sleep(step.seconds)
                return None
            case FetchToken():
                return await self._token(step.instead_of)

    async def _token(self, instead_of: AccessToken | None) -> AccessToken:
        source = self.configuration.token_source
        if source is None:
            from tocsin.okta.oauth.sources import fetch_token_async

            return await fetch_token_async(self.configuration, self._means, self._run, instead_of=instead_of)
        token = source.token(renew=instead_of is not None)
        return AccessToken(token if isinstance(token, str) else await token)

    def _transport(self) -> httpx2.AsyncBaseTransport:
        if self._given is not None:
            return self._given
        if self._own is None:
            from tocsin.okta.transport import open_async_transport

            self._own = open_async_transport(self.configuration)
        return self._own


async def _async_sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


def _random() -> float:
    from random import random

    return random()  # noqa: S311  # spreads retries in time; nothing is guarded by it


def _new_id() -> str:
    return os.urandom(16).hex()
