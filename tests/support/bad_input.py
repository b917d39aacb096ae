"""Requests that nobody should send, made from the table of operations: what is fuzzed grows with the doors."""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from support.wire import Answer
from tocsin.org.http.api import OPERATIONS
from tocsin.org.http.api.operation import Operation

_T = TypeVar("_T")
# What stands for a token and a bouncer's key in requests that are written before there are any.
TOKEN, KEY = b"A-TOKEN", b"A-KEY"
GOOD = b"SSWS " + TOKEN
BASIC = b"Basic MG9hNGsyWXE4VmZXbjZSc2QwZzc6eA=="
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "get", "FROB"]
NASTY_TEXT = [
    "",
    " ",
    "null",
    "0",
    "-1",
    "1e999",
    "9" * 30,
    "9" * 5000,
    "a" * 3000,
    "é\u202e\u0000",
    "\ud7ff\ue000\uffff",
    "../../etc/passwd",
    "%2e%2e/",
    "'; --",
    "{}[]<>\\",
    "\r\nX-Evil: 1",
    "${jndi:ldap://x}",
    "203.0.113.9",
    "2001:db8::1%eth0",
    "::ffff:203.0.113.9",
    "1.2.3.4/8",
    "2026-02-03T09:15:00.000Z",
    "9999-12-31T23:59:59-23:59",
    'eventType eq "a" and (((',
    "ban",
    "Ip",
]
PATH_TRICKS = [
    b"//",
    b"/./",
    b"/../",
    b"/%2e%2e/",
    b"%2F",
    b"%00",
    b"%0d%0a",
    b";a=b",
    b"/",
    b"%",
    b"%zz",
    b"%ff",
    b"~",
    b"*",
]
CREDENTIALS = [b"SSWS", b"SSWS x", b"Bearer a.b.c", b"Bearer", b"DPoP x", b"Basic eDp5", b"Basic =", b"\xff"]
CONTENT_TYPES = [
    b"application/json",
    b"application/json; charset=utf-8",
    b"application/json; charset=utf-16",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b"text/plain",
    b"",
    b";;;",
    b"\xff",
]
ACCEPTS = [
    b"application/json",
    b"*/*",
    b"text/html",
    b"application/json;q=0",
    b",",
    b"\xff;q=\xff",
    b"text/event-stream",
]
BODIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"NaN",
    b"[Infinity]",
    b'{"a":1,"a":2}',
    b"\xff\xfe[\x00]\x00",
    b"\xef\xbb\xbf[]",
    b'["\xff"]',
    b'{"a":"\xed\xa0\x80"}',
    b'["\\ud800"]',
    b"[" * 20_000,
    b'{"a":' * 20_000,
    b"[" * 900 + b"]" * 900,
    b"1" * 20_000,
    b"[1e" + b"9" * 5000 + b"]",
    b"a=b&c=%ff&a=" + b"%" * 100,
    b"grant_type=client_credentials&grant_type=x",
    b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--",
    b" " * 100_000,
    b"x" * 5_000_000,
]
_ODD: st.SearchStrategy[object] = st.one_of(
    st.sampled_from([None, True, 0, -1, 1e308, 2**70, [], {}, [[]], {"": None}]), st.sampled_from(NASTY_TEXT), st.text()
)


def is_fault(request: bytes, answer: Answer) -> bool:
    """
    Whether an answer blames ourselves. CrowdSec's Local API answers 500 to a filter that it cannot read, so we do.

    Args:
        request: its target at least.
    """
    as_crowdsec = b"/v1/decisions" in request[:400] and answer.body.startswith(b'{"message":')
    return not (200 <= answer.status < 500 or (answer.status == 500 and as_crowdsec))


class BadRequest(NamedTuple):
    """A request; most of it may be right."""

    method: str
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


