"""The token of a configuration: kept, renewed ahead of need, and fetched by one for all who wait.

`Grant` decides; `fetch_token` and `fetch_token_async` do what it says, one by blocking and one by awaiting.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from tocsin.okta.attempts import Attempts
from tocsin.okta.configuration import Configuration
from tocsin.okta.exceptions import ApiValueError, OpenApiException
from tocsin.okta.oauth.keys import PrivateKey, load_private_key
from tocsin.okta.oauth.session import Session
from tocsin.okta.oauth.token import AccessToken
from tocsin.okta.oauth.token_exchange import TOKEN_PATH, TokenRequest, token_exchange
from tocsin.okta.request import refuse_clear_url
from tocsin.okta.settings import checked_host, checked_retries, checked_timeout, scope_list
from tocsin.okta.steps import Steps

_logger = logging.getLogger("tocsin.okta")
_AHEAD_TIMEOUT_S = 5.0  # of a renewal that nobody waits for yet: its caller has a token to go on with


class Means(NamedTuple):
    """What a client brings along to fetch a token with."""

    headers: Mapping[str, str]
    """To send along, such as User-Agent."""
    clock: Callable[[], datetime]
    draw: Callable[[], float]
    new_id: Callable[[], str]


def fetch_token(
    configuration: Configuration,
    means: Means,
    run: Callable[[Steps[AccessToken]], AccessToken],
    *,
    instead_of: AccessToken | None = None,
) -> AccessToken:
    """
    A token that can be used, by threads that share the configuration fetched once.

    Args:
        run: takes the steps and returns what they return.
        instead_of: a token that will not do.
    Raises: what `token_exchange` raises, to everyone who waited for it; ApiValueError or ApiTypeError for settings
        that cannot work.
    """
    grant = grant_of(configuration)
    while True:
        turn = grant.turn(os.getpid(), threading.Event, instead_of=instead_of, now=means.clock())
        if isinstance(turn, AccessToken):
            return turn
        if isinstance(turn, Join):
            turn.flight.done.wait()
            if (token := turn.flight.outcome()) is not None:
                return token
            continue
        try:
            with grant.flying(turn) as flight:
                flight.token = run(_steps(grant, configuration, means, ahead=turn.spare is not None))
                return flight.token
        except OpenApiException as error:
            if turn.spare is None:
                raise
            return grant.postponed(turn.spare, error, now=means.clock())


async def fetch_token_async(
    configuration: Configuration,
    means: Means,
    run: Callable[[Steps[AccessToken]], Awaitable[AccessToken]],
    *,
    instead_of: AccessToken | None = None,
) -> AccessToken:
    """Like `fetch_token`, for the tasks of one event loop."""
    import asyncio

    grant = grant_of(configuration)
    while True:
        turn = grant.turn(asyncio.get_running_loop(), asyncio.Event, instead_of=instead_of, now=means.clock())
        if isinstance(turn, AccessToken):
            return turn
        if isinstance(turn, Join):
            await turn.flight.done.wait()
            if (token := turn.flight.outcome()) is not None:
                return token
            continue
        try:
            with grant.flying(turn) as flight:
                flight.token = await run(_steps(grant, configuration, means, ahead=turn.spare is not None))
                return flight.token
        except OpenApiException as error:
            if turn.spare is None:
                raise
            return grant.postponed(turn.spare, error, now=means.clock())


class _Event(Protocol):
    """A `threading.Event` or an `asyncio.Event`."""

    def set(self) -> None: ...
    def wait(self) -> Any: ...


class Flight:
    """One fetch under way, and what came of it."""

    def __init__(self, group: object, done: _Event) -> None:
        self.group = group
        self.done = done
        self.token: AccessToken | None = None
        self.error: Exception | None = None

    def outcome(self) -> AccessToken | None:
        """What came of it, for those who waited; None when it was broken off and one of them has to begin anew."""
        if self.error is not None:
            raise self.error
        return self.token


class Join(NamedTuple):
    """Somebody is fetching: wait for that."""

    flight: Flight


class Lead(NamedTuple):
    """Fetch, for all who wait."""

    flight: Flight
    spare: AccessToken | None
    """What to go on with when it fails: the token is only being renewed ahead of need."""


class _Settings(NamedTuple):
    host: str
    client_id: str | None
    private_key: PrivateKey | None
    private_key_id: str | None
    scopes: tuple[str, ...]
    dpop: bool


class Grant:
    """The token that one set of settings leads to. Threads and event loops share it."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        self.session = Session(uses_dpop=settings.dpop)
        self._token: AccessToken | None = None
        self._flights: dict[object, Flight] = {}
        self._lock = threading.Lock()  # held for a few assignments, never while waiting

    def turn(
        self, group: object, new_event: Callable[[], _Event], *, instead_of: AccessToken | None, now: datetime
    ) -> AccessToken | Join | Lead:
        """
        What one caller does next.

        Args:
            group: callers that can wait for each other: the threads of a process, which a fork leaves alone with no
                leader, or the tasks of an event loop.
            instead_of: a token that will not do.
        """
        usable = self._usable(instead_of, now)
        if usable is not None and not usable.is_due(now):
            return usable
        with self._lock:
            usable = self._usable(instead_of, now)  # again: it may have come meanwhile
            if usable is not None and (group in self._flights or not usable.is_due(now)):
                return usable
            if group in self._flights:
                return Join(self._flights[group])
            flight = self._flights[group] = Flight(group, new_event())
            return Lead(flight, usable)

    @contextmanager
    def flying(self, lead: Lead) -> Iterator[Flight]:
        """The fetch itself, whose token is set on the flight; whatever way it ends, those who wait are told."""
        flight = lead.flight
        try:
            yield flight
        except Exception as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[flight.group]
                self._token = flight.token or self._token
            flight.done.set()

    def postponed(self, spare: AccessToken, error: OpenApiException, *, now: datetime) -> AccessToken:
        """`spare`, still good: its renewal failed, and is tried again later."""
        _logger.warning("the access token could not be renewed ahead of need: %s", error.summary)
        later = spare.postponed(now)
        with self._lock:
            self._token = later if self._token is spare else self._token
        return later

    def _usable(self, instead_of: AccessToken | None, now: datetime) -> AccessToken | None:
        token = self._token
        if token is None or not token.is_usable(now) or (instead_of is not None and token.value == instead_of.value):
            return None
        return token


