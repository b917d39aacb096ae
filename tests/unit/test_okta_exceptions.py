"""Exceptions: a class per status, Okta's reason in every form it comes in, the documented text."""

import pytest

from tocsin import okta
from tocsin.errors import TocsinError
from tocsin.okta.exceptions import class_for

OKTA_BODY = (
    b'{"errorCode":"E0000001","errorSummary":"Api validation failed: name","errorLink":"E0000001",'
    b'"errorId":"oaeP0n5kJt8RcVw2eXy6MqBfg","errorCauses":[{"errorSummary":"name: The field cannot be left blank"}]}'
)
CHALLENGE = (
    'Bearer authorization_uri="http://org.example/oauth2/v1/authorize", realm="http://org.example", '
    'scope="okta.riskEvents.manage", error="insufficient_scope", '
    'error_description="The access token provided does not contain the required scopes.", resource="/x"'
)


def raised(
    status: int, reason: str = "", body: bytes = b"", headers: list[tuple[str, str]] | None = None
) -> okta.ApiException:
    answer = okta.RESTResponse(status, reason, okta.Headers(headers or []), body, url="https://org.example/api?x=1")
    with pytest.raises(okta.ApiException) as caught:
        okta.ApiException.from_response(http_resp=answer)
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, okta.BadRequestException),
        (401, okta.UnauthorizedException),
        (403, okta.ForbiddenException),
        (404, okta.NotFoundException),
        (409, okta.ConflictException),
        (422, okta.UnprocessableEntityException),
        (429, okta.TooManyRequestsException),
        (500, okta.ServiceException),
        (503, okta.ServiceException),
        (599, okta.ServiceException),
        (418, okta.ApiException),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[okta.ApiException]) -> None:
    assert type(raised(status)) is kind
    assert class_for(status) is kind
    assert issubclass(kind, okta.OpenApiException)
    assert issubclass(kind, TocsinError)


def test_oktas_error_is_parsed_and_the_text_starts_like_the_documented_one() -> None:
    error = raised(400, "Bad Request", OKTA_BODY, [("X-A", "b")])
    assert error.error_code == "E0000001"
    assert error.error_summary == "Api validation failed: name"
    assert error.error_id == "oaeP0n5kJt8RcVw2eXy6MqBfg"
    assert error.error_causes == ["name: The field cannot be left blank"]
    assert str(error).startswith("(400)\nReason: Bad Request\n")
    assert "HTTP response headers: {'x-a': 'b'}" in str(error)
    assert f"HTTP response body: {OKTA_BODY.decode()}" in str(error)
    assert error.summary == (
        "https://org.example/api answered 400 Bad Request: E0000001 Api validation failed: name: "
        "name: The field cannot be left blank (errorId oaeP0n5kJt8RcVw2eXy6MqBfg)"
    )
    assert error.headers["x-A"] == "b"


def test_a_bearer_refusal_has_no_body_and_still_says_why() -> None:
    error = raised(403, "Forbidden", headers=[("www-authenticate", CHALLENGE)])
    assert error.error_code == "insufficient_scope"
    assert "The access token provided does not contain the required scopes." in str(error)
    assert error.error_causes == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":"invalid_grant","error_description":"slow down"}', "invalid_grant"),
        (b'{"status":404,"message":"Resource not found"}', None),
        (b'{"errorCode":7,"errorCauses":"x"}', None),
        (b'{"errorSummary":"no code","errorCauses":[7, "plain", {"errorSummary": 1}]}', None),
        (b"<html>Bad gateway</html>", None),
        (b'{"errorSummary":"\xff"}', None),  # not UTF-8
        (b"\xff\xfe", None),
        (b"[" * 100_000, None),
        (b"[]", None),
        (b"", None),
    ],
)
def test_any_body_survives(body: bytes, code: str | None) -> None:
    error = raised(502, "Bad Gateway", body)
    assert error.error_code == code
    assert str(error).startswith("(502)\nReason: Bad Gateway\n")
    assert error.body == body.decode(errors="replace")
    assert "\n" not in error.summary


def test_cookies_are_not_shown() -> None:
    error = raised(400, headers=[("Set-Cookie", "sid=s3cret")])
    assert "s3cret" not in str(error) + repr(error)
    assert error.headers["set-cookie"] == "sid=s3cret"


def test_a_429_says_when_to_come_back() -> None:
    headers = [("Date", "Tue, 03 Feb 2026 09:15:00 GMT"), ("X-Rate-Limit-Reset", "1770110120")]
    error = raised(429, headers=headers)
    assert isinstance(error, okta.TooManyRequestsException)
    assert error.retry_after_s == 21.0


def test_the_documented_constructor_works() -> None:
    error = okta.ApiException(status=0, reason="x")
    assert (error.status, error.reason, error.body, error.data) == (0, "x", "", None)
    assert str(okta.ApiKeyError("no such scheme")) == "no such scheme"
