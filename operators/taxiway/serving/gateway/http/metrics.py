"""The gateway's metrics for Prometheus.

Names and labels: https://prometheus.io/docs/practices/naming/. Labels have the names of served models and known callers only, so their
number does not grow with what is sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from taxiway.serving.gateway.models.served_model import ServedModel

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class GatewayMetrics:
    """The counters and histograms of requests, and gauges of the served models, which are read at each scrape.

    Args:
        models: Returns the served models.
    """

    def __init__(self, models: Callable[[], Iterable[ServedModel]]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "taxiway_requests",
            "Requests for predictions, by HTTP status.",
            ["model", "caller", "status"],
            registry=self._registry,
        )
        self._refused = Counter(
            "taxiway_requests_over_limit",
            "Requests refused because the caller exceeded its rate or its rows of the day.",
            ["model", "caller"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "taxiway_request_seconds",
            "Seconds from the received body to the answer.",
            ["model"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._labels = Counter(
            "taxiway_labels",
            "Labels of predictions from callers, by outcome: recorded, corrected, unchanged or refused.",
            ["model", "caller", "outcome"],
            registry=self._registry,
        )
        self._registry.register(_Models(models))

    def answered(self, model: str, caller: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(model, caller, str(status)).inc()
        self._seconds.labels(model).observe(seconds)

    def refused(self, model: str, caller: str) -> None:
        """Count a request that exceeds a limit of its caller."""
        self._refused.labels(model, caller).inc()

    def labelled(self, model: str, caller: str, counts: Mapping[str, int]) -> None:
        """Count labels by their outcome."""
        for outcome, count in counts.items():
            self._labels.labels(model, caller, outcome).inc(count)

    def text(self) -> tuple[bytes, str]:
        """The metrics in Prometheus' text format, and its media type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _Models(Collector):
    """The gauges of the served models."""

    def __init__(self, models: Callable[[], Iterable[ServedModel]]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        version = GaugeMetricFamily(
            "taxiway_champion_version", "The version that answers; 0 if there is none.", labels=["model"]
        )
        age = GaugeMetricFamily("taxiway_champion_age_seconds", "Seconds since the version began to answer.", labels=["model"])
        queued = GaugeMetricFamily(
            "taxiway_queued_requests", "Requests that wait for the champion or are in progress.", labels=["model"]
        )
        problem = GaugeMetricFamily("taxiway_problem", "1 if the status of the model names a problem.", labels=["model"])
        away = GaugeMetricFamily("taxiway_registry_away", "1 if the MLflow registry does not answer.", labels=["model"])
        for model in self._models():
            champion = model.champion.current
            version.add_metric([model.name], champion.version.version if champion else 0)
            if champion:
                age.add_metric([model.name], (datetime.now(UTC) - champion.since).total_seconds())
            queued.add_metric([model.name], champion.server.unanswered if champion else 0)
            problem.add_metric([model.name], float(bool(model.problem)))
            away.add_metric([model.name], float(model.champion.registry_away_since is not None))
        yield from (version, age, queued, problem, away)
