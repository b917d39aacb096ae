"""CrowdSec's Local API, as far as bouncers use it. Source: answers recorded from CrowdSec 1.4.6; usage metrics: 1.6.

One look-up for one IP is what bouncers ask all day, so that has a way of its own here, without an `Exchange`: a query
in one of its two plain forms, one hash, one look into the index, one answer. All else goes the slow way, which answers
the same (a test compares the two).
"""

from collections import Counter
from tempfile import SpooledTemporaryFile
from traceback import format_exception

import msgspec
import structlog

from tocsin.errors import TocsinError
from tocsin.journal import JournalError
from tocsin.org.bouncers import Bouncer
from tocsin.org.crowdsec.changes import Scribe
from tocsin.org.crowdsec.feed import Pull
from tocsin.org.crowdsec.filters import BadFilter, Filter, read_filter
from tocsin.org.http.errors import Refusal
from tocsin.org.http.exchange import ClientGone, Message, Receive, Scope, Send, read_body
from tocsin.org.http.lapi_answers import CHUNK_CHARS, Answers, LongAnswer
from tocsin.org.org import Org
from tocsin.signals import from_ms, ip_key, ip_text

DECISIONS_PATH = "/v1/decisions"
STREAM_PATH = "/v1/decisions/stream"
USAGE_METRICS_PATH = "/v1/usage-metrics"
UP_PATH = "/health"
_MACHINES_PATHS = ("/v1/alerts", "/v1/watchers", "/v1/heartbeat", "/v1/allowlists")
_BY_IP, _BY_VALUE = b"ip=", b"scopes=Ip&value="
CATCH_UP_S = 2.0
_MOST_METRICS_BYTES = 1024 * 1024
_SPOOL_BYTES = 1024 * 1024
_log = structlog.get_logger("tocsin.org")


class BouncerDoor:
    """The ASGI application for all paths that are CrowdSec's."""

    def __init__(self, org: Org, counts: Counter[tuple[str, int]]) -> None:
        """`counts` counts answers by area and status."""
        self._org = org
        self._answers = Answers(org.clock, counts)
        self._doors = {
            ("GET", DECISIONS_PATH): self._decisions,
            ("HEAD", DECISIONS_PATH): self._decisions,
            ("GET", STREAM_PATH): self._stream,
            ("HEAD", STREAM_PATH): self._stream,
            ("POST", USAGE_METRICS_PATH): self._usage_metrics,
        }

    def handles(self, path: str) -> bool:
        """Whether `path` is CrowdSec's."""
        return path.startswith("/v1/") or path == UP_PATH

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        try:
            if scope["path"] != UP_PATH:
                await self._org.freshness.confirm(or_local=True)
            body = self._at_once(scope)
        except Exception as error:  # as in `front`: a mistake of ours becomes an answer
            return await self._tell_fault(send, error)
        if body is not None:
            return await self._answers.whole(send, 200, body)
        return await self._take_time(scope, receive, send)

    async def _take_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._serve(scope, receive, noting)
        except BadFilter as error:
            await self._answers.told(send, 500, str(error))
        except ClientGone:
            return
        except Exception as error:  # see above; what was begun is broken off, so that nobody takes it for whole
            await self._tell_fault(None if started else send, error)

    async def _tell_fault(self, send: Send | None, error: Exception) -> None:
        if isinstance(error, TocsinError):
            _log.error("request.failed", error=str(error), remedy=error.hint)
        else:
            _log.error("request.failed", exception="".join(format_exception(error)))
        if send is not None:
            status = 503 if isinstance(error, JournalError) else 500
            await self._answers.told(send, status, "the decisions cannot be read")

    def routes(self) -> set[tuple[str, str]]:
        """Method and path of every door; HEAD comes with GET."""
        return {key for key in self._doors if key[0] != "HEAD"} | {("GET", UP_PATH)}

    def _at_once(self, scope: Scope) -> bytes | None:
        """The answer to a plain question about one IP; None for one that has to go the slow way."""
        if scope["path"] != DECISIONS_PATH or scope["method"] != "GET":
            return None
        org, query = self._org, scope["query_string"]
        by_value = query.startswith(_BY_VALUE)
        if not by_value and not query.startswith(_BY_IP):
            return None
        if self._org.bouncers.of_key(_key_of(scope)) is None:
            return None
        try:
            text = query[len(_BY_VALUE if by_value else _BY_IP) :].decode("ascii")
            key = ip_key(text)
            look = org.index.look_up(key)
        except (ValueError, TocsinError):
            return None
        if by_value and ip_text(key) != text:
            return None
        now_ms = org.now_ms
        one = org.holding(key, look.assertions, now_ms=now_ms)
        return b"null" if one is None else f"[{one.json(now_ms)}]".encode()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method, answers = scope["path"], scope["method"], self._answers
        if path == UP_PATH:
            if method != "GET":
                return await answers.empty(send, 405, [(b"allow", b"GET")])
            return await answers.whole(send, 200, b'{"status":"up"}')
        if path.startswith(_MACHINES_PATHS) or (method == "DELETE" and path.startswith(DECISIONS_PATH)):
            # What a CrowdSec agent would ask, with a login that this org does not give.
            header = (b"www-authenticate", b"JWT realm=Crowdsec API local")
            return await answers.whole(send, 401, b'{"code":401,"message":"cookie token is empty"}', [header])
        if path in (DECISIONS_PATH + "/", STREAM_PATH + "/"):
            return await answers.empty(send, 301, [(b"location", path.rstrip("/").encode())])
        door = self._doors.get((method, path))
        if door is None:
            allowed = b", ".join(sorted(other.encode() for other, at in self._doors if at == path))
            known = allowed or path.startswith(DECISIONS_PATH)
            return await (answers.empty(send, 405, [(b"allow", allowed)]) if known else answers.empty(send, 404))
        key = _key_of(scope)
        bouncer = await self._org.bouncer_of(key) if key else None
        if bouncer is None:
            return await answers.told(send, 403, "access forbidden")
        return await door(scope, receive, send, bouncer)

    async def _decisions(self, scope: Scope, _receive: Receive, send: Send, _bouncer: Bouncer) -> None:
        wanted = read_filter(scope["query_string"])
        if scope["method"] == "HEAD":
            return await self._answers.head(send)
        return await _tell_all(Scribe(self._org, wanted), self._long(scope, send))

    async def _stream(self, scope: Scope, _receive: Receive, send: Send, bouncer: Bouncer) -> None:
        startup = b"startup=true" in scope["query_string"].split(b"&")
        is_alone = not self._org.freshness.reachable
        pull = None if startup or is_alone else await self._org.pulls.of(bouncer.id)
        wanted = _stream_filter(scope["query_string"], startup=startup, pull=pull)
        if scope["method"] == "HEAD":  # nobody was told anything, so nothing is noted
            return await self._answers.head(send)
        if is_alone and not startup:
            # Nothing is heard of. What ends, ends by the duration that was told; the rest is told afterwards.
            return await self._answers.whole(send, 200, b'{"deleted":null,"new":null}')
        if pull is not None and not await self._org.projector.wait_for(pull.seq, at_most_s=CATCH_UP_S):
            # Another node told it more than this one has: it would be told as new what was deleted since.
            return await self._answers.told(send, 503, "this node is behind what was told before")
        scribe = Scribe(self._org, wanted)
        if startup or pull is None:
            await _tell_all(scribe, self._long(scope, send), before='{"deleted":null,"new":', after="}")
        else:
            await _tell_changes(scribe, pull, self._long(scope, send))
        # Only now: what was under way when the process was killed is told again.
        return await self._org.pulls.note(bouncer.id, scribe.until)

    async def _usage_metrics(self, _scope: Scope, receive: Receive, send: Send, _bouncer: Bouncer) -> None:
        """What bouncers of CrowdSec 1.6 and later report. It is checked to be JSON, and not kept."""
        within_s = self._org.config.http.body_timeout_s
        try:
            msgspec.json.decode(await read_body(receive, at_most=_MOST_METRICS_BYTES, within_s=within_s), type=dict)
        except Refusal as refusal:
            late = refusal.status == 408
            text = "request body did not come" if late else "request body too large"
            return await self._answers.told(send, refusal.status, text)
        except ClientGone:
            return await self._answers.told(send, 400, "unexpected EOF")
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            return await self._answers.told(send, 400, str(error))
        return await self._answers.empty(send, 201)

    def _long(self, scope: Scope, send: Send) -> LongAnswer:
        zipped = b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b"")
        return LongAnswer(self._answers, send, zipped=zipped)


