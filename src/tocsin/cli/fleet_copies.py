"""What `tocsin fleet check --deep` looks at besides: whether all servers hold the same, message by message."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from tocsin.cli import fleet_files
from tocsin.cli.fleet import connected_as, told
from tocsin.cli.fleet_roles import AUDITOR, SYSTEM, declared
from tocsin.journal.jetstream import JetStreamConnection
from tocsin.journal.jetstream.copies import MOST_UNLIKE, Damage, damages
from tocsin.journal.jetstream.journal import JOURNALS
from tocsin.journal.jetstream.replicas import Replica
from tocsin.journal.jetstream.servers import FILL, copies_told

Shown = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


class Compared(Struct, frozen=True):
    """What was found of the copies of a stream."""

    stream: str
    text: str
    mend: str | None
    """None when all is well."""


async def compare_copies(folder: Path, shown: Shown) -> AsyncIterator[Compared]:
    """Of each stream and bucket, one for each server that holds something else, or one. Raises TocsinError."""
    names = [one.config()["name"] for one in declared()]
    async with connected_as(SYSTEM, told(folder, fleet_files.SYSTEM), jetstream=False) as system:
        held = await copies_told(system, names)
    async with connected_as(AUDITOR, told(folder, fleet_files.AUDITOR)) as auditor:
        last = {stream: min((copy.last_seq for copy in copies), default=0) for stream, copies in held.items()}
        total, before = sum(last.values()), 0
        for stream, copies in held.items():
            for one in await _of_stream(auditor, stream, copies, partial(_tell, shown, before, total)):
                yield one
            before += last[stream]


async def _of_stream(
    reader: JetStreamConnection, stream: str, copies: Sequence[Replica], on_progress: Callable[[int], None]
) -> list[Compared]:
    if len(copies) < 2:  # of what is missing the other checks tell
        return []
    found = await damages(reader, stream, copies, on_progress)
    all_same = Compared(stream, f"{', '.join(copy.server for copy in copies)} hold the same", None)
    return [said_of(damage) for damage in found] or [all_same]


def _tell(shown: Shown, before: int, total: int, reached: int) -> None:
    shown(before + reached, total)


def said_of(damage: Damage) -> Compared:
    """What is wrong with a copy, and how to mend it."""
    counted = ((damage.lacked, "lacks", "that others hold"), (damage.unlike, "holds", "otherwise than others"))
    text = " and ".join(f"{verb} {_some(seqs)} {rest}" for seqs, verb, rest in counted if seqs)
    orgs = sorted({one.split(".")[2] for one in damage.subjects if one.startswith(f"{JOURNALS}.")})
    rebuilds = ", ".join(f"`tocsin rebuild --org {org}`" for org in orgs)
    read = f"; then, on each node that may have read its journal there, {rebuilds}" if orgs else ""
    return Compared(damage.stream, f"{damage.server} {text}", FILL + read)


def _some(seqs: Sequence[int]) -> str:
    if len(seqs) == 1:
        return f"one message (seq {seqs[0]})"
    least = "at least " if len(seqs) >= MOST_UNLIKE else ""
    return f"{least}{len(seqs):,} messages (seq {seqs[0]} to {seqs[-1]})"
