"""systemd's journal as JSON (`journalctl -o json`) and Docker's json-file logs, as the lines that they stand for.

Source: systemd.journal-fields(7) and "Journal Export Formats": times are microseconds since 1970 as text; a message
that is not all UTF-8 is a list of its bytes. docs.docker.com, "JSON File logging driver": `log`, `stream` and `time`;
"Journald logging driver": `CONTAINER_PARTIAL_MESSAGE`. What goes on with a line that was broken up is no line: a client
chooses how long its own is, and so what the rest of it begins with.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

from tocsin.signals import Skipped, SkipReason
from tocsin.signals.skipped import EXCERPT_CHARS
from tocsin.signals.timestamps import EPOCH
from tocsin.sources.framing.carriers import REST_OF_A_LINE
from tocsin.sources.framing.json_values import json_values
from tocsin.sources.framing.lines import lines
from tocsin.sources.reading import Block, skipped

_TIME = "__REALTIME_TIMESTAMP"
_NAMES = ((f'"{_TIME}"'.encode(), b'"MESSAGE"'), (b'"log":', b'"stream":', b'"time":'))
_DOCKER_MOST_BYTES = 16_000  # Docker breaks lines up at 16 KiB; some tools take the end of every line away


def journal_or_lines(chunks: Iterable[bytes]) -> Iterator[Block]:
    """Lines; those of a journal are made of its entries, `TIME HOST PROGRAM[PID]: MESSAGE`; so are those of Docker."""
    stream = iter(chunks)
    head = next(stream, b"")
    whole = chain([head], stream)
    return _journal(whole) if is_journal(head) else lines(whole)


def is_journal(head: bytes) -> bool:
    """Whether an input that begins like this is one."""
    first = head.lstrip()[:65_536]
    return first.startswith(b"{") and any(all(name in first for name in names) for names in _NAMES)


def _journal(chunks: Iterable[bytes]) -> Iterator[Block]:
    going_on = set[str]()
    for block in json_values(chunks):
        numbers, texts, broken = list[int](), list[str](), list[Skipped]()
        for number, entry in zip(block.numbers, block.records, strict=True):
            try:
                text, stream = _line(entry), str(entry.get("stream") or entry.get("_STREAM_ID") or entry.get("_PID"))
                is_rest = stream in going_on
                (going_on.add if _goes_on(entry) else going_on.discard)(stream)
                if is_rest:
                    broken.append(Skipped(SkipReason.NO_CLAIM, number, REST_OF_A_LINE, text[:EXCERPT_CHARS]))
                    continue
                texts.append(text)
                numbers.append(number)
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
                broken.append(skipped(number, entry, SkipReason.NOT_A_RECORD, "is no entry of a journal"))
        yield Block(numbers, texts, block.end, [*block.broken, *broken])


def _goes_on(entry: dict[str, Any]) -> bool:
    """Whether the next of the same stream is the rest of a line."""
    if _TIME not in entry:
        return not entry["log"].endswith("\n") and len(entry["log"].encode(errors="replace")) >= _DOCKER_MOST_BYTES
    return entry.get("_LINE_BREAK") == "line-max" or entry.get("CONTAINER_PARTIAL_MESSAGE") == "true"


def _line(entry: dict[str, Any]) -> str:
    if _TIME not in entry:
        return " ".join(entry["log"].splitlines())
    time = (EPOCH + timedelta(microseconds=int(entry[_TIME]))).isoformat()
    program = entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "-"
    pid = entry.get("SYSLOG_PID") or entry.get("_PID") or 0
    said = entry.get("MESSAGE") or ""
    text = bytes(said).decode(errors="replace") if isinstance(said, list) else str(said)
    # What stands in a line is one: a client may have sent a line of its own within it.
    return f"{time} {entry.get('_HOSTNAME') or '-'} {program}[{pid}]: {' '.join(text.splitlines())}"