def _key_of(scope: Scope) -> str:
    """The bouncer's key, of several the first, as CrowdSec reads it; empty when there is none."""
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return str(value, "latin-1")
    return ""


def _stream_filter(query: bytes, *, startup: bool, pull: Pull | None) -> Filter:
    try:
        return read_filter(query, stream=True)
    except BadFilter as error:
        since = f"{from_ms(pull.at_ms if pull else 0):%Y-%m-%d %H:%M:%S.%f} +0000 UTC"
        what = "get all decisions with filters" if startup else f"new decisions since '{since}'"
        raise BadFilter(f"{what}: unable to query") from error


async def _tell_all(scribe: Scribe, answer: LongAnswer, *, before: str = "", after: str = "") -> None:
    comma = before + "["
    async for one in scribe.all():
        await answer.write(comma + one.json(scribe.until.at_ms))
        comma = ","
    await answer.end(f"]{after}" if comma == "," else f"{before}null{after}")


async def _tell_changes(scribe: Scribe, pull: Pull, answer: LongAnswer) -> None:
    # What is deleted stands first in the answer, so what is new waits meanwhile, on the disk when it is much.
    with SpooledTemporaryFile(_SPOOL_BYTES, mode="w+", encoding="utf-8") as waiting:
        comma, waiting_comma = '{"deleted":[', "["
        async for change in scribe.since(pull):
            for gone in change.deleted:
                await answer.write(comma + gone.json(scribe.until.at_ms))
                comma = ","
            if change.new is not None:
                waiting.write(waiting_comma + change.new.json(scribe.until.at_ms))
                waiting_comma = ","
        await answer.write('],"new":' if comma == "," else '{"deleted":null,"new":')
        waiting.write("]" if waiting_comma == "," else "null")
        waiting.seek(0)
        while part := waiting.read(CHUNK_CHARS):
            await answer.write(part)
    await answer.end("}")
