"""One MLflow run per DAG run, and its outcome."""

import json
import math
import uuid
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from taxiway.lineage.outcomes import mark_processed, processed_spans, summaries, summarize
from taxiway.records import (
    Anomaly,
    Candidate,
    DataReport,
    Outcome,
    Promotion,
    Reason,
    ReasonCode,
    Severity,
    ShadowReport,
    Snapshot,
    Span,
    Status,
    Verdict,
)
from taxiway.store import Store
from taxiway.tracking.run import MlflowRun, run_url
from taxiway.tracking.tags import RUN_NAME

SPAN = Span(source="x", name="2013-04", rows=3, content="a" * 32)
SNAPSHOT = Snapshot(pipeline="f.late", training=(SPAN.model_copy(update={"name": "2013-03"}),), evaluation=(SPAN,))


@pytest.fixture
def client(mlflow_url: str) -> MlflowClient:
    return MlflowClient(mlflow_url)


def test_every_task_finds_the_same_run(client: MlflowClient) -> None:
    dag_run = f"f.late/{uuid.uuid4()}"
    assert MlflowRun.find(client, "f/late", dag_run) is None
    first = MlflowRun.find_or_make(client, "f/late", dag_run, {"airflow.dag_id": "f.late"})
    second = MlflowRun.find_or_make(client, "f/late", dag_run, {})
    assert first.run_id == second.run_id
    assert client.get_run(first.run_id).data.tags["airflow.dag_id"] == "f.late"


def test_an_experiment_opens_on_its_runs_and_a_run_can_be_named(client: MlflowClient) -> None:
    run = MlflowRun.find_or_make(client, "named", "d/manual__2026-11-26T08:00:00", {})
    assert client.get_experiment(run.experiment_id).tags["mlflow.experimentKind"] == "custom_model_development"
    run.tags({RUN_NAME: "2013-04 v2, 2026-11-26 08:00 UTC"})
    assert client.get_run(run.run_id).info.run_name == "2013-04 v2, 2026-11-26 08:00 UTC"


def test_a_name_that_is_too_long_for_postgresql_is_clipped(client: MlflowClient) -> None:
    run = MlflowRun.find_or_make(client, "named", f"d/{'r' * 300}", {})
    trial = run.nested("key", ", ".join(f"parameter_{number}=0.0512" for number in range(20)))
    assert client.get_run(run.run_id).info.run_name == f"{'r' * 247}..."
    assert len(client.get_run(trial.run_id).info.run_name) == 250
    run.tags({RUN_NAME: f"{'s' * 300}, 2026-11-26 08:00 UTC"})
    assert client.get_run(run.run_id).info.run_name == f"{'s' * 247}..."


def test_files_are_artifacts_of_the_run_and_a_retry_replaces_them(client: MlflowClient, tmp_path: Path) -> None:
    run = MlflowRun.find_or_make(client, "files", "d/r", {})
    for content in (b"one", b"two"):
        run.files("evaluation", {"a.csv": content, "b.csv": content})
    kept = Path(client.download_artifacts(run.run_id, "evaluation", str(tmp_path)))
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {"a.csv": b"two", "b.csv": b"two"}


def test_a_history_is_logged_once_whatever_its_length(client: MlflowClient) -> None:
    run = MlflowRun.find_or_make(client, "history", f"d/{uuid.uuid4()}", {})
    steps = {step: 1 / (step + 1) for step in range(700)}
    for _ in range(2):
        run.history({"history.training.loss": steps, "history.validation.loss": {**steps, 699: math.nan}})
    found = client.get_metric_history(run.run_id, "history.training.loss")
    assert sorted((one.step, one.value) for one in found) == list(steps.items())
    assert math.isnan(client.get_run(run.run_id).data.metrics["history.validation.loss"])
    run.history({})


def test_repeated_writes_are_recorded_once(client: MlflowClient) -> None:
    run = MlflowRun.find_or_make(client, "f/late", f"f.late/{uuid.uuid4()}", {})
    for _ in range(2):
        run.params({"max_iter": 150})
        run.metrics({"rows": 3})
        run.datasets((SPAN,), "training")
        run.record(SNAPSHOT)
    found = client.get_run(run.run_id)
    assert found.data.params == {"max_iter": "150"}
    assert found.data.metrics == {"rows": 3.0}
    assert [(i.dataset.name, i.dataset.digest) for i in found.inputs.dataset_inputs] == [("2013-04", "a" * 32)]
    assert found.data.tags["taxiway.record.Snapshot"] == SNAPSHOT.digest
    path = Path(client.download_artifacts(run.run_id, "records/Snapshot.json"))
    assert json.loads(path.read_text())["pipeline"] == "f.late"


