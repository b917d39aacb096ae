"""Risk providers on the wire. Source: the risk providers API page (spec facts: name <= 50, action default log_only)."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.signals.events import decode_json
from tocsin.signals.levels import RiskProviderAction
from tocsin.signals.limits import CLIENT_ID_CHARS, NAME_CHARS
from tocsin.signals.problems import InvalidSignals, Problem, ProblemKind
from tocsin.signals.timestamps import Timestamp

NO_CLIENT_ID = "null"
_ACTIONS = frozenset(RiskProviderAction)


class RiskProvider(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Who asserts risk events, and what the org does with them."""

    name: str
    client_id: str | None
    """Id of the OAuth service app that sends; None only for the provider an org starts with."""
    action: RiskProviderAction = RiskProviderAction.LOG_ONLY
    id: str | None = None
    """`rkp` and 17 base62 characters. Read-only, like all below: given by the org, ignored when sent."""
    created: Timestamp | None = None
    last_updated: Timestamp | None = None
    links: dict[str, Any] | None = msgspec.field(name="_links", default=None)


def decode_provider(body: bytes, *, client_id_needed: bool = True) -> RiskProvider:
    """
    The checked name, clientId and action of a create or replace body; read-only and unknown fields are dropped.

    Args:
        client_id_needed: False for the provider an org starts with, which has none and may be replaced as it was read.
    Raises: InvalidSignals, with every problem and its path.
    """
    value = decode_json(body)
    if problems := provider_problems(value, client_id_needed=client_id_needed):
        raise InvalidSignals(problems)
    assert isinstance(value, Mapping)
    action = RiskProviderAction(value.get("action") or RiskProviderAction.LOG_ONLY)
    return RiskProvider(name=value["name"], client_id=_client_id(value), action=action)


def provider_problems(value: object, *, client_id_needed: bool = True) -> list[Problem]:
    """Everything wrong with `value` as a provider to create or replace; `value` is what a JSON decoder gives."""
    if not isinstance(value, Mapping):
        return [Problem("", "is not a risk provider (a JSON object)", ProblemKind.SHAPE)]
    problems = _text_problems("name", value.get("name"), NAME_CHARS)
    if client_id_needed or _client_id(value) is not None:
        problems += _text_problems("clientId", _client_id(value), CLIENT_ID_CHARS)
    action = value.get("action")
    if action is not None and (not isinstance(action, str) or action not in _ACTIONS):
        text = f"{str(action)[:30]!r} is not none, log_only or enforce_and_log"
        problems.append(Problem("action", text, ProblemKind.SHAPE))
    return problems


def _client_id(value: Mapping[str, Any]) -> Any:
    """The string "null" is how the one of no client is printed, and how official clients send it back."""
    client_id = value.get("clientId")
    return None if client_id == NO_CLIENT_ID else client_id


def _text_problems(path: str, text: object, at_most: int) -> list[Problem]:
    if text is None or (isinstance(text, str) and not text.strip()):
        return [Problem(path, "is missing", ProblemKind.MISSING)]
    if not isinstance(text, str):
        return [Problem(path, "is not a string", ProblemKind.SHAPE)]
    if len(text) > at_most:
        return [Problem(path, f"{len(text)} characters: at most {at_most} are allowed")]
    if not text.isprintable():  # U: it is shown on terminals and in logs
        return [Problem(path, "holds a character that cannot be printed")]
    return []
