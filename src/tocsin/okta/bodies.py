"""The body of a request from what a caller gave: checked first, then encoded. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from tocsin import signals
from tocsin.okta.exceptions import ApiTypeError, InvalidInstance
from tocsin.okta.models.json_object import plain
from tocsin.okta.models.risk_event import RiskEvent
from tocsin.okta.models.risk_event_subject import RiskEventSubject
from tocsin.okta.models.risk_provider import RiskProvider

_SUBJECTS = (RiskEventSubject, signals.RiskEventSubject)

RiskEvents = Sequence[RiskEvent | signals.RiskEvent | Mapping[str, Any]]
"""What `send_risk_events` takes: models, plain dicts in either spelling, or the structs the relay packs."""


def events_body(instance: RiskEvents, *, check: bool) -> bytes:
    """
    The JSON of a list of risk events.

    Raises: InvalidInstance, with every problem, when `check`; ApiTypeError for what is not a list, or, unchecked, for
    what JSON cannot hold.
    """
    if isinstance(instance, str | bytes | Mapping) or not isinstance(instance, Sequence):
        raise ApiTypeError("risk events are sent as a list", hint="put it in a list: send_risk_events([event])")
    if not check:
        return _json(_as_plain(instance))
    events = _as_structs(instance)
    if events is not None and signals.conforms(events):
        return signals.encode_events(events)
    problems = signals.event_problems(_as_plain(instance))
    raise InvalidInstance("risk events are not valid", problems or [_UNEXPLAINED])


def provider_body(instance: RiskProvider | Mapping[str, Any], *, check: bool, client_id_needed: bool) -> bytes:
    """The JSON of a provider to create or to replace. Raises like `events_body`."""
    provider = RiskProvider.from_dict(instance) if isinstance(instance, Mapping) else instance
    if not isinstance(provider, RiskProvider):
        raise ApiTypeError(f"a RiskProvider is needed, not {type(instance).__name__}")
    problems = signals.provider_problems(provider.to_plain(), client_id_needed=client_id_needed) if check else []
    if problems:
        raise InvalidInstance("the risk provider is not valid", problems)
    return _json(provider.to_dict())


def _as_structs(instance: Sequence[Any]) -> list[signals.RiskEvent] | None:
    """Structs of what could be right; None when something is there that no struct can hold."""
    try:
        return [item if isinstance(item, signals.RiskEvent) else _event(item) for item in instance]
    except (AttributeError, KeyError, TypeError):
        return None


def _event(item: Any) -> signals.RiskEvent:
    event = RiskEvent.from_dict(item) if isinstance(item, Mapping) else item
    # The subjects stay the models they are: `conforms` takes nothing on trust, and they encode like the structs.
    subjects: Any = event.subjects
    if not all(issubclass(kind, _SUBJECTS) for kind in set(map(type, subjects))):
        raise TypeError("not a subject")
    return signals.RiskEvent(subjects, _moment(event.timestamp), _moment(event.expires_at))


def _moment(value: object) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    raise TypeError("not a time")


def _as_plain(instance: Sequence[Any]) -> list[Any]:
    return [_plain_event(item) for item in instance]


def _plain_event(item: Any) -> Any:
    if isinstance(item, signals.RiskEvent):
        return msgspec.to_builtins(item, builtin_types=(datetime,))
    return plain(RiskEvent.from_dict(item) if isinstance(item, Mapping) else item)


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(_wire(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise ApiTypeError(f"this cannot be sent as JSON: {error}") from None


def _wire(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _wire(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_wire(item) for item in value]
    return signals.format_timestamp(value) if isinstance(value, datetime) else value


_UNEXPLAINED = signals.Problem("", "the events do not have the documented shape", signals.ProblemKind.SHAPE)
