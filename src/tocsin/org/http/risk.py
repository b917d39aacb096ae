"""The two hottest doors: risk events in, what is known about an IP out."""

from urllib.parse import parse_qs

import msgspec

from tocsin.org.http.errors import bad_argument, invalid, not_permitted
from tocsin.org.http.exchange import Exchange
from tocsin.org.http.views import ip_view
from tocsin.org.org import Org
from tocsin.org.records import AuthorKind
from tocsin.signals import InvalidSignals, decode_events, ip_key

RISK_EVENTS_PATH = "/api/v1/risk/events/ip"
IPS_PATH = "/risk/v1/ips/"
SEQ_HEADER = b"x-tocsin-journal-seq"
WAIT_AT_MOST_S = 10.0
MAX_SEQ = 10**18 - 1


async def take_risk_events(org: Org, exchange: Exchange) -> None:
    """POST /api/v1/risk/events/ip: 202 once durable, with the seq of the journal entry. Source: spec 1.1."""
    body = await exchange.json_body(unique_keys=False)  # decode_events sees to that, in less time
    try:
        events = decode_events(body)
    except InvalidSignals as error:
        raise invalid(error.problems) from error
    deed = exchange.deed()
    is_client = deed.author.kind is AuthorKind.CLIENT
    provider = org.providers.of_client(deed.author.id) if is_client else org.providers.default()
    if provider is None:
        raise not_permitted()  # I: nobody to attribute the events to
    seq = await org.accept(events, provider, deed=deed)
    await exchange.answer(202, headers=[(SEQ_HEADER, str(seq).encode())])


async def tell_about_ip(org: Org, exchange: Exchange, ip: str) -> None:
    """GET /risk/v1/ips/{ip}: 200 also for one nobody spoke about. `?after=SEQ` waits a while until that is applied."""
    try:
        key = ip_key(ip)
    except ValueError as error:
        raise bad_argument(str(error)) from None
    if exchange.query and (after := _after(exchange.query)):
        await org.projector.wait_for(after, at_most_s=WAIT_AT_MOST_S)
    await exchange.answer(200, msgspec.json.encode(ip_view(key, await org.look_up(key))))


def _after(query: bytes) -> int:
    values = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("after", ["0"])
    text = values[-1]
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_SEQ))):
        raise bad_argument("after is not the seq of a journal entry")
    return int(text)
