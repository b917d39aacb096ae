"""Requests to all nodes of a fleet for a while, and what must be true of each of them afterwards."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

import httpx2

from support.org import RISK_EVENTS
from tocsin.journal import Entry
from tocsin.org.records import risk_record

_PAUSE_S = 0.01
_AFTER_FAILURE_S = 0.1
_ENDS_WITHIN_S = 60.0
_IPS = 250  # few enough that nodes and requests speak of the same ones
_COUNTED_EVERY = 8
COUNTED = "/oauth2/v1/clients"
"""A door whose limit is low: a request of each few asks there, to see that no window gives more."""


class Answered(NamedTuple):
    """What became of one request."""

    id: str
    """Which its event carries; empty for one that had none."""
    node: int
    status: int
    """0 when no answer came."""
    seq: int
    """Where it stands in the journal, for a 202; else 0."""
    window: str
    """When its rate window ends, which tells windows apart."""
    at_s: float
    """When the answer came, by the monotonic clock."""
    why: str
    """What a refusal says."""


class Flood:
    """Two connections to each node from the start of `with` to its end. It goes on whatever is answered."""

    def __init__(self, urls: Sequence[str], org: str, token: str, *, connections: int = 2) -> None:
        self.answers: list[Answered] = []
        self.org, self.nodes = org, range(len(urls))
        self._urls, self._headers = urls, {"authorization": f"SSWS {token}", "host": f"{org}.example"}
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(node, f"{org}-{node}-{number}"))
            for node in self.nodes
            for number in range(connections)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(_ENDS_WITHIN_S)
            assert not thread.is_alive()

    def accepted(self, *, node: int | None = None, since: float = 0.0) -> list[Answered]:
        """Events answered with 202: by `node`, and no earlier than `since`."""
        return [a for a in list(self.answers) if a.status == 202 and a.at_s >= since and node in (None, a.node)]

    def has_accepted(self, count: int, *, node: int, since: float) -> bool:
        """Whether those are at least `count`."""
        return len(self.accepted(node=node, since=since)) >= count

    def refused(self, status: int, *, node: int, since: float) -> list[Answered]:
        """What `node` has answered with `status`, no earlier than `since`."""
        return [a for a in list(self.answers) if a.status == status and a.node == node and a.at_s >= since]

    def decides(self, node: int) -> bool:
        """Whether `node` says what is known of an IP."""
        with self._client(node) as client:
            answer = client.get("/risk/v1/ips/10.0.0.1")
            return answer.status_code == 200 and "level" in answer.json()

    def use_up(self) -> None:
        """Ask at the door of the low limit until each node says that there is no more."""
        for node in self.nodes:
            with self._client(node) as client:
                while (answer := _counted(client, node)).status != 429:
                    self.answers.append(answer)

    def _send(self, node: int, name: str) -> None:
        dice, number = random.Random(name), 0
        with self._client(node) as client:
            while not self._ended.is_set():
                number += 1
                counted = number % _COUNTED_EVERY == 0
                answer = _counted(client, node) if counted else _sent(client, node, f"{name}-{number}", dice)
                self.answers.append(answer)
                time.sleep(_PAUSE_S if answer.status in (200, 202) else _AFTER_FAILURE_S)

    def _client(self, node: int) -> httpx2.Client:
        return httpx2.Client(base_url=self._urls[node], headers=self._headers, timeout=30)


def _sent(client: httpx2.Client, node: int, identity: str, dice: random.Random) -> Answered:
    subjects = [
        {"ip": f"10.0.0.{dice.randrange(_IPS)}", "riskLevel": dice.choice(("HIGH", "LOW")), "message": identity}
        for _ in range(3)
    ]
    return _answered(lambda: client.post(RISK_EVENTS, json=[{"subjects": subjects}]), identity, node)


def _counted(client: httpx2.Client, node: int) -> Answered:
    return _answered(lambda: client.get(COUNTED), "", node)


def _answered(ask: Callable[[], httpx2.Response], identity: str, node: int) -> Answered:
    try:
        answer = ask()
    except httpx2.TransportError as error:
        return Answered(identity, node, 0, 0, "", time.monotonic(), repr(error))
    seq = int(answer.headers.get("x-tocsin-journal-seq", 0))
    window = answer.headers.get("x-rate-limit-reset", "")
    why = "" if answer.is_success else answer.text
    return Answered(identity, node, answer.status_code, seq, window, time.monotonic(), why)


def check_windows(answers: Iterable[Answered], *, limit: int) -> None:
    """No window of the door of the low limit gave more than that, whichever node was asked."""
    given = Counter(answer.window for answer in answers if answer.status == 200)
    assert given
    assert {window: count for window, count in given.items() if count > limit} == {}


def check_journal(answers: Iterable[Answered], entries: Iterable[Entry]) -> None:
    """Every 202 is there exactly once, nothing is there twice, and nothing that was refused for good."""
    held: dict[str, list[int]] = {}
    for entry in entries:
        if (record := risk_record(entry)) is not None:
            for event in record.events:
                held.setdefault((event.messages or [""])[0], []).append(entry.seq)
    assert {identity: seqs for identity, seqs in held.items() if len(seqs) > 1} == {}
    assert [answer for answer in answers if answer.status == 202 and held.get(answer.id) != [answer.seq]] == []
    assert [answer for answer in answers if 400 <= answer.status < 500 and answer.id in held] == []
