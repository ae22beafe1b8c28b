"""The metrics of monitoring: the content of a scrape, who may scrape, and that alert rules use existing metrics."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session
from ui.airflow_tables import add_dag, add_run, add_tag, airflow_tables
from ui.hostile_records import HOSTILE, hostile_served

from helping import PATIENCE_S, require
from taxiway.records import Interval
from taxiway.records.served import AlertKind, Operation, ServedAlert, ServedPerformance, ServedWindow
from taxiway.store import Store
from taxiway_ui.app import app
from taxiway_ui.monitoring import metrics
from taxiway_ui.monitoring.metrics import metrics_text
from taxiway_ui.monitoring.runs import MonitoringState

RULES = Path(__file__).parents[3] / "deploy" / "prometheus-alerts.yml"
WHEN = datetime(2026, 6, 22, tzinfo=UTC)


def interval(value: float) -> Interval:
    return Interval(value=value, low=value, high=value, rows=900)


FOUND = ServedPerformance(
    model="a.b",
    version=3,
    metric="roc_auc",
    evaluation=interval(0.7),
    windows=(
        ServedWindow(first=date(2026, 6, 8), rows=900, labelled=900, estimated=interval(0.7), realised=interval(0.6)),
        ServedWindow(
            first=date(2026, 6, 15),
            rows=800,
            labelled=20,
            estimated=interval(0.65),
            drifted=("x", "y"),
            messages=("m", "x", "y"),
            anomalies=1,
            operation=Operation(requests=700, errors=7, rejected=3, p50_ms=2.0, p99_ms=9.5),
        ),
    ),
    alerts=(ServedAlert(model="a.b", version=3, first=date(2026, 6, 8), kind=AlertKind.REALISED),),
    at=WHEN,
)
STATES = {
    "a.b": MonitoringState(WHEN, record=FOUND.digest),
    "a.failed": MonitoringState(WHEN, failed=True),
    "a.new": MonitoringState(),
}


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """The value of each series, by its name without the prefix, its model, and its metric or kind."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            names = [name for name in ("model", "metric", "kind") if name in sample.labels]
            found[(sample.name.removeprefix("taxiway_monitoring_"), *(sample.labels[name] for name in names))] = sample.value
    return found


def test_a_scrape_says_what_the_newest_runs_have_found() -> None:
    at = WHEN.timestamp()
    assert samples(metrics_text(STATES, {"a.b": FOUND})) == {
        ("last_run_timestamp_seconds", "a.b"): at,
        ("last_run_timestamp_seconds", "a.failed"): at,
        ("failed", "a.b"): 0,
        ("failed", "a.failed"): 1,
        ("evaluation", "a.b", "roc_auc"): 0.7,
        ("estimated", "a.b", "roc_auc"): 0.65,
        ("realised", "a.b", "roc_auc"): 0.6,
        ("rows", "a.b"): 800,
        ("labelled_rows", "a.b"): 20,
        ("drifted_inputs", "a.b"): 2,
        ("anomalies", "a.b"): 1,
        ("requests", "a.b"): 700,
        ("errors", "a.b"): 7,
        ("rejected", "a.b"): 3,
        ("latency_p99_seconds", "a.b"): 0.0095,
        ("alert", "a.b", "realised"): 1,
        ("alert", "a.b", "target"): 0,
        ("alert", "a.b", "estimated"): 0,
        ("alert", "a.b", "data"): 0,
        ("alert", "a.b", "check"): 0,
        ("alert", "a.b", "outliers"): 0,
        ("alert", "a.b", "labels"): 0,
        ("alert", "a.b", "audit"): 0,
        ("alert", "a.b", "drift"): 0,
    }


def test_a_hostile_name_is_one_label() -> None:
    found = hostile_served().found
    assert samples(metrics_text({}, {HOSTILE: found}))["rows", HOSTILE] == 900


def test_only_who_has_the_token_may_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    client = TestClient(app)
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404, "no token is set"
    monkeypatch.setenv("AIRFLOW__TAXIWAY__METRICS_TOKEN", "a-long-token")
    for given in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer a-long-toke"}, {"Authorization": "a-long-token"}):
        assert client.get("/metrics", headers=given).status_code == 401, given
    assert client.post("/metrics", headers={"Authorization": "Bearer a-long-token"}).status_code == 405


def test_a_scrape_reads_all_pipelines_of_airflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digest = Store(str(tmp_path)).put(FOUND).digest

    @contextmanager
    def session() -> Iterator[Session]:
        with airflow_tables() as made:
            for dag in ("a.b", "a.b.monitor"):
                add_dag(made, dag)
            add_tag(made, "a.b", "taxiway")
            add_run(made, "a.b.monitor", WHEN, ("success", "success"), {"record": digest})
            yield made

    monkeypatch.setattr(metrics, "create_session", session)
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__METRICS_TOKEN", "a-long-token")
    answer = TestClient(app).get("/metrics", headers={"Authorization": "Bearer a-long-token"})
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert samples(answer.content) == samples(metrics_text({"a.b": STATES["a.b"]}, {"a.b": FOUND}))


def test_the_rules_name_metrics_that_exist() -> None:
    groups = {group["name"]: group["rules"] for group in yaml.safe_load(RULES.read_text())["groups"]}
    named = {name for rule in groups["taxiway-monitoring"] for name in re.findall(r"\btaxiway_\w+", rule["expr"])}
    text = metrics_text(STATES, {"a.b": FOUND}).decode()
    assert len(named) == 3
    for name in named:
        assert f"# TYPE {name} gauge" in text, name
    require("prometheus", shutil.which("promtool") is not None, "promtool is not installed")
    ran = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
