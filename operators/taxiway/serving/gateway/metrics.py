"""The gateway's metrics for Prometheus.

Names and labels: https://prometheus.io/docs/practices/naming/. Labels have the names of served models, their versions and known callers
only, so their number does not grow with what is sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_PREDICT_BUCKETS_S = (0.0001, 0.00025, 0.0005, *_BUCKETS_S)
_ROWS_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 10_000)


@dataclass(frozen=True)
class ModelGauges:
    """What a scrape shows of a served model.

    Attributes:
        model: The registered model.
        version: The version that answers; 0 if there is none.
        age_s: The seconds since it began to answer; None if there is none.
        queued: How many requests wait or are in progress.
        restarts: How many processes of the champion replaced one that ended.
        restart_delay_s: After how many seconds the next one is started; 0 if none is delayed.
        has_problem: Whether its status names a problem.
        registry_away: Whether the registry does not answer.
    """

    model: str
    version: int
    age_s: float | None
    queued: int
    restarts: int
    restart_delay_s: float
    has_problem: bool
    registry_away: bool


class GatewayMetrics:
    """The counters and histograms of requests, and gauges of the served models, which are read at each scrape."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests for predictions, by HTTP status.", "model", "caller", "status")
        self._over_limit = self._counter(
            "requests_over_limit",
            "Requests refused because the caller exceeded its rate or its rows of the day.",
            "model",
            "caller",
        )
        self._refused = self._counter(
            "requests_refused", "Requests refused before a model was asked, by reason: token, scope or size.", "reason"
        )
        self._labels = self._counter(
            "labels",
            "Labels of predictions from callers, by outcome: recorded, corrected, unchanged or refused.",
            "model",
            "caller",
            "outcome",
        )
        self._mirrored = self._counter(
            "mirrored_requests", "Requests for the challenger, by outcome: queued or dropped.", "model", "outcome"
        )
        self._seconds = self._histogram("request_seconds", "Seconds from the received body to the answer.", _BUCKETS_S, "model")
        self._predict_seconds = self._histogram(
            "predict_seconds",
            "Seconds of a predict call of the champion, without waiting.",
            _PREDICT_BUCKETS_S,
            "model",
            "version",
        )
        self._explain_seconds = self._histogram(
            "explain_seconds", "Seconds of an explanation of predictions, without waiting.", _BUCKETS_S, "model"
        )
        self._predict_rows = self._histogram("predict_rows", "Rows of a predict call of the champion.", _ROWS_BUCKETS, "model")
        self._not_rolled = self._gauge("log_not_rolled_requests", "Logged requests that are not in the Parquet files yet.")
        self._uncommitted = self._gauge("log_uncommitted_requests", "Requests that wait to be committed to the log.")

    def follow(self, models: Callable[[], Iterable[ModelGauges]]) -> None:
        """Read gauges from the served models at each scrape."""
        self._registry.register(_Models(models))

    def answered(self, model: str, caller: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(model, caller, str(status)).inc()
        self._seconds.labels(model).observe(seconds)

    def over_limit(self, model: str, caller: str) -> None:
        """Count a request that exceeds a limit of its caller."""
        self._over_limit.labels(model, caller).inc()

    def refused(self, reason: str) -> None:
        """Count a request that was refused because of its token, the scope of its caller, or its size."""
        self._refused.labels(reason).inc()

    def labelled(self, model: str, caller: str, counts: Mapping[str, int]) -> None:
        """Count labels by their outcome."""
        for outcome, count in counts.items():
            self._labels.labels(model, caller, outcome).inc(count)

    def predicted(self, model: str, version: int, rows: int, seconds: float) -> None:
        """Count a predict call of the champion."""
        self._predict_seconds.labels(model, str(version)).observe(seconds)
        self._predict_rows.labels(model).observe(rows)

    def explained(self, model: str, seconds: float) -> None:
        """Count an explanation of the predictions of a request."""
        self._explain_seconds.labels(model).observe(seconds)

    def mirrored(self, model: str, requests: int, outcome: str) -> None:
        """Count requests that were queued for the challenger, or dropped."""
        self._mirrored.labels(model, outcome).inc(requests)

    def text(self, not_rolled: int, uncommitted: int) -> tuple[bytes, str]:
        """The metrics in Prometheus' text format, and its media type.

        Args:
            not_rolled: How many logged requests are not in the Parquet files.
            uncommitted: How many requests wait to be committed to the log.
        """
        self._not_rolled.set(not_rolled)
        self._uncommitted.set(uncommitted)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"taxiway_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"taxiway_{name}", text, labels, buckets=buckets, registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"taxiway_{name}", text, registry=self._registry)


class _Models(Collector):
    """The gauges of the served models."""

    def __init__(self, models: Callable[[], Iterable[ModelGauges]]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        version = GaugeMetricFamily(
            "taxiway_champion_version", "The version that answers; 0 if there is none.", labels=["model"]
        )
        age = GaugeMetricFamily("taxiway_champion_age_seconds", "Seconds since the version began to answer.", labels=["model"])
        queued = GaugeMetricFamily(
            "taxiway_queued_requests", "Requests that wait for the champion or are in progress.", labels=["model"]
        )
        restarts = CounterMetricFamily(
            "taxiway_worker_restarts", "Processes of the champion that replaced one that ended.", labels=["model"]
        )
        delay = GaugeMetricFamily(
            "taxiway_worker_restart_delay_seconds",
            "Seconds until a process of the champion is started after several have ended soon; 0 if none is delayed.",
            labels=["model"],
        )
        problem = GaugeMetricFamily("taxiway_problem", "1 if the status of the model names a problem.", labels=["model"])
        away = GaugeMetricFamily("taxiway_registry_away", "1 if the MLflow registry does not answer.", labels=["model"])
        for model in self._models():
            version.add_metric([model.model], model.version)
            if model.age_s is not None:
                age.add_metric([model.model], model.age_s)
            queued.add_metric([model.model], model.queued)
            restarts.add_metric([model.model], model.restarts)
            delay.add_metric([model.model], model.restart_delay_s)
            problem.add_metric([model.model], float(model.has_problem))
            away.add_metric([model.model], float(model.registry_away))
        yield from (version, age, queued, restarts, delay, problem, away)
