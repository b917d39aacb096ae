"""GET /api/v1/logs: a page of the System Log, and links to it and on from it. Source: spec 5.1, 5.2."""

from urllib.parse import parse_qsl

from tocsin.org.http.exchange import Exchange
from tocsin.org.http.links import link_header
from tocsin.org.http.log_errors import log_refusal
from tocsin.org.http.log_query import read_query
from tocsin.org.log.query import Cursor, LogTimeout
from tocsin.org.org import Org

LOGS_PATH = "/api/v1/logs"
_SETTLED_WITHIN_S = 1.0


async def tell_log(org: Org, exchange: Exchange, *, base_url: str) -> None:
    """200 with the events as a JSON array; links are made from `base_url`."""
    given = parse_qsl(exchange.query.decode("latin-1"), keep_blank_values=True)
    query = read_query(dict(given), now_ms=org.now_ms)
    # Whoever looks for what it just did shall find it, where the projections are but a moment behind.
    await org.projector.wait_for(await org.journal.last(), at_most_s=_SETTLED_WITHIN_S)
    try:
        page = await org.system_log.page(query, now_ms=org.now_ms)
    except LogTimeout as error:
        raise log_refusal(error) from error
    place = f"{base_url}{LOGS_PATH}"
    links = [link_header(place, given, "self")]
    if page.following is not None:
        after = Cursor(query.order, page.following).text()
        links.append(link_header(place, [*(pair for pair in given if pair[0] != "after"), ("after", after)], "next"))
    await exchange.answer(200, b"[" + b",".join(page.events) + b"]", links)
