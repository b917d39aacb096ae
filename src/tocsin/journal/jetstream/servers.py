"""How the servers of a cluster are set up, as the system account is told: what a stream's settings do not say."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tocsin.journal.jetstream.connection import MIN_PAYLOAD, JetStreamConnection
from tocsin.journal.jetstream.permissions import Permissions
from tocsin.journal.jetstream.replicas import Replica, lost, replicas

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_SETTINGS, _STREAMS = (f"$SYS.REQ.SERVER.PING.{kind}" for kind in ("VARZ", "JSZ"))
_ALL_STREAMS = b'{"accounts": true, "streams": true}'
_LOOK_AGAIN_S = 2.0
FILL = "stop that server, empty its store, and start it again: it is filled from the others"
_ANSWERS_WITHIN_S = 2.0
_LEAST = (2, 11)  # the first that answers a batch of direct gets
_CLOCKS_APART_S = 1.0


class Server(Struct, frozen=True):
    """What one says of itself."""

    name: str
    version: str
    ahead_s: float
    """How far its clock is ahead of this machine's, and of the way of its answer."""
    max_payload: int
    sync_always: bool
    cluster_size: int
    """How many it knows of that keep streams, itself among them; 0 when it does not."""

    @classmethod
    def of(cls, answer: Any, *, received_s: float) -> "Server":
        """`answer` to the system account; it came at this epoch second."""
        who, told = answer["server"], answer["data"]
        streams = told.get("jetstream") or {}
        config = streams.get("config") or {}
        size = _cluster_size(told) if config else 0
        ahead_s = datetime.fromisoformat(who["time"]).timestamp() - received_s
        always = bool(config.get("sync_always"))
        return cls(who["name"], who["ver"], ahead_s, told.get("max_payload", 0), always, size if config else 0)


class Fault(Struct, frozen=True):
    """One thing that is not as it has to be."""

    where: str
    text: str
    hint: str


def to_ask_servers(inbox_prefix: str) -> Permissions:
    """What a user of the system account must be allowed for `servers` and `copies_lost`, and nothing else."""
    return Permissions((_SETTINGS, _STREAMS), (f"{inbox_prefix}.>",))


async def servers(connection: JetStreamConnection, *, within_s: float = _ANSWERS_WITHIN_S) -> list[Server]:
    """All that answer, by name; `connection` is of a user of the system account. Raises JournalError."""
    heard = await _asked(connection, _SETTINGS, b"", within_s)
    return [Server.of(answer, received_s=received_s) for answer, received_s in heard]


async def copies_told(connection: JetStreamConnection, streams: Sequence[str]) -> dict[str, list[Replica]]:
    """What each server says of its copy of each of `streams`; `connection` as for `servers`. Raises JournalError."""
    answers = await _asked(connection, _STREAMS, _ALL_STREAMS, _ANSWERS_WITHIN_S)
    by_server = {answer["server"]["name"]: answer["data"] for answer, _ in answers}
    return {stream: replicas(by_server, stream) for stream in streams}


async def copies_lost(connection: JetStreamConnection, streams: Sequence[str]) -> list[Fault]:
    """
    Copies of `streams` that lack what others have, and do not get it; `connection` as for `servers`.

    A copy that is behind for a moment soon has more than the fullest had at the first look. So has a damaged one that
    lacks little while much is written: then it is not found. Raises JournalError.
    """
    suspects: set[tuple[str, str]] | None = None
    fullest: dict[str, int] = {}
    while True:
        unlike: dict[tuple[str, str], str] = {}
        for stream, copies in (await copies_told(connection, streams)).items():
            enough = fullest.setdefault(stream, max((copy.messages for copy in copies), default=0))
            unlike |= {(stream, copy.server): text for copy, text in lost(copies) if copy.messages <= enough}
        again = suspects is not None
        suspects = unlike.keys() & suspects if suspects is not None else set(unlike)
        if again or not suspects:
            return [Fault(stream, unlike[stream, server], FILL) for stream, server in sorted(suspects)]
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _asked(
    connection: JetStreamConnection, question: str, body: bytes, within_s: float
) -> list[tuple[Any, float]]:
    """What each server answers, by its name, and at which epoch second that came. Raises JournalError."""
    inbox, heard, enough = connection.new_inbox(), dict[str, tuple[Any, float]](), asyncio.Event()

    def hear(message: "Msg") -> None:
        answer = msgspec.json.decode(message.data)
        heard[answer["server"]["name"]] = answer, time.time()
        if len(heard) >= max(_cluster_size(one["data"]) for one, _ in heard.values()) > 0:
            enough.set()

    listening = await connection.listen(inbox, hear)
    try:
        async with connection.denials.told(question):
            await connection.publish(question, body, inbox)
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await enough.wait()
    finally:
        await connection.unlisten(listening)
    return [heard[name] for name in sorted(heard)]


def _cluster_size(told: Any) -> int:
    """How many servers keep streams, as one says in its settings or of its streams; 0 when it keeps none."""
    streams = told.get("jetstream") or {}
    meta = told.get("meta_cluster") or streams.get("meta") or {}
    return int(meta.get("cluster_size", 1 if streams.get("config") else 0))


def faults(found: list[Server], *, replicas: int) -> Iterator[Fault]:
    """What is wrong with the servers that were found, for streams of so many replicas."""
    known = max((server.cluster_size for server in found), default=0)
    if known < replicas:
        text = f"{known} servers keep streams, and {replicas} replicas need as many"
        yield Fault("servers", text, "start the others, with routes to each other; what is lost of one must be on two")
    elif len(found) < known:
        yield Fault("servers", f"{len(found)} of {known} answer", "start the others, or look into their logs")
    for server in found:
        yield from _faults_of(server)
    ahead = [server.ahead_s for server in found]
    if ahead and max(ahead) - min(ahead) > _CLOCKS_APART_S:
        text = f"their clocks are {max(ahead) - min(ahead):.1f} s apart"
        yield Fault("clocks", text, "run a time service on each: when another one leads, the fleet's time goes there")


def _faults_of(server: Server) -> Iterator[Fault]:
    if server.cluster_size and not server.sync_always:
        yield Fault(
            server.name,
            "it syncs its disk every two minutes or so: what was acknowledged can be lost when machines go down"
            " together, as Jepsen's report on NATS 2.12.1 (December 2025) shows",
            "write `sync_interval: always` into its jetstream block, and start it again",
        )
    if not server.cluster_size:
        yield Fault(server.name, "JetStream is off", "add a `jetstream {}` block to its config")
    if server.max_payload < MIN_PAYLOAD:
        text = f"it takes messages of at most {server.max_payload} bytes"
        yield Fault(server.name, text, "write `max_payload: 2MB` into its config")
    if _numbers(server.version) < _LEAST:
        yield Fault(server.name, f"it is of version {server.version}", "use 2.11 or later")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
