"""/healthz, /readyz and /metrics: is the process up, can it do its work, and how much does it do."""

import shutil
from collections import Counter
from collections.abc import Iterator

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tocsin.journal import JournalError
from tocsin.loopback import is_loopback
from tocsin.org.http.exchange import Exchange
from tocsin.org.org import Org

HEALTH_PATH, READY_PATH, METRICS_PATH = "/healthz", "/readyz", "/metrics"
CATCH_UP_S = 2.0
LEAST_FREE_BYTES = 64 * 1024 * 1024
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class Standing(Struct, frozen=True, rename="camel"):
    """Whether an org can take events in and answer with what it took in, and how far it is."""

    ready: bool
    why_not: list[str]
    applied: int
    """The last seq that all projections have."""
    last: int
    """The last seq that is known to be in its journal, never less than `applied`; seqs of a fleet skip numbers."""
    lag: int
    """How far the projections are behind it, in seqs; of a fleet, of what has been in the journal for some seconds."""
    late_s: float
    """For how long, at least, what they lack has been in the journal."""


class NodeStanding(Struct, frozen=True, rename="camel"):
    """The same of a node of a fleet as a whole, for whoever asks at a host that is no org's."""

    ready: bool
    why_not: list[str]
    connected: bool
    """Whether a server of the fleet is there; without one, decisions are answered from what was known."""
    orgs: dict[str, Standing]


async def tell_health(exchange: Exchange, standing: Standing | NodeStanding) -> None:
    """/healthz and /readyz, where the standing is known without asking anybody."""
    if exchange.path == HEALTH_PATH:
        await tell_alive(exchange)
    else:
        await _tell(exchange, standing)


async def tell_alive(exchange: Exchange) -> None:
    """/healthz, 200: the process answers."""
    await exchange.answer(200, b'{"status":"ok"}')


async def tell_ready(org: Org, exchange: Exchange) -> None:
    """/readyz, 200, or 503 with what is in the way."""
    await _tell(exchange, await readiness(org))


async def _tell(exchange: Exchange, standing: Standing | NodeStanding) -> None:
    await exchange.answer(200 if standing.ready else 503, msgspec.json.encode(standing))


async def readiness(org: Org, *, catch_up_s: float = CATCH_UP_S, least_free_bytes: int = LEAST_FREE_BYTES) -> Standing:
    """Whether the journal can be read and has room, and the projections get what is in it now within `catch_up_s`."""
    why_not = []
    last = 0
    try:
        last = await org.journal.last()
    except JournalError:
        why_not.append("the journal cannot be read")
    if shutil.disk_usage(org.index.path.parent).free < least_free_bytes:
        why_not.append("the disk is nearly full, so the journal can soon not be written")
    late_s = 0.0
    if not await org.projector.wait_for(last, at_most_s=catch_up_s):
        why_not.append("the projections are behind the journal")
        late_s = catch_up_s
    applied = org.projector.applied
    return Standing(not why_not, why_not, applied, max(last, applied), max(0, last - applied), late_s)


def needs_no_token(org: Org, exchange: Exchange) -> bool:
    """Whether metrics are asked for on this machine itself, as far as can be told, and that is to be enough."""
    if not (exchange.path == METRICS_PATH and org.config.http.open_metrics and is_loopback(exchange.peer)):
        return False
    return not (exchange.header(b"x-forwarded-for") or exchange.header(b"forwarded"))


class Metrics(Collector):
    """What the org counts. No secrets, no addresses, and no label that a client could make up."""

    def __init__(self, org: Org) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        """By area and status."""
        self._org = org
        self._last_seq = 0
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    async def tell(self, exchange: Exchange) -> None:
        """200 with all of them in Prometheus' text form. Raises JournalError."""
        self._last_seq = await self._org.journal.last()
        text = generate_latest(self._registry)
        headers = [(b"content-type", _TEXT), (b"content-length", b"%d" % len(text))]
        await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": text})

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        org, applied = self._org, self._org.projector.applied
        answers = CounterMetricFamily("tocsin_answers", "Answers sent.", labels=["area", "status"])
        for (area, status), count in sorted(self.answers.items()):
            answers.add_metric([area, str(status)], count)
        yield answers
        yield GaugeMetricFamily("tocsin_journal_last_seq", "Seq of the journal's last entry.", self._last_seq)
        yield GaugeMetricFamily("tocsin_applied_seq", "Seq of the last entry that all projections have.", applied)
        lag = max(0, self._last_seq - applied)
        yield GaugeMetricFamily("tocsin_projection_lag", "Entries that some projection does not have yet.", lag)
        yield GaugeMetricFamily("tocsin_held_ips", "IPs in the risk index, expired ones among them.", len(org.index))
        yield GaugeMetricFamily("tocsin_providers", "Risk providers.", len(org.providers.all()))
        yield GaugeMetricFamily("tocsin_bouncers", "Bouncers.", len(org.bouncers.all()))