_making = threading.Lock()


def grant_of(configuration: Configuration) -> Grant:
    """The grant for the settings that hold now. Raises: ApiValueError, when one is missing; ApiTypeError."""
    settings = _Settings(
        configuration.host,
        configuration.client_id,
        configuration.private_key,
        configuration.private_key_id,
        scope_list(configuration.scopes),
        configuration.dpop,
    )
    grant: Grant | None = configuration._grant
    if grant is None or grant.settings != settings:
        with _making:
            grant = configuration._grant
            if grant is None or grant.settings != settings:
                _check(settings)
                grant = configuration._grant = Grant(settings)
    return grant


def _check(settings: _Settings) -> None:
    if not settings.client_id:
        raise ApiValueError("private_key is set and client_id is not", hint="set client_id to the id of the app")
    if not settings.private_key:
        hint = "set private_key to the key registered with the app: PEM text, a JWK, or a file with either"
        raise ApiValueError("client_id is set and private_key is not", hint=hint)
    if not settings.scopes:
        hint = "name what the program needs, such as scopes=['okta.riskEvents.manage']"
        raise ApiValueError("client_id is set and scopes is empty, so there is nothing to ask for", hint=hint)


def _steps(grant: Grant, configuration: Configuration, means: Means, *, ahead: bool) -> Steps[AccessToken]:
    """The steps to a token; one fetched ahead of need is not worth a wait."""
    settings = grant.settings
    assert settings.client_id is not None
    assert settings.private_key is not None
    url = checked_host(settings.host) + TOKEN_PATH
    refuse_clear_url(url, configuration)
    connect_s, read_s = checked_timeout(configuration.timeout_s)
    most_s = _AHEAD_TIMEOUT_S if ahead else float("inf")
    wanted = TokenRequest(
        url=url,
        client_id=settings.client_id,
        key=load_private_key(settings.private_key, settings.private_key_id),
        scopes=settings.scopes,
        must_be_bound=settings.dpop,
        headers={name: value for name, value in means.headers.items() if name.lower() != "authorization"},
        timeout_s=(min(connect_s, most_s), min(read_s, most_s)),
    )
    attempts = Attempts(
        0 if ahead else checked_retries(configuration.retries),
        repeatable=True,
        max_wait_s=configuration.max_retry_wait_s,
        clock=means.clock,
        draw=means.draw,
    )
    return token_exchange(wanted, grant.session, attempts, clock=means.clock, new_id=means.new_id)
