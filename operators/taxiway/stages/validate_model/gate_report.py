"""Writes the gate report of a verdict into the MLflow run."""

from dataclasses import dataclass

from taxiway.errors import CorruptArtifactError, NotStoredError, UnreadableRecordError
from taxiway.records import Candidate, DataReport, Evaluation, FeatureSet, Snapshot, Verdict
from taxiway.records.recorder import Logged
from taxiway.stages.context import StageContext
from taxiway.tracking import tags

FOLDER, FILE = "report", "gate.html"


@dataclass(frozen=True)
class Decided:
    """A verdict with the records that it is about."""

    candidate: Candidate
    snapshot: Snapshot
    report: DataReport
    evaluation: Evaluation
    verdict: Verdict


def log_gate_report(context: StageContext, decided: Decided, logged: Logged) -> None:
    """Write the gate report into the MLflow run, and set its tag. The verdict is recorded before, and stands if this fails.

    Args:
        context: The run.
        decided: The verdict with the records that it is about.
        logged: What was logged in the run so far.
    """
    try:
        context.recorder.files(FOLDER, {FILE: _html(context, decided, logged).encode()})
        context.recorder.tags({tags.GATE_REPORT: f"{FOLDER}/{FILE}"})
    except Exception:
        context.log.warning("the gate report could not be written; the verdict is recorded and stands", exc_info=True)
        return
    on_a_server = context.recorder.url.startswith("http")
    context.log.info(
        "Gate report: %s", report_url(context.recorder.url) if on_a_server else f"{logged.artifacts}/{FOLDER}/{FILE}"
    )


def report_url(run_url: str) -> str:
    """The page of the gate report in MLflow.

    Args:
        run_url: The URL of the page of the MLflow run.
    """
    return f"{run_url}/artifacts/{FOLDER}/{FILE}"


def _html(context: StageContext, decided: Decided, logged: Logged) -> str:
    from taxiway.report import ReportContent, TrainingCosts, gate_report

    return gate_report(
        ReportContent(
            pipeline=context.pipeline,
            verdict=decided.verdict,
            candidate=decided.candidate,
            evaluation=decided.evaluation,
            snapshot=decided.snapshot,
            data=decided.report,
            today=context.clock().date(),
            features=_features(context, decided.candidate),
            costs=TrainingCosts.of(logged.metrics, logged.tags.get(tags.COSTS, "")),
            run=context.run,
        )
    )


def _features(context: StageContext, candidate: Candidate) -> FeatureSet | None:
    try:
        return context.store.get(FeatureSet, candidate.features)
    except (NotStoredError, UnreadableRecordError, CorruptArtifactError):
        return None
