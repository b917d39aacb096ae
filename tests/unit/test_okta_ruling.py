"""When to send again, and when to follow: the pure decisions."""

from datetime import UTC, datetime

import pytest

from tocsin.okta import ConnectionException, ConnectionLostException, Headers, RedirectException, RESTResponse
from tocsin.okta.rate_limit import RateLimit, rate_limit, retry_after_s, wait_until_reset_s
from tocsin.okta.request import Request
from tocsin.okta.ruling import redirect_url, retry_wait_s

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
DATE = ("Date", "Tue, 03 Feb 2026 09:15:00 GMT")
RESET_20 = ("X-Rate-Limit-Reset", "1770110120")  # 20 s after DATE


def wait(status: int, *headers: tuple[str, str], repeatable: bool = True, attempt: int = 0) -> float | None:
    reply = RESTResponse(status, "", Headers(headers), b"", url="")
    return retry_wait_s(reply, repeatable=repeatable, attempt=attempt, max_wait_s=65, now=NOW, draw=0.5)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (429, [DATE, RESET_20], 21.0),
        (429, [DATE, ("X-Rate-Limit-Reset", "1770110000")], 1.0),  # long past
        (429, [DATE, RESET_20, ("X-Rate-Limit-Reset", "1770110105")], 6.0),  # two buckets: the smallest
        (429, [DATE, ("X-Rate-Limit-Reset", "1770110120, 1770110105")], 6.0),  # joined on the way
        (429, [RESET_20], 0.25),  # no Date: nothing is guessed
        (429, [RESET_20, ("Retry-After", "7")], 7.0),
        (429, [DATE, ("Retry-After", "Tue, 03 Feb 2026 09:15:09 GMT")], 9.0),
        (429, [("Retry-After", "Tue, 03 Feb 2026 09:15:09 GMT")], 9.0),
        (429, [("Retry-After", "soon")], 0.25),
        (429, [DATE, ("X-Rate-Limit-Reset", "9" * 5000)], 0.25),
        (429, [DATE, ("X-Rate-Limit-Reset", "1770110200")], None),  # 101 s: more than is allowed
        (429, [], 0.25),
        (503, [DATE, RESET_20], 21.0),
        (503, [DATE, RESET_20, ("X-Rate-Limit-Remaining", "0")], 21.0),
        (503, [DATE, RESET_20, ("X-Rate-Limit-Remaining", "12")], 0.25),  # the window is not what ails it
        (500, [], 0.25),
        (599, [], 0.25),
        (400, [DATE, RESET_20], None),
        (401, [], None),
        (202, [], None),
    ],
)
def test_how_long_to_wait(status: int, headers: list[tuple[str, str]], expected: float | None) -> None:
    assert wait(status, *headers) == expected


def test_backoff_doubles_and_is_capped() -> None:
    assert [wait(500, attempt=n) for n in (0, 1, 2, 3)] == [0.25, 0.5, 1.0, 2.0]
    assert wait(500, attempt=5000) == 10.0


@pytest.mark.parametrize(("status", "again"), [(429, True), (503, True), (500, False), (502, False), (504, False)])
def test_what_must_not_happen_twice_repeats_only_what_surely_did_not_happen(status: int, again: bool) -> None:
    assert (wait(status, repeatable=False) is not None) is again


def test_a_lost_connection_is_tried_again_and_a_refused_one_is_not() -> None:
    lost, refused = ConnectionLostException("x", hint="y"), ConnectionException("x", hint="y")
    ask = {"attempt": 0, "max_wait_s": 65.0, "now": NOW, "draw": 0.5}
    assert retry_wait_s(lost, repeatable=True, **ask) == 0.25  # type: ignore[arg-type]
    assert retry_wait_s(lost, repeatable=False, **ask) is None  # type: ignore[arg-type]
    assert retry_wait_s(refused, repeatable=True, **ask) is None  # type: ignore[arg-type]


def test_rate_headers_are_numbers_or_none() -> None:
    headers = Headers([("x-rate-limit-limit", "30"), ("X-RATE-LIMIT-REMAINING", "x"), ("x-rate-limit-reset", "-1")])
    assert rate_limit(headers) == RateLimit(limit=30, remaining=None, reset=None)


def test_retry_after_needs_a_readable_value() -> None:
    assert retry_after_s(Headers([("Retry-After", "-5")]), now=NOW) is None
    assert wait_until_reset_s(Headers([RESET_20, ("Date", "yesterday")])) is None


REQUEST = Request("POST", "https://org.example/api", {"authorization": ("Authorization", "SSWS t")}, b"[]", (1, 1))
GET = REQUEST._replace(method="GET", body=None)


def follow(request: Request, status: int, location: str, *, hops: int = 0, cross_host: bool = False) -> str | None:
    response = RESTResponse(status, "Found", Headers([("Location", location)]), b"", url=request.url)
    return redirect_url(request, response, hops=hops, cross_host=cross_host)


@pytest.mark.parametrize("location", ["/v2", "https://org.example/v2", "https://ORG.example:443/v2"])
@pytest.mark.parametrize(("request_", "status"), [(REQUEST, 307), (REQUEST, 308), (GET, 301), (GET, 302), (GET, 303)])
def test_a_redirect_on_the_same_host_is_followed(request_: Request, status: int, location: str) -> None:
    target = follow(request_, status, location)
    assert target is not None
    assert target.lower() in ("https://org.example/v2", "https://org.example:443/v2")


@pytest.mark.parametrize(
    "location", ["https://evil.example/", "http://org.example/", "https://org.example:8443/", "//evil.example/x"]
)
def test_a_credential_does_not_follow_to_another_host(location: str) -> None:
    with pytest.raises(RedirectException, match="another host"):
        follow(REQUEST, 307, location)
    assert follow(REQUEST, 307, location, cross_host=True)
    assert follow(REQUEST._replace(headers={}), 307, location)


@pytest.mark.parametrize(
    ("request_", "status", "location", "hops", "why"),
    [
        (REQUEST, 302, "/v2", 0, "drop what was sent"),
        (REQUEST, 303, "/v2", 0, "drop what was sent"),
        (GET, 302, "/v2", 5, "too many"),
        (GET, 302, "ftp://org.example/", 0, "does not lead to"),
        (GET, 302, "https://org.example:99999/", 0, "does not lead to"),
    ],
)
def test_other_redirects_are_refused(request_: Request, status: int, location: str, hops: int, why: str) -> None:
    with pytest.raises(RedirectException, match=why):
        follow(request_, status, location, hops=hops, cross_host=True)


def test_what_is_no_redirect_is_none() -> None:
    assert follow(GET, 200, "/v2") is None
    assert redirect_url(GET, RESTResponse(302, "", Headers(), b"", url=""), hops=0, cross_host=False) is None
