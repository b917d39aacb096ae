"""Bytes that are no good request: each gets the listed answer, or a clean refusal, and leaves no trace."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.bad_input import GOOD, KEY, TOKEN, BadRequest, is_fault, requests
from support.org import PROVIDERS, RISK_EVENTS, OrgProcess
from support.process import tocsin
from support.wire import CLOSED, Answer, ask, connect, is_closed, read_answer, read_answers

pytestmark = pytest.mark.slow
CONFIG = """\
[limits]
risk_events = 1000000
logs = 1000000
clients = 1000000
grants = 1000000
token = 1000000
oauth = 1000000
api = 1000000
[http]
header_timeout_s = 0.2
body_timeout_s = 0.2
"""
LET_IN = b"Host: x\r\nAuthorization: " + GOOD + b"\r\n"
POST = f"POST {RISK_EVENTS} HTTP/1.1\r\n".encode() + LET_IN + b"Content-Type: application/json\r\n"
GET = f"GET {PROVIDERS} HTTP/1.1\r\n".encode() + LET_IN


class Victim(NamedTuple):
    """An org that waits for nobody, and what lets one in there."""

    process: OrgProcess
    token: bytes
    key: bytes

    def filled_in(self, request: bytes) -> bytes:
        """`request` with the credentials that it names."""
        return request.replace(TOKEN, self.token).replace(KEY, self.key)

    def ask(self, *parts: bytes) -> Answer:
        """What it says to a request that comes in `parts`."""
        return ask(self.process.url, *[self.filled_in(part) for part in parts])


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """One for all tests here; its log is empty at the end."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "org.toml").write_text(CONFIG)
    with OrgProcess(folder / "data", "--config", str(folder / "org.toml")) as process:
        key = tocsin("bouncer", "create", "victim", "--data", str(process.data)).stdout.strip()
        yield Victim(process, process.token().encode(), key.encode())
        assert ask(process.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        assert process.log.read_text() == ""


def lines(request: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return request + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


LISTED: dict[str, tuple[bytes, int, bytes]] = {
    # name: (bytes, status, what the body holds; nothing is said of an answer that the HTTP server itself gives)
    "no body and no length": (lines(POST), 411, b""),
    "an empty body": (lines(POST, b"Content-Length: 0"), 400, b"E0000003"),
    "a length that is none": (lines(POST, b"Content-Length: abc"), 400, b""),
    "a negative length": (lines(POST, b"Content-Length: -1"), 400, b""),
    "a length beyond 64 bits": (lines(POST, b"Content-Length: " + b"9" * 30), 400, b""),
    "two lengths": (lines(POST, b"Content-Length: 2", b"Content-Length: 3", body=b"[]"), 400, b""),
    "chunks that are none": (lines(POST, b"Transfer-Encoding: chunked", body=b"zz\r\n[]\r\n"), 400, b"E0000003"),
    "an encoding that is not known": (
        lines(POST, b"Transfer-Encoding: gzip, chunked", body=b"2\r\n[]\r\n0\r\n\r\n"),
        400,
        b"E0000021",
    ),
    "a body that is packed": (
        lines(POST, b"Content-Encoding: gzip", b"Content-Length: 2", body=b"[]"),
        400,
        b"E0000021",
    ),
    "another content type": (
        lines(POST.replace(b"application/json", b"text/plain"), b"Content-Length: 2", body=b"[]"),
        400,
        b"E0000021",
    ),
    "another charset": (
        lines(POST.replace(b"json\r", b"json; charset=latin-1\r"), b"Content-Length: 2", body=b"[]"),
        400,
        b"E0000021",
    ),
    "an answer that is not JSON": (lines(GET, b"Accept: text/html"), 400, b"E0000019"),
    "a name twice": (
        lines(
            POST,
            b"Content-Length: 67",
            body=b'[{"subjects":[{"ip":"203.0.113.9","ip":"::1","riskLevel":"HIGH"}]}]',
        ),
        400,
        b"E0000003",
    ),
    "a number that is none": (lines(POST, b"Content-Length: 5", body=b"[NaN]"), 400, b"E0000003"),
    "text that is not UTF-8": (lines(POST, b"Content-Length: 5", body=b'["\xff"]'), 400, b"E0000003"),
    "depth": (lines(POST, b"Content-Length: 100000", body=b"[" * 100_000), 400, b"E0000003"),
    "another method": (lines(GET.replace(b"GET", b"PATCH")), 405, b"E0000022"),
    "a method in small letters": (lines(GET.replace(b"GET", b"get")), 405, b"E0000022"),
    "a method of its own": (lines(GET.replace(b"GET", b"FROB")), 405, b"E0000022"),
    "OPTIONS": (lines(GET.replace(b"GET", b"OPTIONS")), 405, b"E0000022"),
    "OPTIONS for all": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405, b"E0000022"),
    "TRACE": (lines(GET.replace(b"GET", b"TRACE")), 405, b"E0000022"),
    "CONNECT": (b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", 405, b"E0000022"),
    "a method that is none": (lines(GET.replace(b"GET", b"G@T")), 400, b""),
    "a slash at the end": (lines(GET.replace(b"providers", b"providers/")), 404, b"E0000008"),
    "a slash too many": (lines(GET.replace(b"/risk", b"//risk")), 404, b"E0000008"),
    "a way up": (lines(GET.replace(b"/risk", b"/x/../risk")), 404, b"E0000008"),
    "a hidden way up": (lines(GET.replace(b"/risk", b"/x/%2e%2e/risk")), 404, b"E0000008"),
    "a hidden slash": (lines(GET.replace(b"/risk/", b"/risk%2F")), 404, b"E0000008"),
    "upper case": (lines(GET.replace(b"risk", b"RISK")), 404, b"E0000008"),
    "a semicolon": (lines(GET.replace(b"providers", b"providers;x=1")), 404, b"E0000008"),
    "a hidden zero": (lines(GET.replace(b"providers", b"providers%00")), 404, b"E0000008"),
    "a zero": (lines(GET.replace(b"providers", b"providers\x00")), 400, b""),
    "a path that is not ASCII": (lines(GET.replace(b"providers", b"\xff")), 400, b""),
    "too many headers": (lines(GET, *[b"X: a"] * 200), 431, b""),
    "a folded header": (lines(GET, b"X: a", b" b"), 400, b""),
    "authorization twice": (lines(GET, b"Authorization: SSWS x"), 400, b"E0000002"),
    "two hosts": (lines(GET, b"Host: y"), 400, b"E0000002"),
    "no host": (lines(GET.replace(b"Host: x\r\n", b"")), 400, b"E0000002"),
    "a version that is none": (b"GET / HTTP/9.9\r\n\r\n", 400, b""),
    "what is no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, b""),
    "HTTP/2 in the clear": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, b""),
}


TOO_LARGE = {
    "a length": (lines(POST, b"Content-Length: 5000000", body=b"["), {413}),
    "a body": (lines(POST, b"Content-Length: 5000000", body=b" " * 5_000_000), {413}),
    "chunks": (lines(POST, b"Transfer-Encoding: chunked", body=b"500000\r\n" + b" " * 0x500000 + b"\r\n"), {413, 408}),
    "a path": (lines(GET.replace(b"providers", b"a" * 70_000)), {414, 431}),
    "a header": (lines(GET, b"X: " + b"a" * 300_000), {431}),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_not_read_to_its_end(org: Victim, name: str) -> None:
    request, statuses = TOO_LARGE[name]  # on a busy machine a body of no length may be late before it is too large
    answer = org.ask(request)
    # It may hang up while we are still sending: then what it said is lost on the way, as TCP has it.
    assert answer.status in statuses or (answer == CLOSED and len(request) > 50_000)


@pytest.mark.parametrize("name", LISTED)
def test_the_listed_answers(org: Victim, name: str) -> None:
    request, status, said = LISTED[name]
    answer = org.ask(request)
    assert answer.status == status
    assert said in answer.body
    assert ("allow" in answer.headers) is (status == 405)
    assert "x-okta-request-id" not in answer.headers or status != 405


def test_what_is_odd_and_right(org: Victim) -> None:
    for request in (
        GET.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: x\r\n", b""),
        GET.replace(b" /", b" http://elsewhere.example/"),
        GET + b"User-Agent: \xff\xfe\r\n",
        GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n",
        GET + b"Content-Length: 5\r\n\r\nhello",
        GET + b"Accept: text/html, */*;q=0.1\r\n",
    ):
        end = b"" if b"\r\n\r\n" in request else b"\r\n"
        assert org.ask(request + end).status == 200


def test_both_a_length_and_chunks_end_the_connection(org: Victim) -> None:
    both = lines(POST, b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"2\r\n[]\r\n0\r\n\r\n")
    with connect(org.process.url) as connection:
        connection.sendall(org.filled_in(both) + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(connection).status == 400
        assert is_closed(connection)


def test_head_says_what_get_says_without_the_body(org: Victim) -> None:
    for path in (PROVIDERS, "/risk/v1/ips/203.0.113.9", "/healthz", "/openapi.json"):
        line = f" {path} HTTP/1.1\r\n".encode() + org.filled_in(LET_IN) + b"\r\n"
        with connect(org.process.url) as connection:
            connection.sendall(b"HEAD" + line + b"GET" + line)
            head, get = read_answers(connection, ["HEAD", "GET"])
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body))
        assert head.headers["content-type"] == get.headers["content-type"]


def test_answers_to_many_requests_at_once_come_in_order(org: Victim) -> None:
    with connect(org.process.url) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /%00 HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        answers = read_answers(connection, ["GET"] * 40)
        assert [answer.status for answer in answers] == [200, 404] * 20


@st.composite
def on_the_wire(draw: st.DrawFn, request: BadRequest) -> list[bytes]:
    """`request` as bytes in parts, or something near it."""
    head = b"%s %s %s\r\n" % (
        request.method.encode(),
        request.target,
        draw(st.sampled_from([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/2", b""])),
    )
    framing = draw(st.sampled_from(["length"] * 4 + ["chunked"] * 2 + ["short", "long", "none", "both"]))
    body, extra = request.body[:200_000], [b"Host: x"]
    size = {"short": len(body) // 2, "long": len(body) + 1}.get(framing, len(body))
    if framing in ("length", "short", "long", "both"):
        extra.append(b"Content-Length: %d" % size)
    if framing in ("chunked", "both"):
        extra.append(b"Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:]) if part) + b"0\r\n\r\n"
    told = (b"content-length", b"transfer-encoding")
    own = [name + b": " + value for name, value in request.headers if name not in told]
    whole = head + b"\r\n".join([*extra, *own]) + b"\r\n\r\n" + body
    for _ in range(draw(st.integers(0, 2)) if draw(st.booleans()) else 0):
        at = draw(st.integers(0, min(len(whole), 400)))
        junk = draw(st.sampled_from([b"\r\n", b"\n", b"\x00", b" ", b":", b"\xff", b"\r", b"\t", b"%", b"{"]))
        whole = whole[:at] + junk + whole[at + draw(st.integers(0, 2)) :]
    at = draw(st.integers(0, len(whole)))
    return [whole[:at], whole[at:]]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(requests().flatmap(on_the_wire))
def test_whatever_comes_is_answered_or_hung_up_on(org: Victim, parts: list[bytes]) -> None:
    answer = org.ask(*parts)
    assert answer == CLOSED or not is_fault(b"".join(parts), answer), answer
    if answer.body and answer.headers.get("content-type") == "application/json":
        json.loads(answer.body)
