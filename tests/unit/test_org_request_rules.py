"""What a request must look like, and what is read out of its headers."""

from urllib.parse import quote

import pytest

from tocsin.org.http.errors import Refusal
from tocsin.org.http.request_rules import accepts_json, check_path, is_json, join_headers


@pytest.mark.parametrize("path", ["/", "/a", "/api/v1/risk", "/ips/::1", "/a/...", "/a/.b", "/a;b=c", "/ä", "/a b"])
def test_plain_paths(path: str) -> None:
    check_path(path, quote(path))


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("//", "//"),
        ("/a/", "/a/"),
        ("//a", "//a"),
        ("/a//b", "/a//b"),
        ("/a/./b", "/a/./b"),
        ("/a/..", "/a/.."),
        ("/../a", "/%2e%2E/a"),
        ("/a/b", "/a%2Fb"),
        ("/a/b", "/a%2fb"),
        ("/a\x00", "/a%00"),
        ("/a\n", "/a%0A"),
        ("/a\x7f", "/a%7f"),
        ("/\ufffd", "/%ff"),
    ],
)
def test_paths_that_are_read_in_two_ways(path: str, raw: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_path(path, raw)
    assert (refused.value.status, refused.value.code) == (404, "E0000008")


@pytest.mark.parametrize("target", ["*", "", "example.com:443"])
def test_a_target_that_is_no_path(target: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_path(target, target)
    assert (refused.value.status, refused.value.code) == (405, "E0000022")


def test_headers_that_came_several_times_are_joined() -> None:
    pairs = [(b"x-forwarded-for", b"192.0.2.1"), (b"a", b"1"), (b"x-forwarded-for", b"192.0.2.2")]
    assert join_headers(pairs) == {b"x-forwarded-for": b"192.0.2.1, 192.0.2.2", b"a": b"1"}


@pytest.mark.parametrize("name", [b"authorization", b"content-type", b"content-length", b"host", b"accept"])
def test_a_header_that_decides_may_come_once(name: bytes) -> None:
    with pytest.raises(Refusal, match="more than one") as refused:
        join_headers([(name, b"a"), (name, b"a")])
    assert (refused.value.status, refused.value.code) == (400, "E0000002")


@pytest.mark.parametrize(
    ("value", "yes"),
    [
        ("application/json", True),
        ("Application/JSON ; charset=UTF-8", True),
        ('application/json; charset="utf-8"; profile=x', True),
        ("application/json;charset=utf8", True),
        ("application/json; charset=utf-16", False),
        ("application/json; charset=utf-8; charset=utf-16", False),
        ("application/jsonp", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_content_types(value: str, yes: bool) -> None:
    assert is_json(value) is yes


@pytest.mark.parametrize(
    ("value", "yes"),
    [
        (None, True),
        ("", True),
        ("*/*", True),
        ("application/json", True),
        ("text/html, application/*;q=0.8", True),
        ("text/html, */*; q=0.1", True),
        ("application/json;q=0", False),
        ("application/json; q=0.000", False),
        ("text/html", False),
        ("application/xml, text/*", False),
        (", ,", False),
    ],
)
def test_accept(value: str | None, yes: bool) -> None:
    assert accepts_json(value) is yes
