"""Risk events in the System Log. Source: spec 5.5."""

from itertools import chain, islice

from tocsin.org.log.draft import UNKNOWN, Draft, Known, Named, drafted
from tocsin.org.log.java import java_list, java_map
from tocsin.org.log.kinds.providers import provider_target
from tocsin.org.records import ConsumedEvent, RiskEventsConsumed
from tocsin.signals import RiskLevel, RiskProviderAction, ip_text
from tocsin.signals.ip import KEY_BYTES
from tocsin.signals.limits import SUBJECTS_PER_REQUEST

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
        "riskSignalList": java_list(islice(subjects, SUBJECTS_PER_REQUEST)),
    }


def _subjects(event: ConsumedEvent, *, show_messages: bool) -> list[str]:
    messages = event.messages if show_messages else None
    subjects = []
    for number, severity in enumerate(event.severities):
        ip = ip_text(event.ips[number * KEY_BYTES : (number + 1) * KEY_BYTES])
        subject = {"ip": ip, "riskLevel": _LEVELS[severity]}
        if messages is not None and messages[number]:
            subject["message"] = messages[number]
        subjects.append(java_map(subject))
    return subjects
