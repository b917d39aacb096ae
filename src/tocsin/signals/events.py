"""Risk events on the wire: decode and check in one pass, or one list of everything that is wrong.

Two readings of the same rules. `conforms` is the fast yes that all good traffic takes; `event_problems` walks plain
JSON values and finds every problem with its path, and runs only once the answer is no. A property test compares them.
Source: the risk events API page, and spec facts kept in `limits`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tocsin.signals.duplicate_keys import has_duplicate_keys
from tocsin.signals.ip import ip_key
from tocsin.signals.levels import RiskLevel
from tocsin.signals.limits import (
    EVENTS_PER_REQUEST,
    MESSAGE_ALLOWED,
    MESSAGE_CHARS,
    SUBJECTS_PER_EVENT,
)
from tocsin.signals.problems import InvalidSignals, Problem, ProblemKind
from tocsin.signals.timestamps import Timestamp, format_timestamp, parse_timestamp

# Told to readers of the schema only: the decoder would stop at the first that is broken, and say less.
_MESSAGE = {"maxLength": MESSAGE_CHARS, "pattern": f"^{MESSAGE_ALLOWED}$"}
_SUBJECTS = {"minItems": 1, "maxItems": SUBJECTS_PER_EVENT}
AnyIp = Annotated[str, Meta(extra_json_schema={"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})]
_LEVELS = frozenset(RiskLevel)
_ALLOWED = re.compile(MESSAGE_ALLOWED)
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)


class RiskEventSubject(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One IP address and how risky the provider says it is."""

    # gc=False: it holds only strings, so it is in no cycle, and a full request does not set the collector off.
    ip: AnyIp
    """IPv4 or IPv6 address as the sender wrote it; `ip_key` gives its identity."""
    risk_level: RiskLevel
    message: Annotated[str | None, Meta(extra_json_schema=_MESSAGE)] = None
    """Why; at most 512 characters of `a-z A-Z 0-9 . - _` and blank."""


