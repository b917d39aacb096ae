"""What a refused request is told: Okta's error body, the OAuth one, or the WWW-Authenticate header.

Sources: Okta's error codes page (errorCode, errorSummary, errorId, errorCauses); RFC 6750 3 and RFC 9449 7.1 for the
header, which is all there is when a Bearer token is refused: those answers have no body.
"""

import re
from collections.abc import Mapping

import msgspec

from tocsin.okta.headers import Headers

_PARAMETER = re.compile(r'([A-Za-z_]+)="((?:[^"\\]|\\.)*)"')
_SCHEME = re.compile(r"\s*(Bearer|DPoP)\b", re.IGNORECASE)


class OktaError(msgspec.Struct, frozen=True):
    """The parsed reason of a refusal; a field is None, or empty, when the answer did not say it."""

    error_code: str | None = None
    """`E` and seven digits from Okta's catalogue, or an OAuth error such as `invalid_token`."""
    error_summary: str | None = None
    error_id: str | None = None
    error_causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = " ".join(part for part in (self.error_code, self.error_summary) if part)
        causes = "; ".join(self.error_causes)
        text = f"{said}: {causes}" if causes and said else said or causes
        return f"{text} (errorId {self.error_id})" if self.error_id else text


def okta_error(body: bytes, headers: Headers) -> OktaError | None:
    """The reason in `body`, else in the WWW-Authenticate header; None when neither holds one. Never raises."""
    try:
        value = msgspec.json.decode(body) if body else None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = None
    if isinstance(value, Mapping) and (found := _from_body(value)):
        return found
    return _from_challenge(headers.all("WWW-Authenticate"))


def _from_body(body: Mapping[str, object]) -> OktaError | None:
    if isinstance(body.get("errorCode"), str) or isinstance(body.get("errorSummary"), str):
        return OktaError(
            error_code=_text(body.get("errorCode")),
            error_summary=_text(body.get("errorSummary")),
            error_id=_text(body.get("errorId")),
            error_causes=_causes(body.get("errorCauses")),
        )
    if isinstance(body.get("error"), str):
        return OktaError(_text(body["error"]), _text(body.get("error_description")))
    return None


def _from_challenge(values: list[str]) -> OktaError | None:
    for value in values:
        if _SCHEME.match(value):
            said = dict(_PARAMETER.findall(value))
            if "error" in said or "error_description" in said:
                return OktaError(said.get("error"), said.get("error_description"))
    return None


def _causes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    summaries = [cause.get("errorSummary") if isinstance(cause, Mapping) else cause for cause in value]
    return tuple(summary for summary in summaries if isinstance(summary, str))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
