"""Every page, made of texts that try to be markup."""

from dataclasses import replace

from ui.hostile_records import HOSTILE, UP, WHEN, hostile_decisions, hostile_promotion, hostile_records, hostile_served

from taxiway.ledger.entry import Entry, State
from taxiway.lineage.batches import BatchRun
from taxiway.records import (
    LabelsDue,
    MetricResult,
    Outcome,
    RunSummary,
    Status,
    WaitingSpan,
)
from taxiway.registry.champions import ChampionInfo
from taxiway.serving.api import ModelStatus
from taxiway.stages.installation.diagnosis import Finding, Health
from taxiway.stages.labels.importing import Agreement, Imported
from taxiway.stages.monitor.windows.labels.audit_rows import AuditPage, AuditRow
from taxiway.stages.review import Reopening, ReviewedVersion, Standing
from taxiway_ui.airflow_db import APPROVAL, DagFacts, LastRun, Question, RunState
from taxiway_ui.audits.task import AuditTask, SentLabels
from taxiway_ui.history.ledger_view import LedgerView
from taxiway_ui.history.metric_history import MetricHistory, Point, Return
from taxiway_ui.monitoring.health import ChampionHealth, HealthState
from taxiway_ui.overview.changes import Change
from taxiway_ui.overview.overview import Overview
from taxiway_ui.overview.rows import Row, RowFilter
from taxiway_ui.people.forms import Forms
from taxiway_ui.people.labels import LabelsPage
from taxiway_ui.render import page
from taxiway_ui.reviews.files import Files, ShownFile
from taxiway_ui.reviews.reviews import Reviewed
from taxiway_ui.runs.states import State as RowState
from taxiway_ui.views import ChampionTenure, History, RunPage, SpanDecision

PAGES = ["pipelines", "pipeline", "run", "files", "doctor", "labels", "absent"]
PLACES = {"here": "/taxiway", "airflow": ""}
FORMS = Forms(HOSTILE, may_decide=True, may_run=True, user=HOSTILE)


def seen(states: dict[str, str], url: str = "http://mlflow/#/experiments/1/runs/2") -> RunState:
    return RunState(HOSTILE, HOSTILE, "failed", WHEN, states, (), url)


def hostile_rows(champion: ChampionInfo, made: RunSummary, asked: Question) -> tuple[Row, ...]:
    assert champion.promotion is not None
    forced = replace(champion, promotion=champion.promotion.model_copy(update={"decision": "d", "shadow": None}))
    metric = MetricResult(metric=HOSTILE, candidate=UP, champion=UP, difference=UP)
    served = ModelStatus(model=HOSTILE, champion=1, since=WHEN, problem=HOSTILE, challenger=None)
    facts, last = DagFacts(HOSTILE, next_run=WHEN), LastRun(HOSTILE, "failed", WHEN, HOSTILE)
    ended = champion.promotion.model_copy(update={"to_version": None})
    return (
        Row(HOSTILE, RowState.FAILED, facts, last, made, WHEN, forced, questions=(asked,), metric=metric, served=served),
        Row(HOSTILE, RowState.NEW, retired=ended, health=ChampionHealth(HealthState.WORSE_REALISED, HOSTILE)),
    )


def hostile_review() -> Reviewed:
    reasons = (Reopening(HOSTILE, HOSTILE), Reopening(HOSTILE, HOSTILE))
    versions = [
        ReviewedVersion(HOSTILE, version, standing, HOSTILE, Status.PASS, reasons)
        for version, standing in enumerate(Standing, 2)
    ]
    return Reviewed(tuple(versions), (HOSTILE,), (HOSTILE,))


def hostile_metric() -> MetricHistory:
    points = tuple(
        Point(HOSTILE, 2, HOSTILE, 2, UP, 1, UP, Outcome.REJECTED, promotion, WHEN) for promotion in (hostile_promotion(), None)
    )
    back = hostile_promotion().model_copy(update={"verdict": None})
    return MetricHistory(HOSTILE, "lower", 0.99, points, (Return(1, back),), 0.5, HOSTILE)