def test_runs_are_found_by_the_digest_of_what_they_read(client: MlflowClient) -> None:
    run = MlflowRun.find_or_make(client, "f/digest", f"f.late/{uuid.uuid4()}", {})
    content = uuid.uuid4().hex
    run.datasets((SPAN.model_copy(update={"content": content}),), "evaluation")
    found = client.search_runs([run.experiment_id], f"dataset.digest = '{content}'")
    assert [r.info.run_id for r in found] == [run.run_id]


def test_a_parameter_that_a_cleared_task_changes_becomes_a_tag(client: MlflowClient) -> None:
    run = MlflowRun.find_or_make(client, "f/late", f"f.late/{uuid.uuid4()}", {})
    run.params({"max_iter": 150, "depth": 3})
    run.params({"max_iter": 300, "depth": 3, "rate": 0.1})
    found = client.get_run(run.run_id).data
    assert found.params == {"max_iter": "150", "depth": "3", "rate": "0.1"}
    assert {n: v for n, v in found.tags.items() if n.startswith("taxiway.changed")} == {"taxiway.changed.max_iter": "300"}


def test_a_run_that_ended_is_reopened_by_a_task_that_was_cleared(client: MlflowClient) -> None:
    dag_run = f"f.late/{uuid.uuid4()}"
    run = MlflowRun.find_or_make(client, "f/late", dag_run, {})
    run.end("FAILED")
    assert client.get_run(run.run_id).info.status == "FAILED"
    MlflowRun.find_or_make(client, "f/late", dag_run, {})
    assert client.get_run(run.run_id).info.status == "RUNNING"


def report(status: Status) -> DataReport:
    anomaly = Anomaly(kind="k", span="s", column="c", severity=Severity.ERROR, observed="o", expected="e", message="c is wrong")
    found = (anomaly,) if status is Status.FAIL else ()
    return DataReport(snapshot=SNAPSHOT.digest, schema_version="v", status=status, checks=1, anomalies=found)


def verdict(status: Status) -> Verdict:
    reasons = (
        Reason(status=Status.PASS, code=ReasonCode.DATA_ANOMALY, message="fine"),
        Reason(status=status, code=ReasonCode.METRIC_THRESHOLD, message="auc"),
    )
    return Verdict(model="m", version=2, champion=1, snapshot="s", report="", evaluation="e", status=status, reasons=reasons)


def shadow(status: Status) -> ShadowReport:
    reason = Reason(status=status, code=ReasonCode.SHADOW_AGREEMENT, message="shadowed")
    return ShadowReport(model="m", version=2, champion=1, status=status, reasons=(reason,))


def promotion(from_version: int | None) -> Promotion:
    return Promotion(
        model="m",
        alias="champion",
        from_version=from_version,
        to_version=2,
        by="b",
        at="2026-01-01T00:00:00Z",
        verdict="v",
        shadow="s",
        reason="",
    )


OK = report(Status.PASS)
CANDIDATE = Candidate(
    model="m",
    version=2,
    snapshot=SNAPSHOT.digest,
    report=OK.digest,
    features="f",
    schema_version="v",
    estimator="e",
    params="{}",
)


def of_one_pass(data: Any, judged: Any, shadowed: Any, promoted: Any) -> tuple:
    """The records with the digests by which they name each other."""
    if judged is not None:
        judged = judged.model_copy(update={"report": data.digest})
    if promoted is not None and judged is not None:
        promoted = promoted.model_copy(update={"verdict": judged.digest})
    return data, judged, shadowed, promoted


@pytest.mark.parametrize(
    ("records", "outcome", "reasons"),
    [
        ((report(Status.FAIL), None, None, None), Outcome.BLOCKED, ("c is wrong",)),
        ((report(Status.FAIL), verdict(Status.FAIL), None, None), Outcome.REJECTED, ("auc",)),
        ((OK, verdict(Status.FAIL), None, None), Outcome.REJECTED, ("auc",)),
        ((OK, verdict(Status.UNDECIDED), None, None), Outcome.UNDECIDED, ("auc",)),
        ((OK, verdict(Status.PASS), shadow(Status.FAIL), None), Outcome.REJECTED, ("shadowed",)),
        ((OK, verdict(Status.PASS), shadow(Status.UNDECIDED), None), Outcome.UNDECIDED, ("shadowed",)),
        ((OK, verdict(Status.PASS), shadow(Status.PASS), promotion(1)), Outcome.PROMOTED, ("fine", "auc", "shadowed")),
        ((OK, verdict(Status.PASS), shadow(Status.NOT_APPLICABLE), promotion(None)), Outcome.FIRST_CHAMPION, None),
    ],
)
def test_an_outcome_follows_from_the_records(records: tuple, outcome: Outcome, reasons: tuple[str, ...] | None) -> None:
    made = summarize(SNAPSHOT, *of_one_pass(*records), run="r", mlflow_run="m")
    assert made is not None
    assert made.outcome is outcome
    assert made.span == SPAN
    if reasons is not None:
        assert made.reasons == reasons


