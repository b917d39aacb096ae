"""Every refusal of the HTTP doors, with the exact status, code and words that clients know. Source: spec 3.

A refusal is raised where it is decided and turned into an answer in one place, `http/front.py`.
"""

from collections.abc import Mapping, Sequence

import msgspec

from tocsin.errors import TocsinError
from tocsin.org.ids import new_error_id
from tocsin.org.oauth.refusals import OAuthRefused
from tocsin.signals import Problem, ProblemKind

_BLANK = "The field cannot be left blank"
_READ_ONLY_RETRY_S = 5
_CATCHING_UP_RETRY_S = 1
_WHOLE_BODY = "riskEvents"  # U: what a failure of the whole list is called is not public


class Refusal(TocsinError):
    """An answer that is not a success. Nothing was changed or accepted."""

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        *,
        causes: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        empty: bool = False,
    ) -> None:
        """`empty` leaves the body out: Bearer failures say everything in a header."""
        self.status, self.code, self.causes, self.headers = status, code, causes, dict(headers or {})
        self.empty = empty
        super().__init__(text)

    def body(self) -> bytes:
        """The JSON body, each time with an error id of its own."""
        if self.empty:
            return b""
        return msgspec.json.encode(
            {
                "errorCode": self.code,
                "errorSummary": str(self),
                "errorLink": self.code,
                "errorId": new_error_id(),
                "errorCauses": [{"errorSummary": cause} for cause in self.causes],
            }
        )


def invalid(problems: Sequence[Problem]) -> Refusal:
    """400 for a body that breaks rules; wrong JSON or types say less than broken field rules."""
    if any(problem.kind is ProblemKind.SHAPE for problem in problems):
        return not_well_formed()
    return validation_failed(problems[0].field or _WHOLE_BODY, [_cause(problem) for problem in problems])


def validation_failed(field: str, causes: Sequence[str]) -> Refusal:
    """400, a field rule is broken."""
    return Refusal(400, "E0000001", f"Api validation failed: {field}", causes=causes)


def not_well_formed(status: int = 400) -> Refusal:
    """400, not JSON or of the wrong shape. 413 with the same body is our choice for one that is too large."""
    return Refusal(status, "E0000003", "The request body was not well-formed.")


def bad_argument(text: str) -> Refusal:
    """400, something else than the body is wrong."""
    return Refusal(400, "E0000002", f"The request was not valid: {text}")


def bad_cursor() -> Refusal:
    """400, a place to page on from that is none of ours."""
    return Refusal(400, "E0000029", "Invalid paging request.", causes=["Invalid cursor."])


def bad_content_type() -> Refusal:
    """400, not 415."""
    text = "Bad request.  Accept and/or Content-Type headers likely do not match supported values."
    return Refusal(400, "E0000021", text)


def not_acceptable() -> Refusal:
    """400, not 406, which newer services answer with E0000122: seen both, and with one blank after the full stop."""
    text = "Bad request. Accept and/or Content-Type headers likely do not match supported values."
    return Refusal(400, "E0000019", text)


def too_slow() -> Refusal:
    """408, the body did not come in time; the catalogue has no code for it: U. The connection ends with it."""
    headers = {"connection": "close"}
    return Refusal(408, "E0000003", "The request body was not well-formed.", headers=headers)


def invalid_token() -> Refusal:
    """401, an SSWS token that is not known."""
    return Refusal(401, "E0000011", "Invalid token provided")


def invalid_session() -> Refusal:
    """403, no authorization at all, or a scheme that is not known."""
    return Refusal(403, "E0000005", "Invalid session")


def not_permitted() -> Refusal:
    """403, authorized and not allowed to."""
    return Refusal(403, "E0000006", "You do not have permission to perform the requested action")


class OAuthRefusal(Refusal):
    """A refusal in the form of OAuth, RFC 6749, 5.2."""

    def __init__(self, status: int, error: str, text: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, error, text, headers=headers)

    def body(self) -> bytes:
        """See `Refusal.body`."""
        return msgspec.json.encode({"error": self.code, "error_description": str(self)})


def oauth_refused(refused: OAuthRefused) -> OAuthRefusal:
    """`refused` as an answer."""
    headers = {"dpop-nonce": refused.nonce} if refused.nonce is not None else {}
    return OAuthRefusal(refused.status, refused.error, refused.description, headers=headers)


def oauth_fault() -> OAuthRefusal:
    """500, a mistake of ours at an OAuth endpoint."""
    text = "The authorization server encountered an unexpected condition that prevented it from fulfilling the request."
    return OAuthRefusal(500, "server_error", text)


def resource_not_found(object_id: str, kind: str) -> Refusal:
    """404, no object with this id."""
    return Refusal(404, "E0000007", f"Not found: Resource not found: {object_id} ({kind})")


def length_required() -> Refusal:
    """411, a body may follow and nothing says where it ends."""
    return Refusal(411, "", "Length Required", empty=True)


def path_not_found(*causes: str) -> Refusal:
    """404, no such path."""
    return Refusal(404, "E0000008", "The requested path was not found", causes=causes)


def method_not_allowed(*allowed: str) -> Refusal:
    """405; these methods are allowed there, none of what is no path."""
    headers = {"allow": ", ".join(sorted(allowed))}
    return Refusal(405, "E0000022", "The endpoint does not support the provided HTTP method", headers=headers)


def too_many_requests() -> Refusal:
    """429."""
    return Refusal(429, "E0000047", "API call exceeded rate limit due to too many requests.")


def fault() -> Refusal:
    """500, a mistake of ours. What it was stands in the log, not in the answer."""
    return Refusal(500, "E0000009", "Internal Server Error")


def cannot_write(*causes: str) -> Refusal:
    """503, the journal cannot be written, so nothing can be accepted."""
    headers = {"retry-after": str(_READ_ONLY_RETRY_S)}
    return Refusal(503, "E0000010", "Service is in read only mode", causes=causes, headers=headers)


def behind() -> Refusal:
    """503, this node does not know enough yet; another one may. D the code, U the words."""
    return Refusal(503, "E0000010", "Service is catching up", headers={"retry-after": str(_CATCHING_UP_RETRY_S)})


def _cause(problem: Problem) -> str:
    text = _BLANK if problem.kind is ProblemKind.MISSING else problem.text
    return f"{problem.field}: {text}" if problem.field else text
