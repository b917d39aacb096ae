"""An org that takes risk events, told through the SDK. The SDK retries nothing here: the relay decides."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from tocsin.loopback import PLAIN_HTTP_HINT
from tocsin.okta import (
    ApiException,
    ApiValueError,
    AsyncApiClient,
    AsyncRiskEventApi,
    ConnectionException,
    Headers,
    InsecureHostError,
    TlsException,
)
from tocsin.okta.rate_limit import rate_limit, wait_asked_s, wait_until_reset_s
from tocsin.okta.settings import checked_host
from tocsin.relay.credentials import Credential, Token
from tocsin.relay.errors import RelayError
from tocsin.relay.plan import Request, Telling, pack
from tocsin.relay.ruling import Answer, Failure
from tocsin.relay.window import Allowance, Window
from tocsin.signals import RiskEvent, RiskEventSubject, from_ms
from tocsin.signals.limits import SUBJECTS_PER_REQUEST

REASON_CHARS = 300
_LONGEST_WAIT_S = 24 * 3600  # a header can name more than a timedelta, or a date, can hold


class OktaTarget:
    """One org, over a client that is open."""

    subjects_per_request = SUBJECTS_PER_REQUEST

    def __init__(
        self, client: AsyncApiClient, *, name: str, credential: Credential | None = None, at_most: int | None = None
    ) -> None:
        """
        Args:
            credential: what `client` shows, to be fetched anew when the org refuses it.
            at_most: requests to send in a window, whatever the org grants.
        """
        self.name = name
        window = Window(at_most=at_most)
        self.window = Window(min(window.limit, at_most or window.limit), at_most=at_most)
        self._client, self._token = client, credential if isinstance(credential, Token) else None
        self._api = AsyncRiskEventApi(client)

    def pack(self, tellings: Sequence[Telling], *, now_ms: int) -> Request:
        """20 events of 50 subjects."""
        return pack(tellings, now_ms=now_ms)

    async def tell(self, request: Request) -> Answer:
        """Raises: RelayError, when the token would travel in the clear; nothing was sent then."""
        try:
            response = await self._api.send_risk_events_with_http_info(risk_events(request))
        except InsecureHostError as error:
            raise RelayError(str(error), hint=PLAIN_HTTP_HINT) from None
        except ApiValueError as error:  # such as a key that cannot be used
            return Answer(None, _clean(str(error)), error.hint or "", failure=Failure.LASTING, sent=False)
        except ApiException as error:
            return _answer(error, renewed=error.status == 401 and self._renewed())
        return Answer(response.status_code, allowance=_allowance(response.headers))

    def _renewed(self) -> bool:
        return self._token is not None and self._token.renew(self._client.configuration)


@asynccontextmanager
async def okta_target(url: str, credential: Credential, *, at_most: int | None = None) -> AsyncIterator[OktaTarget]:
    """
    The org at `url`, until the block ends.

    Raises: ApiValueError, for a URL that cannot be one.
    """
    configuration = credential.configuration(checked_host(url))
    async with AsyncApiClient(configuration) as client:
        name = urlsplit(configuration.host).netloc
        yield OktaTarget(client, name=name, credential=credential, at_most=at_most)


def risk_events(request: Request) -> list[RiskEvent]:
    """A request as the API takes it. What is let go is LOW for a moment: an org may refuse what has ended already."""
    at = from_ms(request.told_ms)
    return [
        RiskEvent(
            [RiskEventSubject(t.ip, t.level, t.message or None) for t in event.tellings],
            timestamp=at,
            expires_at=from_ms(event.until_ms),
        )
        for event in request.events
    ]


def _answer(error: ApiException, *, renewed: bool) -> Answer:
    if isinstance(error, ConnectionException):  # also on the way to a token
        failure = Failure.LASTING if isinstance(error, TlsException) else Failure.PASSING
        return Answer(None, _clean(error.summary), error.hint or "", failure=failure)
    if error.about_token:
        return _about_token(error)
    wait_s = wait_asked_s(error.status or 0, error.headers, now=datetime.now(UTC))
    return Answer(
        error.status,
        _clean("; ".join(error.error_causes) or error.error_summary or str(error.error or "") or error.reason or ""),
        error.hint or "",
        _allowance(error.headers),
        _wait(wait_s),
        renewed=renewed,
    )


def _about_token(error: ApiException) -> Answer:
    """No access token was to be had, so nothing was sent: that says nothing about the request, or the budget."""
    passing = error.status is None or error.status == 429 or error.status >= 500
    wait_s = wait_asked_s(error.status or 0, error.headers, now=datetime.now(UTC))
    failure = Failure.PASSING if passing else Failure.LASTING
    return Answer(None, _clean(error.summary), error.hint or "", retry_in=_wait(wait_s), failure=failure, sent=False)


def _allowance(headers: Headers) -> Allowance:
    rates, reset_s = rate_limit(headers), wait_until_reset_s(headers)
    return Allowance(rates.limit, rates.remaining, _wait(reset_s))


def _wait(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=min(seconds, _LONGEST_WAIT_S))


def _clean(text: str) -> str:
    """What another machine wrote, fit for a terminal and a log line."""
    return "".join(char if char.isprintable() else " " for char in text)[:REASON_CHARS].strip()