@pytest.mark.parametrize(
    "records",
    [
        (None,) * 4,
        (OK, None, None, None),
        (OK, verdict(Status.PASS), None, None),
        (OK, verdict(Status.PASS), shadow(Status.PASS), None),
    ],
)
def test_a_run_that_failed_before_a_decision_has_no_outcome(records: tuple) -> None:
    assert summarize(SNAPSHOT, *of_one_pass(*records), run="r", mlflow_run="m") is None


def test_records_of_a_first_pass_are_not_mixed_with_those_of_a_second() -> None:
    """A promoted run is cleared; now its data fail, or its new model breaks before the shadow is over."""
    first = (verdict(Status.PASS).model_copy(update={"report": OK.digest}), shadow(Status.PASS))
    promoted = promotion(1).model_copy(update={"verdict": first[0].digest})
    again = summarize(SNAPSHOT, report(Status.FAIL), *first, promoted, run="r", mlflow_run="m")
    assert again is not None
    assert again.outcome is Outcome.BLOCKED
    third = first[0].model_copy(update={"version": 3})
    assert summarize(SNAPSHOT, OK, third, first[1], promoted, run="r", mlflow_run="m") is None


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNDECIDED, Status.PASS, Status.NOT_APPLICABLE])
def test_a_shadow_against_another_champion_is_no_outcome(status: Status) -> None:
    """The champion of the first pass was rolled back, and the shadow of the second broke."""
    stale = shadow(status).model_copy(update={"champion": None if status is Status.NOT_APPLICABLE else 2})
    records = of_one_pass(OK, verdict(Status.PASS), stale, promotion(1))
    assert summarize(SNAPSHOT, *records, run="r", mlflow_run="m") is None


def test_a_promotion_that_an_earlier_run_made_is_an_outcome() -> None:
    made = summarize(SNAPSHOT, OK, None, None, promotion(1), candidate=CANDIDATE, run="r", mlflow_run="m")
    assert made is not None
    assert (made.outcome, made.version) == (Outcome.PROMOTED, 2)
    assert "was already promoted to champion on this span at 2026-01-01 00:00:00 UTC" in made.reasons[0]


@pytest.mark.parametrize("changed", [{"snapshot": "corrected"}, {"report": "of another schema"}, {"version": 3}])
def test_a_promotion_of_a_first_pass_is_no_outcome_of_a_second_that_breaks(changed: dict[str, Any]) -> None:
    """The second pass broke before its gate, so the candidate and the promotion are those of the first."""
    stale = CANDIDATE.model_copy(update=changed)
    assert summarize(SNAPSHOT, OK, None, None, promotion(1), candidate=stale, run="r", mlflow_run="m") is None
    assert summarize(SNAPSHOT, None, None, None, promotion(1), candidate=CANDIDATE, run="r", mlflow_run="m") is None
    assert summarize(SNAPSHOT, OK, None, None, promotion(1), run="r", mlflow_run="m") is None


def test_summaries_are_in_the_order_of_their_spans(tmp_path) -> None:
    store = Store(str(tmp_path))
    for name in ("10", "9", "11"):
        span = SPAN.model_copy(update={"name": name})
        snapshot = Snapshot(pipeline="f.late", training=(SPAN,), evaluation=(span,))
        bad = report(Status.FAIL).model_copy(update={"snapshot": snapshot.digest})
        made = summarize(snapshot, bad, None, None, None, run="r", mlflow_run="m")
        assert made is not None
        mark_processed(store, made)
    assert [s.span.name for s in summaries(store, "f.late")] == ["9", "10", "11"]


def test_the_address_of_a_run_carries_no_credentials() -> None:
    assert (
        run_url("https://ann:secret@mlflow.example.com/base/", "1", "r")
        == "https://mlflow.example.com/base/#/experiments/1/runs/r"
    )
    assert run_url("http://127.0.0.1:5000", "1", "r") == "http://127.0.0.1:5000/#/experiments/1/runs/r"


def test_a_decided_span_is_remembered_with_its_version(tmp_path) -> None:
    store = Store(str(tmp_path))
    assert processed_spans(store, "f.late") == frozenset()
    made = summarize(SNAPSHOT, report(Status.FAIL), None, None, None, run="r", mlflow_run="m")
    assert made is not None
    mark_processed(store, made)
    assert processed_spans(store, "f.late") == {("2013-04", 0)}
    assert processed_spans(store, "f.other") == frozenset()
    assert summaries(store, "f.late") == (made,)
