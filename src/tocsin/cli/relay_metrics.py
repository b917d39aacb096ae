"""What a running relay tells Prometheus, on a port of this machine alone."""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tocsin.cli.config import ConfigError
from tocsin.relay import Status

LOOKED_AT_EVERY_S = 2.0


class HasStatus(Protocol):
    """A relay, or all that a worker serves."""

    async def status(self) -> Status:
        """How it is doing."""
        ...


async def serve_metrics(relay: HasStatus, port: int) -> None:
    """Until cancelled. Raises: ConfigError, when the port is taken."""
    figures = _Figures(await relay.status())
    registry = CollectorRegistry()
    registry.register(figures)
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        hint = "give metrics_port another one"
        raise ConfigError(f"metrics cannot be served on port {port}: {error.strerror}", hint=hint) from None
    try:
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY_S)
            figures.status = await relay.status()
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()


class _Figures(Collector):
    """The last status, as metrics; asked for in another thread."""

    def __init__(self, status: Status) -> None:
        self.status = status

    def collect(self) -> Iterator[Metric]:
        status = self.status
        yield GaugeMetricFamily("tocsin_relay_ips", "IPs that something is held about", value=status.ips)
        yield GaugeMetricFamily("tocsin_relay_quarantined", "What was refused and waits", value=status.quarantined)
        yield from self._of_targets(status)
        yield from self._of_sources(status)

    def _of_targets(self, status: Status) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("tocsin_relay_pending", "IPs to be told about", labels=["target", "level"])
        oldest = GaugeMetricFamily("tocsin_relay_pending_age_seconds", "Of the oldest", labels=["target", "level"])
        left = GaugeMetricFamily("tocsin_relay_budget_left", "Requests left in the window", labels=["target"])
        paused = GaugeMetricFamily("tocsin_relay_paused", "1 while nothing is sent", labels=["target"])
        requests = CounterMetricFamily("tocsin_relay_requests", "Sent, whatever the answer", labels=["target"])
        retries = CounterMetricFamily("tocsin_relay_retries", "Of these, repeated ones", labels=["target"])
        delivered = CounterMetricFamily("tocsin_relay_delivered", "Subjects the target took", labels=["target"])
        for target in status.targets:
            for level, backlog in target.backlog.items():
                waiting.add_metric([target.name, level], backlog.count)
                oldest.add_metric([target.name, level], backlog.oldest_s)
            left.add_metric([target.name], target.left)
            paused.add_metric([target.name], int(bool(target.paused)))
            requests.add_metric([target.name], target.requests)
            retries.add_metric([target.name], target.retries)
            delivered.add_metric([target.name], target.delivered)
        yield from (waiting, oldest, left, paused, requests, retries, delivered)

    def _of_sources(self, status: Status) -> Iterator[Metric]:
        taken = CounterMetricFamily("tocsin_relay_taken", "Signals and retractions taken in", labels=["source"])
        lag = GaugeMetricFamily("tocsin_relay_source_lag_seconds", "Age of the newest observation", labels=["source"])
        stopped = GaugeMetricFamily("tocsin_relay_source_stopped", "1 while nothing comes", labels=["source"])
        for source in status.sources:
            taken.add_metric([source.name], source.taken)
            stopped.add_metric([source.name], int(bool(source.stopped)))
            if source.lag_s is not None:
                lag.add_metric([source.name], source.lag_s)
        yield from (taken, lag, stopped)
