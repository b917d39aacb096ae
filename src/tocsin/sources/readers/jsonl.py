"""Tocsin's own format: one JSON object per line, with the names of the wire.

Unknown keys pass, as on the wire. Without `timestamp` a record was observed when it was read, and without `expiresAt`
it holds for 24 hours, the life that the API gives.
"""

from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from tocsin.signals import (
    InvalidSignals,
    Problem,
    RiskEvent,
    RiskEventSubject,
    RiskLevel,
    Skipped,
    SkipReason,
    canonical_ip,
    conforms,
    decode_json,
    event_problems,
    limits,
    parse_timestamp,
)
from tocsin.sources.format import Format
from tocsin.sources.reading import Claim, Reading, RecordReader, skipped
from tocsin.sources.sample import Sample

LIFE = timedelta(seconds=limits.DEFAULT_LIFE_S)
EXAMPLE = (
    '{"ip":"203.0.113.5","riskLevel":"HIGH","message":"password spraying",'
    '"timestamp":"2026-01-05T10:00:00Z","expiresAt":"2026-01-06T10:00:00Z"}'
)
_REASONS = {
    "ip": SkipReason.BAD_ADDRESS,
    "riskLevel": SkipReason.BAD_LEVEL,
    "message": SkipReason.BAD_MESSAGE,
    "timestamp": SkipReason.BAD_TIME,
    "expiresAt": SkipReason.BAD_TIME,
}


class _Record(Struct, rename="camel"):
    ip: str
    risk_level: RiskLevel
    message: str | None = None
    timestamp: str | None = None
    expires_at: str | None = None


_DECODER = msgspec.json.Decoder(_Record)


class JsonlReader(RecordReader):
    """Reads one file or stream of records."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def record(self, number: int, text: str) -> Claim | Skipped | None:
        """See `RecordReader`."""
        if not text.strip():
            return None
        try:
            return self._claim(number, _DECODER.decode(text))
        except InvalidSignals as refused:
            return _explained(number, text, refused.problems[0])
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            return _explained(number, text, _first_problem(text))

    def _claim(self, number: int, record: _Record) -> Claim:
        """Raises ValueError when a field breaks its rule, and InvalidSignals when two do not go together."""
        subject = RiskEventSubject(record.ip, record.risk_level, record.message)
        observed = parse_timestamp(record.timestamp) if record.timestamp is not None else self._reading.observed()
        expires = parse_timestamp(record.expires_at) if record.expires_at is not None else _end_of_life(observed)
        if not conforms([RiskEvent([subject], observed, expires)]):
            raise ValueError
        if expires <= observed and (record.timestamp is not None or expires > self._reading.now):
            raise InvalidSignals([Problem("expiresAt", "is not later than the timestamp")])
        return Claim(number, canonical_ip(record.ip), record.risk_level, observed, expires, record.message or "")


def recognises(sample: Sample) -> bool:
    """Whether an input looks like this format."""
    first = next((text for text in sample.lines if text.strip()), "")
    return first.lstrip().startswith("{") and '"ip"' in first and '"riskLevel"' in first


def _end_of_life(observed: datetime) -> datetime:
    try:
        return observed + LIFE
    except OverflowError:
        raise InvalidSignals(
            [Problem("timestamp", "leaves no room for a life of 24 hours before year 10000")]
        ) from None


def _explained(number: int, record: str, problem: Problem) -> Skipped:
    """What is wrong with a line that could not be taken, by the same rules that the org and the SDK explain by."""
    name = problem.field if problem.path else ""
    text = f"{name}: {problem.text}" if name else problem.text
    return skipped(number, record, _REASONS.get(name, SkipReason.NOT_A_RECORD), text)


def _first_problem(text: str) -> Problem:
    try:
        value = decode_json(text.encode(), what="the line")
    except InvalidSignals as error:
        return error.problems[0]
    if not isinstance(value, dict):
        return Problem("", f"is not a JSON object such as {EXAMPLE}")
    event = {"subjects": [value], "timestamp": value.get("timestamp"), "expiresAt": value.get("expiresAt")}
    problems = event_problems([event])
    return problems[0] if problems else Problem("", f"is not a record such as {EXAMPLE}")


FORMATS = (
    Format(
        name="jsonl",
        title="Tocsin's own: a JSON object per line; message, timestamp and expiresAt may be absent (24 h)",
        group="Tocsin's own",
        usual="signals.jsonl",
        example=EXAMPLE,
        recognises=recognises,
        reader=JsonlReader,
    ),
)
