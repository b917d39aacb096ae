"""Clients that hold what they have: slow, half open, stalled, deaf. The others are served, within bounded memory."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from socket import SHUT_WR, socket

import pytest

from support.org import PROVIDERS, RISK_EVENTS, OrgProcess, event, send
from support.wire import CLOSED, ask, connect, is_closed, read_answer

pytestmark = pytest.mark.slow
HALF_OPEN = 300
SETTINGS = """\
[limits]
risk_events = 1000
[http]
header_timeout_s = {header_s}
body_timeout_s = {body_s}
connections = {connections}
"""
LONG_HEADERS = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 50_000


def org_with(folder: Path, *, header_s: float = 30, body_s: float = 30, connections: int = 2048) -> OrgProcess:
    config = folder / "org.toml"
    config.write_text(SETTINGS.format(header_s=header_s, body_s=body_s, connections=connections))
    return OrgProcess(folder / "data", "--config", str(config))


def beginning_of_a_body(token: str, length: int = 1000) -> bytes:
    return (
        f"POST {RISK_EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: SSWS {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n[{{"
    ).encode()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrgProcess]:
    """An org that waits half a second for headers and for bodies."""
    with org_with(tmp_path_factory.mktemp("impatient"), header_s=0.5, body_s=0.5) as process:
        yield process


def test_hundreds_of_half_open_connections_keep_nobody_out(tmp_path: Path) -> None:
    with org_with(tmp_path) as org, org.client(org.token()) as client, ExitStack() as slow:
        send(client, event(("203.0.113.1", "HIGH")))
        before = resident_mib(org)
        token = org.token("slow")
        starts = (b"", b"", b"GET", LONG_HEADERS, LONG_HEADERS, beginning_of_a_body(token))
        for number in range(HALF_OPEN):
            slow.enter_context(half_open(org, starts[number % len(starts)]))
        seq = send(client, event(("203.0.113.2", "HIGH")))
        assert client.get(f"/risk/v1/ips/203.0.113.2?after={seq}").json()["level"] == "HIGH"
        assert ask(org.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        assert resident_mib(org) - before < 64


def test_whoever_has_not_told_who_it_is_takes_up_no_place(tmp_path: Path) -> None:
    start = b"POST /oauth2/v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant_type="
    with org_with(tmp_path) as org, org.client(org.token()) as client, ExitStack() as slow:
        for _ in range(100):  # more than may be under way at a time
            slow.enter_context(half_open(org, start))
        assert client.get(PROVIDERS).status_code == 200


def test_headers_that_do_not_come_end_the_connection(impatient: OrgProcess) -> None:
    for start in (b"", b"GET /healthz HT", LONG_HEADERS):
        with half_open(impatient, start) as connection:
            assert is_closed(connection)
    with half_open(impatient, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        assert read_answer(connection).status == 200
        assert is_closed(connection)  # idle


def test_a_body_that_does_not_come_is_answered_and_ends_the_connection(impatient: OrgProcess) -> None:
    token = impatient.token("stalls")
    chunked = beginning_of_a_body(token).replace(
        b"Content-Length: 1000\r\n\r\n[{", b"Transfer-Encoding: chunked\r\n\r\n"
    )
    with ExitStack() as slow:
        starts = (beginning_of_a_body(token), chunked, chunked + b"2\r\n[{\r\n5")
        for connection in [slow.enter_context(half_open(impatient, start)) for start in starts for _ in range(10)]:
            answer = read_answer(connection)
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert b'"errorCode":"E0000003"' in answer.body
            assert is_closed(connection)


def test_a_body_that_trickles_is_not_waited_for_longer(impatient: OrgProcess) -> None:
    with half_open(impatient, beginning_of_a_body(impatient.token("trickles"))) as connection:
        connection.settimeout(0.1)
        answer = CLOSED
        while answer is CLOSED:  # as long as it takes: what never ends is ended by pytest
            connection.sendall(b" ")
            try:
                answer = read_answer(connection)
            except TimeoutError:
                continue
        assert answer.status == 408


def test_when_all_connections_are_taken_the_next_waits_for_one_to_end(tmp_path: Path) -> None:
    with org_with(tmp_path, header_s=0.5, connections=20) as org, ExitStack() as slow:
        for _ in range(60):
            slow.enter_context(half_open(org, b"GET /"))
        assert ask(org.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200


def test_who_asks_and_never_listens_fills_no_memory(tmp_path: Path) -> None:
    with org_with(tmp_path) as org, connect(org.url) as deaf:
        before = resident_mib(org)
        deaf.settimeout(0.5)
        with pytest.raises(TimeoutError):  # there is no more room on the way: the org waits, and does not pile up
            deaf.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000_000)
        assert ask(org.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
        assert resident_mib(org) - before < 64


def test_who_hangs_up_while_sending_leaves_no_trace(impatient: OrgProcess) -> None:
    token = impatient.token("hangs-up")
    for start in (b"GET", beginning_of_a_body(token), beginning_of_a_body(token) + b'"subjects"'):
        with half_open(impatient, start) as connection:
            connection.shutdown(SHUT_WR)
            assert is_closed(connection)
        half_open(impatient, start).close()
    assert ask(impatient.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").status == 200
    assert impatient.log.read_text() == ""


def half_open(org: OrgProcess, start: bytes) -> socket:
    connection = connect(org.url)
    connection.sendall(start)
    return connection


def resident_mib(org: OrgProcess) -> int:
    status = Path(f"/proc/{org.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024
