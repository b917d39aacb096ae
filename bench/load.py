"""Clients that load an org over real connections: shared by the benches of one org and of a fleet."""

import json
import multiprocessing
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from multiprocessing.synchronize import Barrier

from tocsin.signals import ip_text

sys.modules["org"] = None  # type: ignore[assignment]  # Python's own `copy` looks for Jython's: it must not find org.py

CONNECTIONS = 4
EVENTS, SUBJECTS = 20, 50
_AGAIN_S = 0.1
MAPPED = bytes(10) + b"\xff\xff"


def in_parallel(
    work: Callable[[str, str, int, int, Barrier], list[int]], urls: Sequence[str], token: str, count: int, variant: int
) -> tuple[float, float, list[int]]:
    """
    When all `CONNECTIONS` clients started and ended, and what they returned.

    Each is a process of its own, not to be the limit itself, and asks one of `urls`.
    """
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(CONNECTIONS + 1)
    with context.Pool(CONNECTIONS, initializer=_share, initargs=(barrier,)) as pool:
        tasks = [
            (work, urls[number % len(urls)], token, count, variant * CONNECTIONS + number)
            for number in range(CONNECTIONS)
        ]
        results = pool.starmap_async(_work, tasks, chunksize=1)
        barrier.wait(timeout=300)
        started = time.monotonic()
        returned = results.get(timeout=600)
        return started, time.monotonic(), [value for values in returned for value in values]


_barrier: Barrier


def _share(barrier: Barrier) -> None:
    global _barrier  # the one way to hand a barrier to a pool
    _barrier = barrier


def _work(
    work: Callable[[str, str, int, int, Barrier], list[int]], url: str, token: str, count: int, seed: int
) -> list[int]:
    return work(url, token, count, seed, _barrier)


def sender(url: str, token: str, count: int, seed: int, barrier: Barrier) -> list[int]:
    """Sends `count` full requests. Returns: the seqs of their entries."""
    bodies = [body(seed * count + number) for number in range(count)]
    head = f"POST /api/v1/risk/events/ip HTTP/1.1\r\nHost: bench\r\nAuthorization: SSWS {token}\r\n"
    requests = [
        f"{head}Content-Type: application/json\r\nContent-Length: {len(b)}\r\n\r\n".encode() + b for b in bodies
    ]
    answers = exchange(url, requests, barrier)
    return [_seq(answer) for answer in answers]


def asker(url: str, token: str, count: int, seed: int, barrier: Barrier) -> list[int]:
    """Asks for `count` IPs: held ones when `seed` is beyond those of a first variant."""
    held = seed >= CONNECTIONS
    ips = held_ips(count) if held else (f"2001:db8::{n:x}" for n in range(count))
    tail = f" HTTP/1.1\r\nHost: bench\r\nAuthorization: SSWS {token}\r\n\r\n"
    answers = list(exchange(url, [f"GET /risk/v1/ips/{ip}{tail}".encode() for ip in ips], barrier))
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    assert all((b'"level":null' not in answer) is held for answer in answers)
    return []


def exchange(url: str, requests: list[bytes], barrier: Barrier) -> Iterator[bytes]:
    """
    The answers to `requests`, sent one after the other over one connection once all are at the barrier.

    One that is refused with 503 is sent again: a fleet does that when its servers do not answer in time.
    """
    connection = _connected(url)
    barrier.wait(timeout=300)
    for request in requests:
        while (answer := _asked(connection, request)).startswith(b"HTTP/1.1 503"):
            connection.close()
            time.sleep(_AGAIN_S)
            connection = _connected(url)
        yield answer
    connection.close()


def _connected(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _asked(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    return _answer(connection)


def _answer(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def _seq(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 202"), answer
    return int(answer.partition(b"x-tocsin-journal-seq: ")[2].split(b"\r\n")[0])


def body(seed: int) -> bytes:
    """A full request; the same for the same seed."""
    ips = _ips(random.Random(seed), EVENTS * SUBJECTS)
    return json.dumps([_event(ips) for _ in range(EVENTS)]).encode()


def _event(ips: Iterator[str]) -> dict[str, object]:
    subjects = [{"ip": next(ips), "riskLevel": "HIGH", "message": "seen on 3 lists. Score 7"} for _ in range(SUBJECTS)]
    return {"timestamp": "2026-02-03T09:15:00.000Z", "subjects": subjects}


def _ips(dice: random.Random, count: int) -> Iterator[str]:
    """Random IPv4 addresses; the same dice give the same ones."""
    for _ in range(count):
        yield ip_text(MAPPED + dice.randbytes(4))


def held_ips(count: int) -> Iterator[str]:
    """IPs of the first requests that were sent."""
    of_requests = (_ips(random.Random(seed), EVENTS * SUBJECTS) for seed in range(count))
    return islice(chain.from_iterable(of_requests), count)


def until_applied(url: str, token: str, seq: int) -> None:
    """Wait until the index has the entry `seq`, and so all before it: an org answers after 10 s with what it has."""
    tail = f" HTTP/1.1\r\nHost: bench\r\nAuthorization: SSWS {token}\r\n\r\n"
    request = f"GET /risk/v1/ips/192.0.2.1?after={seq}{tail}".encode()
    cursor = 0
    while cursor < seq:
        with _connected(url) as connection:
            head, _, body = _asked(connection, request).partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 503"):  # a node that is far behind tells no decisions
            time.sleep(_AGAIN_S)
            continue
        assert head.startswith(b"HTTP/1.1 200"), head
        cursor = json.loads(body)["cursor"]
