"""What is held about one IP, in bytes, and how requests change that. Pure; the rules are those of `assertions`.

There may be 43 million IPs, so they are packed tight. An IPv4 address has a key of 4 bytes, any other one of 16. What
is held under it is one word of 22 bytes for each provider that said something, most significant byte first:

    3   number of the provider * 4 + severity
    6   when it was observed, epoch ms
    6   when it expires, epoch ms
    5   seq of the journal entry it came with: enough for 30,000 entries a second over a year
    2   which subject of that entry

A word that keeps others away for longer than it holds itself (rule 4) is followed by its shade: a word of severity 0,
which expires when the word is out of the way.
"""

import struct
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import repeat
from typing import NamedTuple

from tocsin.org.assertions import Life, life_of, replaces, subject_position
from tocsin.org.records import RiskCarried, RiskEventsConsumed
from tocsin.signals.limits import EVENTS_PER_REQUEST, SUBJECTS_PER_EVENT

WORD = 22
_IP = struct.Struct("12s4s")
_MAPPED = bytes(10) + b"\xff\xff"  # what an IPv4 address begins with among the 16-byte keys
Said = tuple[bytes, bytes, Callable[[bytes, bytes], bytes]]
"""A stored key, what is said of that IP, and what becomes of what is held and what is said, where something is held."""
_POSITIONS = [number.to_bytes(2) for number in range(EVENTS_PER_REQUEST * SUBJECTS_PER_EVENT)]


class Word(NamedTuple):
    """What one provider said."""

    number: int
    severity: int
    observed_ms: int
    expires_ms: int
    seq: int
    position: int
    until_ms: int
    """When it is out of the way."""


def stored_key(key: bytes) -> bytes:
    """The key under which the IP of a 16-byte `key` is stored."""
    return key[12:] if key.startswith(_MAPPED) else key


def full_key(stored: bytes) -> bytes:
    """The 16-byte key of a stored one."""
    return _MAPPED + stored if len(stored) == 4 else stored


def stored_keys(ips: bytes) -> list[bytes]:
    """The stored keys of 16-byte `ips`."""
    return [tail if head == _MAPPED else head + tail for head, tail in _IP.iter_unpack(ips)]


def words(held: bytes) -> Iterator[Word]:
    """All that is held, a shade being part of its word."""
    return map(_word, [held] if len(held) == WORD else _chunks(held))  # most have one word: be quick


def said_by(record: RiskEventsConsumed | RiskCarried, seq: int, number: int) -> Iterator[Said]:
    """What the provider with this `number` says with entry `seq`, in the order of its subjects."""
    return _consumed(record, seq, number) if isinstance(record, RiskEventsConsumed) else _carried(record, seq, number)


def _consumed(record: RiskEventsConsumed, seq: int, number: int) -> Iterator[Said]:
    received_ms, place = record.received_ms, seq.to_bytes(5)
    for index, event in enumerate(record.events):
        life = life_of(event, received_ms=received_ms)
        heads = _heads(number, life, place)
        positions = _POSITIONS[subject_position(index, 0) :]
        said = [heads[severity] + position for severity, position in zip(event.severities, positions, strict=False)]
        yield from zip(stored_keys(event.ips), said, repeat(partial(_merged, number, life, received_ms)))


def _carried(record: RiskCarried, seq: int, number: int) -> Iterator[Said]:
    """What the org carried forward stands for all that this provider said about these IPs."""
    place, merged = seq.to_bytes(5), partial(_instead, number)
    for index, event in enumerate(record.events):
        heads = _heads(number, Life(event.observed_ms, event.expires_ms), place)
        first = subject_position(index, 0)
        shade = _shade(number, event.until_ms) if event.until_ms != event.expires_ms else b""
        for position, (key, severity) in enumerate(zip(stored_keys(event.ips), event.severities, strict=True), first):
            yield key, heads[severity] + position.to_bytes(2) + shade, merged


class Broom:
    """What a sweep leaves of what is held."""

    def __init__(self, *, until_ms: int, live: Collection[int]) -> None:
        """Forget what is out of the way at `until_ms`, and what was said by providers of other numbers than `live`."""
        self._until_ms, self._live = until_ms, frozenset(live)
        self._until = max(until_ms, 0).to_bytes(6)
        self._heads = frozenset(_head(number, severity) for number in live for severity in (1, 2, 3))

    def leaves(self, held: bytes) -> bytes:
        """What stays; the same object when that is all of it."""
        if len(held) == WORD and held[9:15] > self._until and held[:3] in self._heads:  # nearly always: be quick
            return held
        kept = [chunk for chunk in _chunks(held) if self._stays(_word(chunk))]
        left = b"".join(kept)
        return held if left == held else left

    def _stays(self, word: Word) -> bool:
        return word.until_ms > self._until_ms and word.number in self._live


def older(held: bytes, before_seq: bytes) -> bool:
    """Whether any of what is held came with an entry before the 5-byte `before_seq`; a shade counts as one."""
    return any(held[at + 15 : at + 20] < before_seq for at in range(0, len(held), WORD))


def _merged(number: int, life: Life, received_ms: int, held: bytes, said: bytes) -> bytes:
    """What is held after provider `number` said one more thing."""
    if len(held) == WORD and held[3:9] <= said[3:9] and int.from_bytes(held[:3]) >> 2 == number:
        return said  # rule 3, and nearly always: be quick
    for chunk in _chunks(held):
        word = _word(chunk)
        if word.number != number:
            continue
        own = Life(word.observed_ms, word.expires_ms)
        if replaces(own, word.until_ms, life.observed_ms, received_ms=received_ms):
            return said if held == chunk else _without(held, number) + said
        if life.expires_ms > word.until_ms:
            return _without(held, number) + chunk[:WORD] + _shade(number, life.expires_ms)
        return held
    return held + said


def _instead(number: int, held: bytes, said: bytes) -> bytes:
    """What is held after what is said now came instead of all that provider `number` said."""
    return _without(held, number) + said


def _without(held: bytes, number: int) -> bytes:
    return b"".join(chunk for chunk in _chunks(held) if _word(chunk).number != number)


def _chunks(held: bytes) -> Iterator[bytes]:
    """Each word together with its shade."""
    at = 0
    while at < len(held):
        end = at + WORD
        if end < len(held) and not held[end + 2] & 3:
            end += WORD
        yield held[at:end]
        at = end


def _word(chunk: bytes) -> Word:
    expires_ms = int.from_bytes(chunk[9:15])
    return Word(
        int.from_bytes(chunk[:3]) >> 2,
        chunk[2] & 3,
        int.from_bytes(chunk[3:9]),
        expires_ms,
        int.from_bytes(chunk[15:20]),
        int.from_bytes(chunk[20:22]),
        int.from_bytes(chunk[WORD + 9 : WORD + 15]) if len(chunk) > WORD else expires_ms,
    )


def _heads(number: int, life: Life, place: bytes) -> list[bytes]:
    """A word up to its position, by severity."""
    rest = life.observed_ms.to_bytes(6) + life.expires_ms.to_bytes(6) + place
    return [_head(number, severity) + rest for severity in range(4)]


def _head(number: int, severity: int) -> bytes:
    return (number * 4 + severity).to_bytes(3)


def _shade(number: int, until_ms: int) -> bytes:
    return _head(number, 0) + bytes(6) + until_ms.to_bytes(6) + bytes(7)
