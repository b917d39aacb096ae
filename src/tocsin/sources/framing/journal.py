"""systemd's journal as JSON (`journalctl -o json`) and Docker's json-file logs, as the lines that they stand for.

Source: systemd.journal-fields(7) and "Journal Export Formats": times are microseconds since 1970 as text; a message
that is not all UTF-8 is a list of its bytes. docs.docker.com, "JSON File logging driver": `log`, `stream` and `time`.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

from tocsin.signals import Skipped, SkipReason
from tocsin.signals.timestamps import EPOCH
from tocsin.sources.framing.json_values import json_values
from tocsin.sources.framing.lines import lines
from tocsin.sources.reading import Block, skipped

_TIME = "__REALTIME_TIMESTAMP"
_NAMES = ((f'"{_TIME}"'.encode(), b'"MESSAGE"'), (b'"log":', b'"stream":', b'"time":'))


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
    for block in json_values(chunks):
        numbers, texts, broken = list[int](), list[str](), list[Skipped]()
        for number, entry in zip(block.numbers, block.records, strict=True):
            try:
                texts.append(_line(entry))
                numbers.append(number)
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
                broken.append(skipped(number, entry, SkipReason.NOT_A_RECORD, "is no entry of a journal"))
        yield Block(numbers, texts, block.end, [*block.broken, *broken])


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