class RiskEvent(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a provider says at one moment about up to 50 subjects."""

    subjects: Annotated[list[RiskEventSubject], Meta(extra_json_schema=_SUBJECTS)]
    timestamp: Timestamp | None = None
    """When it was produced; absent means when the org consumed it."""
    expires_at: Timestamp | None = None
    """Until when it holds; absent means 24 hours after the org consumed it."""


_DECODER = msgspec.json.Decoder(list[RiskEvent])


def decode_events(body: bytes) -> list[RiskEvent]:
    """
    The checked events of a request body: a JSON array of 1 to 20 events of 1 to 50 subjects each.

    Unknown fields pass. Bound the size of `body` before (`limits.MAX_REQUEST_BYTES`).
    Raises: InvalidSignals, with every problem and its path.
    """
    try:
        events = _DECODER.decode(body)
        if conforms(events) and (_named_once(body, events) or not has_duplicate_keys(body)):
            return events
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        pass
    raise InvalidSignals(event_problems(decode_json(body)) or [_UNEXPLAINED])


def encode_events(events: Sequence[RiskEvent]) -> bytes:
    """The JSON body of a request. The caller has checked `events` (see `conforms`)."""
    return msgspec.json.encode([_wire_event(event) for event in events])


def conforms(events: Sequence[RiskEvent]) -> bool:
    """Whether `events` keep every rule of the pipe. When not, `event_problems` tells why."""
    try:
        return 0 < len(events) <= EVENTS_PER_REQUEST and _subjects_conform(events)
    except (AttributeError, OverflowError, TypeError, ValueError):
        return False  # a value of a wrong type, from a caller who built the events by hand


def event_problems(value: object) -> list[Problem]:
    """Everything wrong with `value` as a list of risk events; `value` is what a JSON decoder gives."""
    if not isinstance(value, list):
        return [_shape("", "is not a list of risk events")]
    if not value:
        return [Problem("", "the list holds no event: 1 to 20 are needed", ProblemKind.MISSING)]
    problems = []
    if len(value) > EVENTS_PER_REQUEST:
        text = f"{len(value)} events: at most {EVENTS_PER_REQUEST} go in one request, so send the rest in another"
        problems.append(Problem("", text))
    for index, event in enumerate(value[:EVENTS_PER_REQUEST]):
        problems += _one_event(f"[{index}]", event)
    return problems


def decode_json(body: bytes, *, what: str = "the body") -> object:
    """Plain values of JSON. Raises InvalidSignals with one SHAPE problem, which names it `what`, when it is not."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # the latter for text that is not UTF-8
        raise InvalidSignals([_shape("", f"{what} is not JSON: {error}")]) from None
    except RecursionError:
        raise InvalidSignals([_shape("", f"{what} is nested too deeply")]) from None


def _named_once(body: bytes, events: Sequence[RiskEvent]) -> bool:
    """
    Whether surely no member of `events` is named twice in `body`: there are no more quotes in it than they need.

    Fields we do not know need some too, and so does a null: then it is for `has_duplicate_keys` to say.
    """
    strings = sum([1 + 2 * (event.timestamp is not None) + 2 * (event.expires_at is not None) for event in events])
    for event in events:
        strings += sum([4 if subject.message is None else 6 for subject in event.subjects])
    return b"\\" not in body and body.count(b'"') == 2 * strings


def _subjects_conform(events: Sequence[RiskEvent]) -> bool:
    messages: list[str] = []
    for event in events:
        subjects = event.subjects
        if not 0 < len(subjects) <= SUBJECTS_PER_EVENT:
            return False
        for moment in (event.timestamp, event.expires_at):
            if moment is not None and not _FIRST_MOMENT <= moment <= _LAST_MOMENT:
                return False
        for subject in subjects:
            ip_key(subject.ip)
            if subject.risk_level not in _LEVELS:
                return False
            if subject.message:
                messages.append(subject.message)
    # One regular expression over all messages at once: the set of allowed characters does not care who wrote them.
    return not messages or (max(map(len, messages)) <= MESSAGE_CHARS and bool(_ALLOWED.fullmatch("".join(messages))))


def _wire_event(event: RiskEvent) -> dict[str, object]:
    wire: dict[str, object] = {}
    if event.timestamp is not None:
        wire["timestamp"] = format_timestamp(event.timestamp)
    if event.expires_at is not None:
        wire["expiresAt"] = format_timestamp(event.expires_at)
    wire["subjects"] = event.subjects
    return wire


def _one_event(path: str, event: object) -> list[Problem]:
    if not isinstance(event, Mapping):
        return [_shape(path, "is not a risk event (a JSON object)")]
    problems = [
        problem
        for name in ("timestamp", "expiresAt")
        for problem in _timestamp_problems(f"{path}.{name}", event.get(name))
    ]
    subjects, where = event.get("subjects"), f"{path}.subjects"
    if subjects is None or subjects == []:
        return [
            *problems,
            Problem(where, f"is missing: 1 to {SUBJECTS_PER_EVENT} subjects are needed", ProblemKind.MISSING),
        ]
    if not isinstance(subjects, list):
        return [*problems, _shape(where, "is not a list of subjects")]
    if len(subjects) > SUBJECTS_PER_EVENT:
        text = f"{len(subjects)} subjects: at most {SUBJECTS_PER_EVENT} go in one event, so put the rest in another"
        problems.append(Problem(where, text))
    for index, subject in enumerate(subjects[:SUBJECTS_PER_EVENT]):
        problems += _one_subject(f"{where}[{index}]", subject)
    return problems


def _one_subject(path: str, subject: object) -> list[Problem]:
    if not isinstance(subject, Mapping):
        return [_shape(path, "is not a subject (a JSON object)")]
    return [
        *_ip_problems(f"{path}.ip", subject.get("ip")),
        *_level_problems(f"{path}.riskLevel", subject.get("riskLevel")),
        *_message_problems(f"{path}.message", subject.get("message")),
    ]


def _ip_problems(path: str, ip: object) -> list[Problem]:
    if ip is None or ip == "":
        return [Problem(path, "is missing: an IPv4 or IPv6 address is needed", ProblemKind.MISSING)]
    if not isinstance(ip, str):
        return [_shape(path, "is not a string")]
    try:
        ip_key(ip)
    except ValueError as error:
        return [Problem(path, str(error))]
    return []


def _level_problems(path: str, level: object) -> list[Problem]:
    if level is None:
        return [Problem(path, "is missing: HIGH, MEDIUM or LOW is needed", ProblemKind.MISSING)]
    if not isinstance(level, str) or level not in _LEVELS:
        return [_shape(path, f"{str(level)[:30]!r} is not HIGH, MEDIUM or LOW")]
    return []


def _message_problems(path: str, message: object) -> list[Problem]:
    if message is None:
        return []
    if not isinstance(message, str):
        return [_shape(path, "is not a string")]
    problems = []
    if len(message) > MESSAGE_CHARS:
        problems.append(Problem(path, f"{len(message)} characters: at most {MESSAGE_CHARS} are allowed"))
    refused = sorted({char for char in set(message) if not _ALLOWED.fullmatch(char)})
    if refused:
        shown = " ".join(repr(char) for char in refused[:10])
        problems.append(Problem(path, f"holds {shown}: only letters, digits, blank, '.', '-' and '_' are allowed"))
    return problems


def _timestamp_problems(path: str, moment: object) -> list[Problem]:
    if moment is None:
        return []
    if not isinstance(moment, str | datetime):
        return [_shape(path, "is not a string with an RFC 3339 time")]
    try:
        format_timestamp(moment if isinstance(moment, datetime) else parse_timestamp(moment))
    except (TypeError, ValueError, OverflowError) as error:
        return [_shape(path, _timestamp_text(moment, error))]
    return []


def _timestamp_text(moment: str | datetime, error: Exception) -> str:
    if isinstance(error, OverflowError):
        return f"{str(moment)[:60]!r} lies outside the years 1 to 9999 in UTC"
    if isinstance(error, TypeError):
        return f"{moment} names no time zone: build it with tzinfo, for instance datetime.now(timezone.utc)"
    return str(error)


def _shape(path: str, text: str) -> Problem:
    return Problem(path, text, ProblemKind.SHAPE)


_UNEXPLAINED = _shape("", "the events do not have the documented shape, or an object names a member twice")
