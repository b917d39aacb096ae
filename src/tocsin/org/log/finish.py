"""Makes a draft an event: the members that every event has, from the deed and its place in the journal. Pure."""

import hashlib
import uuid

from msgspec import UNSET

from tocsin.journal.protocol import Entry  # not the door: what is pure must not import what waits
from tocsin.org.log.draft import MOST_EVENTS, Caller, Draft
from tocsin.org.log.event import (
    AuthenticationContext,
    Client,
    DebugContext,
    Hop,
    LogEvent,
    RequestChain,
    SecurityContext,
    Transaction,
    UserAgent,
)
from tocsin.org.log.user_agent import browser_of, device_of, system_of
from tocsin.org.records import AuthorKind, Deed
from tocsin.signals import format_timestamp, from_ms

_UUID_EPOCH_MS = 12_219_292_800_000  # from 1582-10-15, where the clock of RFC 9562, 5.1 starts, to 1970-01-01
_TICKS_PER_MS = 10_000
_NO_SESSION = "unknown"


def finish(draft: Draft, entry: Entry, number: int, *, explained: bool = True) -> LogEvent:
    """
    The event of a draft that is number `number`, from 0, of `entry`.

    Args:
        explained: False leaves `debugData` empty, which is what costs most.
    """
    deed = draft.deed
    event_id = str(event_uuid(entry, number, published_ms=deed.at_ms))
    return LogEvent(
        actor=draft.actor,
        client=None if draft.caller is None else _client(draft.caller, deed),
        device=None,
        authentication_context=_authentication(deed),
        display_message=draft.message,
        event_type=draft.event_type,
        outcome=draft.outcome,
        published=format_timestamp(from_ms(deed.at_ms)),
        security_context=SecurityContext(risk=UNSET if draft.risk is None else draft.risk),
        severity=draft.severity,
        debug_context=DebugContext({**_request_data(deed), **draft.debug()} if explained else {}),
        legacy_event_type=draft.legacy_type,
        transaction=_transaction(deed, event_id),
        uuid=event_id,
        version="0",
        request=RequestChain([] if draft.caller is None or not draft.caller.ip else [_hop(draft.caller.ip)]),
        target=list(draft.targets) or None,
    )


def event_uuid(entry: Entry, number: int, *, published_ms: int) -> uuid.UUID:
    """
    A time-based UUID (RFC 9562, version 1) that is the same wherever and whenever the journal is read.

    The time is `published_ms`, with a fraction that tells neighbours apart; clock sequence and node are a hash of the
    entry, with the bit that says that the node is no real one.
    """
    fraction = (entry.seq * MOST_EVENTS + number) % _TICKS_PER_MS
    ticks = (published_ms + _UUID_EPOCH_MS) * _TICKS_PER_MS + fraction
    seed = b"%d.%d.%s." % (entry.seq, number, entry.topic.encode())
    digest = hashlib.blake2b(seed + entry.body, digest_size=8).digest()
    node = int.from_bytes(digest[:6]) | 1 << 40
    sequence = int.from_bytes(digest[6:])
    fields = (
        ticks & 0xFFFFFFFF,
        ticks >> 32 & 0xFFFF,
        ticks >> 48 & 0x0FFF | 0x1000,
        sequence >> 8 & 0x3F | 0x80,
        sequence & 0xFF,
        node,
    )
    return uuid.UUID(fields=fields)


def _client(caller: Caller, deed: Deed) -> Client:
    agent = caller.user_agent
    return Client(
        user_agent=UserAgent(agent or None, system_of(agent), browser_of(agent)),
        zone="null",  # seen: the text, where there is no zone
        device=device_of(agent),
        id=deed.author.id if deed.author.kind is AuthorKind.CLIENT else None,
        ip_address=caller.ip or None,
        geographical_context=None,
    )


def _authentication(deed: Deed) -> AuthenticationContext:
    # Seen: a call of the API has a session of its own, `trs` and some characters.
    session = _NO_SESSION if deed.origin is None else f"trs{deed.origin.request_id}"
    return AuthenticationContext(None, None, None, None, None, 0, None, session)


def _request_data(deed: Deed) -> dict[str, str]:
    if deed.origin is None:
        return {}
    path = deed.origin.path
    return {"requestId": deed.origin.request_id, "requestUri": path, "url": f"{path}?"}


def _transaction(deed: Deed, event_id: str) -> Transaction:
    if deed.origin is None:
        return Transaction("JOB", event_id, {})
    detail = {"requestApiTokenId": deed.author.id} if deed.author.kind is AuthorKind.TOKEN else {}
    return Transaction("WEB", deed.origin.request_id, detail)


def _hop(ip: str) -> Hop:
    return Hop(ip, None, "V6" if ":" in ip else "V4", None)
