"""POST /risk/v1/ips:batch: how risky many IPs are, in one request."""

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tocsin.org.http.errors import not_well_formed, validation_failed
from tocsin.org.http.exchange import Exchange
from tocsin.org.http.views import time_text
from tocsin.org.org import Org
from tocsin.org.policy import Action
from tocsin.org.verdict import Weighed
from tocsin.signals import RiskLevel, ip_key, ip_text
from tocsin.signals.events import AnyIp

BATCH_PATH = "/risk/v1/ips:batch"
MOST_IPS = 10_000
_AT_ONCE = 200  # looked up in about a millisecond; then others get a turn
_MOST_CAUSES = 20


class Asked(Struct, frozen=True):
    """What is asked."""

    ips: Annotated[list[AnyIp], Meta(extra_json_schema={"minItems": 1, "maxItems": MOST_IPS})]


class Weight(Struct, frozen=True, rename="camel"):
    """The short answer about one IP; `GET /risk/v1/ips/{ip}` explains."""

    ip: str
    effective_level: RiskLevel | None
    action: Action
    rule: str
    until: str | None
    """Until when the effective level stands."""
    provider_id: str | None
    """Who says so."""


class Weights(Struct, frozen=True):
    """The answers, in the order asked."""

    ips: list[Weight]
    cursor: int
    """Everything up to this seq of the journal is in all answers."""


async def tell_about_ips(org: Org, exchange: Exchange) -> None:
    """200 with an answer for each of at most 10,000 IPs, in order. Raises Refusal (400)."""
    keys = _keys(await exchange.json_body())
    weights: list[Weight] = []
    cursor = org.projector.applied
    for start in range(0, len(keys), _AT_ONCE):
        async with org.turns:
            weights += [_weight(key, org.weigh(key)) for key in keys[start : start + _AT_ONCE]]
            await asyncio.sleep(0)
    await exchange.answer(200, msgspec.json.encode(Weights(weights, cursor)))


def _keys(body: bytes) -> list[bytes]:
    try:
        asked = msgspec.json.decode(body, type=Asked)
    except msgspec.MsgspecError:
        raise not_well_formed() from None
    if not 1 <= len(asked.ips) <= MOST_IPS:
        raise validation_failed("ips", [f"ips: 1 to {MOST_IPS} addresses are needed, not {len(asked.ips)}"])
    keys: list[bytes] = []
    causes: list[str] = []
    for place, text in enumerate(asked.ips):
        try:
            keys.append(ip_key(text))
        except ValueError as error:
            causes.append(f"ips[{place}]: {error}")
    if causes:
        raise validation_failed("ips", causes[:_MOST_CAUSES])
    return keys


def _weight(key: bytes, weighed: Weighed) -> Weight:
    said = weighed.said
    return Weight(
        ip=ip_text(key),
        effective_level=None if said is None else RiskLevel.of_severity(said.severity),
        action=weighed.ruling.action,
        rule=weighed.ruling.rule,
        until=None if said is None else time_text(said.expires_ms),
        provider_id=None if said is None else said.provider_id,
    )
