"""/metrics: how much is done, in Prometheus' text form. No secrets, no addresses, and no label a client could make up.

Of a node of a fleet, all that an org counts is labelled with its name. Who shows a token is told of the org that it is
of; who needs none, being on the machine itself, is told of all.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tocsin.loopback import is_loopback
from tocsin.org.config import Http
from tocsin.org.http.exchange import Exchange
from tocsin.org.org import Org

METRICS_PATH = "/metrics"
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"
_PROCESS = ProcessCollector(registry=None)


def needs_no_token(http: Http, exchange: Exchange) -> bool:
    """Whether metrics are asked for on this machine itself, as far as can be told, and that is to be enough."""
    if not (exchange.path == METRICS_PATH and http.open_metrics and is_loopback(exchange.peer)):
        return False
    return not (exchange.all_headers(b"x-forwarded-for") or exchange.all_headers(b"forwarded"))


class OrgMetrics:
    """What one org counts, and can be asked."""

    def __init__(self, org: Org, name: str | None) -> None:
        """`name` is its name in a fleet; None where it is alone."""
        self.org = org
        self.labels = {} if name is None else {"org": name}
        self.answers: Counter[tuple[str, int]] = Counter()
        """By area and status."""

    async def tell(self, exchange: Exchange) -> None:
        """200 with all of it. Raises JournalError."""
        await tell_metrics(exchange, [Figures(self, await self.org.journal.last())])


class Figures(NamedTuple):
    """Of one org at one moment."""

    metrics: OrgMetrics
    last: int
    """Seq of the last entry that is known to be in its journal."""


async def tell_metrics(
    exchange: Exchange, open_orgs: Sequence[Figures], ready: Mapping[str, bool] | None = None
) -> None:
    """200 with what each of `open_orgs` counts and, of a node, whether each of its orgs is ready."""
    text = generate_latest(_Scrape(open_orgs, ready))
    headers = [(b"content-type", _TEXT), (b"content-length", b"%d" % len(text))]
    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
    await exchange.send({"type": "http.response.body", "body": text})


class _Scrape(Collector):
    def __init__(self, orgs: Sequence[Figures], ready: Mapping[str, bool] | None) -> None:
        self._orgs, self._ready = orgs, ready

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        if self._ready is not None:
            standing = GaugeMetricFamily("tocsin_ready", "Whether the org is ready, as /readyz tells.", labels=["org"])
            for name, is_ready in self._ready.items():
                standing.add_metric([name], is_ready)
            yield standing
        names = [name for one in self._orgs[:1] for name in one.metrics.labels]
        answers = CounterMetricFamily("tocsin_answers", "Answers sent.", labels=[*names, "area", "status"])
        for metrics, _ in self._orgs:
            for (area, status), count in sorted(metrics.answers.items()):
                answers.add_metric([*metrics.labels.values(), area, str(status)], count)
        yield answers
        for gauge, text, value in _GAUGES:
            family = GaugeMetricFamily(gauge, text, labels=names)
            for one in self._orgs:
                family.add_metric([*one.metrics.labels.values()], value(one.metrics.org, one.last))
            yield family
        yield from _PROCESS.collect()


_GAUGES: Sequence[tuple[str, str, Callable[[Org, int], int]]] = (
    ("tocsin_journal_last_seq", "Seq of the journal's last entry.", lambda _, last: last),
    ("tocsin_applied_seq", "Seq of the last entry that all projections have.", lambda org, _: org.projector.applied),
    (
        "tocsin_projection_lag",
        "Entries that some projection does not have yet.",
        lambda org, last: max(0, last - org.projector.applied),
    ),
    ("tocsin_held_ips", "IPs in the risk index, expired ones among them.", lambda org, _: len(org.index)),
    ("tocsin_providers", "Risk providers.", lambda org, _: len(org.providers.all())),
    ("tocsin_bouncers", "Bouncers.", lambda org, _: len(org.bouncers.all())),
)
