"""Streams and key-value buckets as they are declared in code, and what differs from that on the servers.

Each room lists its own. `make` makes what is missing and touches nothing that is there; `differences` is one line for
each thing that is not as declared, and what to do about it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from tocsin.journal.jetstream.asking import Refused
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.stream import NO_STREAM
from tocsin.journal.protocol import JournalError

DUPLICATE_WINDOW_S = 900.0  # a leader whose clock is five minutes ahead must not forget what is sent again
NS = 1_000_000_000
_IN_NS = ("max_age", "duplicate_window")
_TOO_FEW_PEERS = 10005  # also said when the servers that are there have no room
_NAME_IN_USE = 10058


class StreamDeclared(Struct, frozen=True, kw_only=True):
    """A stream that keeps all it is given until it is purged, or for `life_s`."""

    name: str
    subjects: tuple[str, ...]
    replicas: int = 3
    life_s: float | None = None
    max_bytes: int | None = None
    """Past it appends are refused, and nothing old is dropped."""

    def config(self) -> dict[str, Any]:
        """As the servers are told."""
        return {"name": self.name, "subjects": list(self.subjects), **_kept(self)}


class BucketDeclared(Struct, frozen=True, kw_only=True):
    """A key-value bucket: of each key the latest value, for `life_s`."""

    name: str
    replicas: int = 3
    life_s: float | None = None
    max_bytes: int | None = None

    def config(self) -> dict[str, Any]:
        """As the servers are told: a bucket is a stream (NATS ADR-8)."""
        of_a_bucket = {"max_msgs_per_subject": 1, "allow_rollup_hdrs": False}
        return {"name": stream_of(self.name), "subjects": [f"$KV.{self.name}.>"], **_kept(self), **of_a_bucket}


Declared = StreamDeclared | BucketDeclared


class Difference(Struct, frozen=True):
    """One thing that is not as declared."""

    name: str
    text: str
    hint: str
    missing: bool = False


def stream_of(bucket: str) -> str:
    """The stream that is a bucket."""
    return f"KV_{bucket}"


def what_differs(declared: Declared, config: dict[str, Any]) -> list[str]:
    """Each setting of the server's `config` that is not as declared: `replicas 1 instead of 3`."""
    return [
        f"{setting} {_shown(setting, config.get(setting))} instead of {_shown(setting, wanted)}"
        for setting, wanted in declared.config().items()
        if _same(config.get(setting)) != _same(wanted)
    ]


async def differences(connection: JetStreamConnection, declared: Sequence[Declared]) -> list[Difference]:
    """What is missing, or there with other settings; empty when all is as declared. Raises: JournalError."""
    return [found for one in declared for found in await _differences(connection, one)]


async def make(connection: JetStreamConnection, declared: Sequence[Declared]) -> list[str]:
    """
    Make what is missing.

    Returns: the names of what was made.
    Raises: JournalError, before anything was made, when something is there with other settings or there are too few
        servers for the replicas. Nothing that was there is changed.
    """
    found = await differences(connection, declared)
    unlike = [one for one in found if not one.missing]
    if unlike:
        raise JournalError(f"{unlike[0].name}: {unlike[0].text}; nothing was made", hint=unlike[0].hint)
    missing = {one.name for one in found}
    # What needs most servers first: where they are too few, nothing was made. Made ones are never taken back, since
    # somebody may have begun to use them.
    hardest_first = sorted(declared, key=lambda one: -one.replicas)
    return [await _make(connection, one) for one in hardest_first if one.config()["name"] in missing]


async def info_of(connection: JetStreamConnection, stream: str, *, subjects: bool = False) -> dict[str, Any] | None:
    """
    What the servers say of a stream; None, when there is none.

    Args:
        subjects: also which there are in it.
    Raises: JournalError.
    """
    question = {"subjects_filter": ">"} if subjects else None
    try:
        info: dict[str, Any] = await connection.api(f"STREAM.INFO.{stream}", question)
    except Refused as refused:
        if refused.err_code != NO_STREAM:
            raise JournalError(f"{stream}: {refused.description}") from None
        return None
    return info


async def change(connection: JetStreamConnection, declared: Declared) -> None:
    """Give what is there the settings of `declared`. Raises: JournalError, when the servers do not."""
    config = declared.config()
    try:
        await connection.api(f"STREAM.UPDATE.{config['name']}", config)
    except Refused as refused:
        raise JournalError(f"{config['name']} cannot be changed: {refused.description}") from None


async def _differences(connection: JetStreamConnection, declared: Declared) -> Iterable[Difference]:
    name = declared.config()["name"]
    info = await info_of(connection, name)
    if info is None:
        return [Difference(name, "it is not there", "make it with `tocsin fleet init`", missing=True)]
    return [
        Difference(name, text, "move what is there away, or change it with `nats stream edit`")
        for text in what_differs(declared, info["config"])
    ]


async def _make(connection: JetStreamConnection, declared: Declared) -> str:
    config = declared.config()
    try:
        await connection.api(f"STREAM.CREATE.{config['name']}", config)
    except Refused as refused:
        raise _not_made(declared, refused) from None
    return str(config["name"])


def _not_made(declared: Declared, refused: Refused) -> JournalError:
    name, replicas = declared.config()["name"], declared.replicas
    if refused.err_code == _TOO_FEW_PEERS or "replicas" in refused.description:
        return JournalError(
            f"{name} cannot be made: {refused.description}",
            hint=f"{replicas} replicas need as many servers in one cluster, each with JetStream and room on its disk",
        )
    if refused.err_code == _NAME_IN_USE:
        return JournalError(
            f"{name} was made by somebody else at this moment, with other settings", hint="run it again"
        )
    return JournalError(f"{name} cannot be made: {refused.description}")


def _kept(declared: Declared) -> dict[str, Any]:
    """How streams and buckets keep what they are given."""
    return {
        "retention": "limits",
        "storage": "file",
        "num_replicas": declared.replicas,
        "max_age": _ns(declared.life_s),
        "max_bytes": -1 if declared.max_bytes is None else declared.max_bytes,
        "discard": "new",
        "duplicate_window": _ns(min(DUPLICATE_WINDOW_S, declared.life_s or DUPLICATE_WINDOW_S)),
        "allow_direct": True,
        "deny_delete": True,
        "deny_purge": False,
    }


def _ns(seconds: float | None) -> int:
    return 0 if seconds is None else round(seconds * NS)


def _shown(setting: str, value: Any) -> str:
    return f"{(value or 0) / NS:g} s" if setting in _IN_NS else repr(value)


def _same(value: object) -> object:
    """A setting left out is off or without a limit."""
    return value if value not in (None, False, 0, -1) else None
