"""What a signal is: levels, IP keys, wire structs and their checks, limits of the pipe. Pure: no I/O, no clock."""

from tocsin.signals import limits
from tocsin.signals.events import (
    RiskEvent,
    RiskEventSubject,
    conforms,
    decode_events,
    decode_json,
    encode_events,
    event_problems,
)
from tocsin.signals.ip import canonical_ip, ip_key, ip_span, ip_text
from tocsin.signals.levels import RiskLevel, RiskProviderAction
from tocsin.signals.problems import InvalidSignals, Problem, ProblemKind, summary
from tocsin.signals.providers import RiskProvider, decode_provider, provider_problems
from tocsin.signals.signal import Batch, Retraction, Signal
from tocsin.signals.skipped import Skipped, SkipReason
from tocsin.signals.timestamps import format_timestamp, from_ms, parse_timestamp, to_ms

__all__ = [
    "Batch",
    "InvalidSignals",
    "Problem",
    "ProblemKind",
    "Retraction",
    "RiskEvent",
    "RiskEventSubject",
    "RiskLevel",
    "RiskProvider",
    "RiskProviderAction",
    "Signal",
    "SkipReason",
    "Skipped",
    "canonical_ip",
    "conforms",
    "decode_events",
    "decode_json",
    "decode_provider",
    "encode_events",
    "event_problems",
    "format_timestamp",
    "from_ms",
    "ip_key",
    "ip_span",
    "ip_text",
    "limits",
    "parse_timestamp",
    "provider_problems",
    "summary",
    "to_ms",
]
