"""An org that takes risk events, told through the SDK. The SDK retries nothing here: the relay decides."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from tocsin.okta import (
    ApiException,
    AsyncApiClient,
    AsyncRiskEventApi,
    Configuration,
    ConnectionException,
    Headers,
    InsecureHostError,
    TlsException,
)
from tocsin.okta.rate_limit import rate_limit, wait_asked_s, wait_until_reset_s
from tocsin.okta.settings import checked_host
from tocsin.relay.errors import RelayError
from tocsin.relay.plan import Request
from tocsin.relay.ruling import Answer, Failure
from tocsin.relay.window import Told, Window
from tocsin.signals.limits import SUBJECTS_PER_REQUEST
from tocsin.signals.loopback import PLAIN_HTTP_HINT

_REASON_CHARS = 300
_LONGEST_WAIT_S = 24 * 3600  # a header can name more than a timedelta, or a date, can hold


class OktaTarget:
    """One org, over a client that is open."""

    subjects_per_request = SUBJECTS_PER_REQUEST

    def __init__(self, client: AsyncApiClient, *, name: str) -> None:
        self.name = name
        self.window = Window()
        self._api = AsyncRiskEventApi(client)

    async def tell(self, request: Request) -> Answer:
        """Raises: RelayError, when the token would travel in the clear; nothing was sent then."""
        try:
            response = await self._api.send_risk_events_with_http_info(list(request.events))
        except InsecureHostError as error:
            raise RelayError(str(error), hint=PLAIN_HTTP_HINT) from None
        except ApiException as error:
            return _answer(error)
        return Answer(response.status_code, told=_told(response.headers))


@asynccontextmanager
async def okta_target(url: str, token: str) -> AsyncIterator[OktaTarget]:
    """
    The org at `url`, with an API token (SSWS), until the block ends.

    Raises: ApiValueError, for a URL that cannot be one.
    """
    configuration = Configuration(host=checked_host(url), api_key={"apiToken": token}, retries=0)
    async with AsyncApiClient(configuration) as client:
        yield OktaTarget(client, name=urlsplit(configuration.host).netloc)


def _answer(error: ApiException) -> Answer:
    if isinstance(error, ConnectionException):
        failure = Failure.LASTING if isinstance(error, TlsException) else Failure.PASSING
        return Answer(None, _clean(error.summary), error.hint or "", failure=failure)
    wait_s = wait_asked_s(error.status or 0, error.headers, now=datetime.now(UTC))
    return Answer(
        error.status,
        _clean("; ".join(error.error_causes) or error.error_summary or str(error.error or "") or error.reason or ""),
        error.hint or "",
        _told(error.headers),
        _wait(wait_s),
    )


def _told(headers: Headers) -> Told:
    rates, reset_s = rate_limit(headers), wait_until_reset_s(headers)
    return Told(rates.limit, rates.remaining, _wait(reset_s))


def _wait(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=min(seconds, _LONGEST_WAIT_S))


def _clean(text: str) -> str:
    """What another machine wrote, fit for a terminal and a log line."""
    return "".join(char if char.isprintable() else " " for char in text)[:_REASON_CHARS].strip()
