"""The metrics of monitoring for Prometheus, of the newest run of each pipeline.

They come from Airflow's database and the store. A pipeline has one series of each metric, and of alerts one for each kind, so their
number does not grow with the history.
"""

import secrets
from collections.abc import Iterator, Mapping

from airflow.utils.session import create_session
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from taxiway.hooks import config as settings
from taxiway.records.served import AlertKind, ServedPerformance
from taxiway_ui import airflow_db
from taxiway_ui.clients import open_store
from taxiway_ui.monitoring.found import newest_found
from taxiway_ui.monitoring.runs import MonitoringState, monitoring_states

_OF_MODEL, _OF_VERSION = ("model",), ("model", "version")
_OF_METRIC, _OF_KIND = (*_OF_VERSION, "metric"), (*_OF_VERSION, "kind")


def scrape(request: Request) -> Response:
    """The metrics of all pipelines, for who has the token of the setting `[taxiway] metrics_token`; 404 if it is not set."""
    token = settings.metrics_token()
    if not token:
        return PlainTextResponse("[taxiway] metrics_token is not set in Airflow's API server, so there are no metrics.\n", 404)
    given = request.headers.get("authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return PlainTextResponse("The token is missing or wrong.\n", 401, {"WWW-Authenticate": "Bearer"})
    with create_session() as session:
        states = monitoring_states(session, airflow_db.pipelines(session))
    return Response(metrics_text(states, newest_found(open_store(), states)), media_type=CONTENT_TYPE_LATEST)


def metrics_text(states: Mapping[str, MonitoringState], found: Mapping[str, ServedPerformance]) -> bytes:
    """The metrics in Prometheus' text format.

    Args:
        states: What Airflow knows of the monitoring of each pipeline.
        found: What their newest runs have found.
    """
    registry = CollectorRegistry()
    registry.register(_Monitoring(states, found))
    return generate_latest(registry)


class _Monitoring(Collector):
    def __init__(self, states: Mapping[str, MonitoringState], found: Mapping[str, ServedPerformance]) -> None:
        self._states, self._found = states, found

    def collect(self) -> Iterator[Metric]:
        yield from self._runs()
        yield from self._performance()
        yield from self._windows()
        alerts = _gauge("alert", "1 if an alert of this kind stands.", *_OF_KIND)
        for found in self._found.values():
            standing = {alert.kind for alert in found.alerts}
            for kind in AlertKind:
                alerts.add_metric([found.model, str(found.version), kind], float(kind in standing))
        yield alerts

    def _runs(self) -> Iterator[Metric]:
        last = _gauge("last_run_timestamp_seconds", "When the newest run of monitoring ended, as Unix time.", *_OF_MODEL)
        failed = _gauge("failed", "1 if the newest run of monitoring failed.", *_OF_MODEL)
        for name, state in self._states.items():
            if state.ended_at is not None:
                last.add_metric([name], state.ended_at.timestamp())
                failed.add_metric([name], float(state.failed))
        yield from (last, failed)

    def _performance(self) -> Iterator[Metric]:
        evaluation = _gauge("evaluation", "The metric of the evaluation rows.", *_OF_METRIC)
        estimated = _gauge("estimated", "The estimated metric of the newest window.", *_OF_METRIC)
        realised = _gauge("realised", "The realised metric of the newest window in which it is known.", *_OF_METRIC)
        for found in self._found.values():
            labels = [found.model, str(found.version), found.metric]
            evaluation.add_metric(labels, found.evaluation.value)
            if (newest := found.windows[-1].estimated) is not None:
                estimated.add_metric(labels, newest.value)
            known = [window.realised for window in found.windows if window.realised is not None]
            if known:
                realised.add_metric(labels, known[-1].value)
        yield from (evaluation, estimated, realised)

    def _windows(self) -> Iterator[Metric]:
        rows = _gauge("rows", "The rows of the newest window.", *_OF_VERSION)
        labelled = _gauge("labelled_rows", "The rows of the newest window that have a label.", *_OF_VERSION)
        drifted = _gauge("drifted_inputs", "The inputs that have drifted in the newest window.", *_OF_VERSION)
        anomalies = _gauge("anomalies", "The anomalies of the inputs of the newest window.", *_OF_VERSION)
        requests = _gauge("requests", "The requests of the newest window.", *_OF_VERSION)
        errors = _gauge("errors", "The requests of the newest window that the model failed for (status 5xx).", *_OF_VERSION)
        rejected = _gauge(
            "rejected", "The requests of the newest window that the model does not take (status 4xx).", *_OF_VERSION
        )
        slowest = _gauge("latency_p99_seconds", "The 99th percentile of the latency in the newest window.", *_OF_VERSION)
        for found in self._found.values():
            labels, newest = [found.model, str(found.version)], found.windows[-1]
            rows.add_metric(labels, newest.rows)
            labelled.add_metric(labels, newest.labelled)
            drifted.add_metric(labels, len(newest.drifted))
            anomalies.add_metric(labels, newest.anomalies)
            if newest.operation is not None:
                requests.add_metric(labels, newest.operation.requests)
                errors.add_metric(labels, newest.operation.errors)
                rejected.add_metric(labels, newest.operation.rejected)
                if newest.operation.p99_ms is not None:
                    slowest.add_metric(labels, newest.operation.p99_ms / 1000)
        yield from (rows, labelled, drifted, anomalies, requests, errors, rejected, slowest)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"taxiway_monitoring_{name}", text, labels=labels)