def hostile_labels() -> LabelsPage:
    made = Imported("d", hostile_decisions()[0], {HOSTILE: 2}, 1, (Agreement(HOSTILE, HOSTILE, 9, 1, None),), 1)
    return LabelsPage(HOSTILE, HOSTILE, HOSTILE, made, (HOSTILE,), HOSTILE)


def hostile_audit() -> AuditTask:
    row = AuditRow(HOSTILE, HOSTILE, 0, ((HOSTILE, HOSTILE), (HOSTILE, None)), HOSTILE)
    rows = AuditPage((row,), (HOSTILE,), 1, 0)
    return AuditTask(HOSTILE, 2, WHEN.date(), (HOSTILE,), rows, HOSTILE, SentLabels(1, 1, 0, (HOSTILE,)))


def hostile_batch() -> BatchRun:
    named = dict.fromkeys(
        ("model", "files", "training_run", "data", "data_digest", "folder", "host", "span", "scoring"), HOSTILE
    )
    return BatchRun(
        **named,
        version=2,
        keys=(HOSTILE,),
        rows=1000,
        validation="FAIL",
        status=HOSTILE,
        started_at=WHEN,
        airflow_url=HOSTILE,
        mlflow_run=HOSTILE,
    )


def every_page() -> dict[str, str]:
    records, run = hostile_records(), seen({"ingest": "success", "validate_data": "failed"})
    tenure = ChampionTenure(ChampionInfo(HOSTILE, 2, hostile_promotion(), "v"), records)
    entry = Entry(HOSTILE, 1, State.DONE, HOSTILE, hostile_promotion())
    asked = Question(HOSTILE, HOSTILE, APPROVAL, HOSTILE, WHEN)
    assert records.summary is not None
    blocked = records.summary.model_copy(update={"outcome": Outcome.BLOCKED})
    rows = hostile_rows(tenure.champion, blocked, asked)
    again = records.summary.model_copy(update={"attempt": 2, "again": HOSTILE})
    ledger = LedgerView(tenure.champion, (entry,), hostile_decisions(), True)
    history = History(HOSTILE, tenure, ledger, (SpanDecision(again, (records.summary,)),), (HOSTILE,), True, (asked,))
    reviewed = hostile_review()
    waiting = WaitingSpan(name=HOSTILE, rows=4, missing=2, since=WHEN, problem=HOSTILE)
    history = replace(history, reviewed=reviewed, metric=hostile_metric(), waiting=(waiting,), batches=(hostile_batch(),))
    history = replace(history, served=hostile_served())
    run_page = RunPage(
        run,
        records,
        (HOSTILE,),
        HOSTILE,
        HOSTILE,
        (records.summary,),
        again,
        (asked,),
        ledger,
        reviewed=reviewed,
        labels=True,
        has_gate_report=True,
    )
    row_filter = RowFilter(HOSTILE, HOSTILE, page=2)
    overview = Overview(rows, rows, 500, row_filter, hostile_decisions()[:1], (HOSTILE,), True, reviewed)
    overview = replace(overview, has_gateway=True, labels_due=(LabelsDue(pipeline=HOSTILE, spans=(waiting, waiting)),))
    overview = replace(overview, changes=tuple(Change(WHEN, HOSTILE, HOSTILE, HOSTILE, run) for run in (HOSTILE, None)))
    files = Files(HOSTILE, (ShownFile(HOSTILE, HOSTILE, (HOSTILE, ""), HOSTILE),), WHEN, (HOSTILE,))
    return {
        "pipelines": page("pipelines.html", view=overview, doctor=True, **PLACES),
        "files": page("files.html", view=files, **PLACES),
        "doctor": page("doctor.html", findings=(Finding(HOSTILE, Health.ERROR, HOSTILE),), **PLACES),
        "audit": page("audit.html", view=hostile_audit(), forms=FORMS, **PLACES),
        "labels": page("labels.html", view=hostile_labels(), forms=FORMS, **PLACES),
        "pipeline": page("pipeline.html", view=history, forms=FORMS, done=HOSTILE, **PLACES),
        "run": page("run.html", view=run_page, forms=FORMS, done=HOSTILE, **PLACES),
        "absent": page("absent.html", message=HOSTILE, **PLACES),
    }