@st.composite
def requests(draw: st.DrawFn) -> BadRequest:
    """A request to one of the doors, with something odd about any of its parts."""
    operation = draw(st.sampled_from(OPERATIONS))
    method = draw(usually(operation.method, METHODS))
    body = draw(bodies(operation))
    length = (b"content-length", str(len(body)).encode())
    framing = draw(usually([length], [[(b"transfer-encoding", b"chunked")], []]))
    return BadRequest(method, draw(targets(operation)), [*draw(headers(operation)), *framing], body)


def mostly(good: st.SearchStrategy[str], odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(good, good, good, odd)


def usually(good: _T, odd: Sequence[_T]) -> st.SearchStrategy[_T]:
    """Nine times out of ten `good`: a request with several odd things about it is refused for the first of them."""
    return st.integers(0, 9).flatmap(lambda number: st.just(good) if number else st.sampled_from(odd))


@st.composite
def targets(draw: st.DrawFn, operation: Operation) -> bytes:
    examples = {parameter.name: str(parameter.example or "x") for parameter in operation.parameters}
    nasty = st.one_of(st.sampled_from(NASTY_TEXT), st.text(max_size=30))

    def value(name: str) -> str:
        return quote(draw(mostly(st.just(examples.get(name, "x")), nasty)), safe=":", errors="replace")

    path = re.sub(r"\{(\w+)\}", lambda found: value(found[1]), operation.path).encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(path)))
        path = path[:at] + draw(st.sampled_from(PATH_TRICKS)) + path[at:]
    names = [parameter.name for parameter in operation.parameters if parameter.where == "query"]
    asked = draw(st.lists(mostly(st.sampled_from(names or ["q"]), nasty), max_size=3))
    query = "&".join(f"{quote(name, errors='replace')}={value(name)}" for name in asked if name != "after")
    return path + (f"?{query}".encode() if query else b"")


@st.composite
def headers(draw: st.DrawFn, operation: Operation) -> list[tuple[bytes, bytes]]:
    found = [
        (b"authorization", draw(usually(BASIC if operation.asked_by == "client" else GOOD, CREDENTIALS))),
        (b"x-api-key", draw(usually(KEY, [b"", b"x", b"\xff"]))),
        (b"content-type", draw(usually(operation.body_media.encode(), CONTENT_TYPES))),
        (b"accept", draw(usually(b"application/json", ACCEPTS))),
    ]
    odd = [
        (b"dpop", b"a.b.c"),
        (b"x-forwarded-for", b"1.2.3.4, \xff, ::1%x"),
        (b"last-event-id", b"-1"),
        (b"content-encoding", b"gzip"),
        (b"authorization", GOOD),
        (b"user-agent", b"\xff" * 500),
        (b"x-okta-retry-for", b"x" * 3000),
        (b"if-none-match", b"*"),
        (b"range", b"bytes=0-1"),
        (b"expect", b"200-ok"),
    ]
    if draw(st.integers(0, 4)) == 0:
        found.append(draw(st.sampled_from(odd)))
    return [pair for pair in found if draw(st.integers(0, 19))]


@st.composite
def bodies(draw: st.DrawFn, operation: Operation) -> bytes:
    if operation.body_example is None or draw(st.integers(0, 2)) == 0:
        return draw(st.one_of(st.sampled_from(BODIES), st.binary(max_size=50)))
    value = draw(bent(operation.body_example))
    if operation.body_media == "application/x-www-form-urlencoded" and isinstance(value, dict):
        return urlencode(value, errors="replace").encode()
    return json.dumps(value).encode()


@st.composite
def bent(draw: st.DrawFn, value: object) -> object:
    """`value` with some things in it replaced, left out, or there too often."""
    if draw(st.integers(0, 15)) == 0:
        return draw(_ODD)
    match value:
        case dict():
            kept = {name: draw(bent(member)) for name, member in value.items() if draw(st.integers(0, 19))}
            return kept | draw(st.dictionaries(st.sampled_from(["id", "_links", "", "\u0000"]), _ODD, max_size=1))
        case list():
            return [draw(bent(member)) for member in value] * draw(st.sampled_from([1, 1, 1, 0, 60]))
        case _:
            return value
