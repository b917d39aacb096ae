"""Risk events in the System Log. Source: spec 5.5."""

import struct
from collections.abc import Iterator
from itertools import chain, islice, repeat

from tocsin.org.log.draft import UNKNOWN, Draft, Known, Named, drafted
from tocsin.org.log.kinds.providers import provider_target
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed
from tocsin.signals import RiskLevel, RiskProviderAction, ip_text
from tocsin.signals.ip import KEY_BYTES
from tocsin.signals.limits import SUBJECTS_PER_REQUEST

_KEY = struct.Struct(f"{KEY_BYTES}s")
_LEVELS = {level.severity: level.value for level in RiskLevel}


def risk_events_consumed(record: RiskEventsConsumed, known: Known, *, show_messages: bool) -> list[Draft]:
    """One event for the whole request (I); none when its provider's action is `none` (D)."""
    provider = known(record.provider_id) or UNKNOWN
    if provider.state == RiskProviderAction.NONE:
        return []
    return [
        drafted(
            record.deed,
            "security.risk.signal.consume",
            "Consume risk signals",
            provider_target(record.provider_id, provider.name),
            debug=lambda: _signals(record, provider, show_messages=show_messages),
        )
    ]


def _signals(record: RiskEventsConsumed, provider: Named, *, show_messages: bool) -> dict[str, str]:
    subjects = chain.from_iterable(_subjects(event, show_messages=show_messages) for event in record.events)
    return {
        "riskSignalProviderId": record.provider_id,
        "riskSignalProviderName": provider.name,
        "riskSignalProviderAction": provider.state.upper(),
        "riskSignalSize": str(sum(len(event.severities) for event in record.events)),
        # A request has no more; a journal of another version might.
        "riskSignalList": f"[{', '.join(islice(subjects, SUBJECTS_PER_REQUEST))}]",
    }


def _subjects(event: ConsumedEvent, *, show_messages: bool) -> Iterator[str]:
    """Each subject as Java prints it, spelt out here and not by `java_map`: a request has a thousand."""
    messages = event.messages if show_messages and event.messages is not None else repeat("")
    ips = map(ip_text, (key for (key,) in _KEY.iter_unpack(event.ips)))
    for ip, severity, message in zip(ips, event.severities, messages, strict=False):
        more = f", message={message}" if message else ""
        yield f"{{ip={ip}, riskLevel={_LEVELS[severity]}{more}}}"
