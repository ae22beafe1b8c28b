"""Every page, made of texts that try to be markup."""

from dataclasses import replace
from datetime import UTC, datetime

from taxiway.ledger.entry import Entry, State
from taxiway.lineage.batches import BatchRun
from taxiway.lineage.run_records import RunRecords
from taxiway.records import (
    Anomaly,
    Baseline,
    Candidate,
    DataReport,
    Decision,
    DecisionKind,
    Evaluation,
    Interval,
    JoinMatch,
    LabelsDue,
    MetricResult,
    Outcome,
    Promotion,
    Reason,
    ReasonCode,
    RemovedRows,
    RunSummary,
    SampleRule,
    Severity,
    ShadowReport,
    SliceResult,
    Snapshot,
    Span,
    SplitRule,
    Status,
    SweepReport,
    Trial,
    Verdict,
    WaitingSpan,
    Waiver,
)
from taxiway.records.served import (
    AlertKind,
    LossChange,
    Outlier,
    PreviousPerformance,
    ServedAlert,
    ServedAudit,
    ServedPerformance,
    ServedWindow,
    WindowOutliers,
    WorseSlice,
)
from taxiway.records.served.causes import Cause, CauseKind, Causes
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
from taxiway_ui.history.served import Served
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

HOSTILE = "<script>alert('x')</script>\"'"
PAGES = ["pipelines", "pipeline", "run", "files", "doctor", "labels", "absent"]
PLACES = {"here": "/taxiway", "airflow": ""}
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
FORMS = Forms(HOSTILE, may_decide=True, may_run=True, user=HOSTILE)
UP = Interval(value=0.02, low=0.01, high=0.03, rows=1000)


def seen(states: dict[str, str], url: str = "http://mlflow/#/experiments/1/runs/2") -> RunState:
    return RunState(HOSTILE, HOSTILE, "failed", WHEN, states, (), url)


SPAN = Span(source=HOSTILE, name=HOSTILE, rows=1, content=HOSTILE)


def hostile_records() -> RunRecords:
    read = RunRecords(snapshot=_snapshot(), report=_report(), unread=(HOSTILE,))
    return _with_decisions(_with_model(read))


def _snapshot() -> Snapshot:
    join = JoinMatch(
        name=HOSTILE,
        span=HOSTILE,
        table=HOSTILE,
        content=HOSTILE,
        keys=(HOSTILE,),
        rows=2000,
        matched=1990,
        min_match_rate=0.95,
    )
    return Snapshot(
        pipeline=HOSTILE,
        training=(SPAN,),
        evaluation=(SPAN,),
        joins=(join,),
        sample=SampleRule(fraction=0.1, by=HOSTILE, stratify=HOSTILE),
        split=SplitRule(by=HOSTILE, evaluation=0.2),
        rows=HOSTILE,
        removed=(RemovedRows(span=HOSTILE, rows=2000, filtered=3, unlabelled=4),),
    )


def _report() -> DataReport:
    anomaly = Anomaly(
        kind=HOSTILE,
        span=HOSTILE,
        column=HOSTILE,
        severity=Severity.ERROR,
        observed=HOSTILE,
        expected=HOSTILE,
        message=HOSTILE,
        proposal=HOSTILE,
    )
    waiver = Waiver(kind="other", column=HOSTILE, owner=HOSTILE, reason=HOSTILE, until=WHEN.date())
    return DataReport(
        snapshot="s", schema_version=HOSTILE, status=Status.FAIL, checks=1, anomalies=(anomaly,), waivers=(waiver,)
    )


def _with_model(found: RunRecords) -> RunRecords:
    metric = MetricResult(metric=HOSTILE, candidate=UP, champion=UP, difference=UP)
    slice_ = SliceResult(metric=HOSTILE, column=HOSTILE, value=HOSTILE, rows=1, confidence=0.999, difference=UP)
    return replace(
        found,
        candidate=Candidate(
            model=HOSTILE,
            version=2,
            snapshot="s",
            report="r",
            features="f",
            schema_version=HOSTILE,
            estimator=HOSTILE,
            params=HOSTILE,
        ),
        sweep=SweepReport(
            snapshot="s",
            metric=HOSTILE,
            trials=(
                Trial(params=HOSTILE, metric=HOSTILE, score=0.5, rows=10),
                Trial(params=HOSTILE, metric=HOSTILE, score=None, rows=10, error=HOSTILE),
            ),
        ),
        evaluation=Evaluation(
            snapshot="s",
            model=HOSTILE,
            candidate=2,
            champion=1,
            confidence=0.99,
            metrics=(metric,),
            slices=(slice_,),
            baselines=(Baseline(name="linear", metric=HOSTILE, score=UP, difference=UP, rows=400),),
        ),
    )


def _with_decisions(found: RunRecords) -> RunRecords:
    reason = Reason(status=Status.FAIL, code=ReasonCode.CONDITION, message=HOSTILE)
    common = {"model": HOSTILE, "version": 2, "champion": 1}
    return replace(
        found,
        verdict=Verdict(snapshot="s", report="r", evaluation="e", status=Status.FAIL, reasons=(reason,), **common),
        shadow=ShadowReport(status=Status.UNDECIDED, reasons=(reason,), agreement=UP, **common),
        promotion=hostile_promotion(),
        summary=RunSummary(
            pipeline=HOSTILE,
            run=HOSTILE,
            span=SPAN,
            outcome=Outcome.REJECTED,
            reasons=(HOSTILE,) * 9,
            version=2,
            mlflow_run=HOSTILE,
        ),
    )


def hostile_promotion() -> Promotion:
    return Promotion(
        model=HOSTILE,
        alias=HOSTILE,
        from_version=1,
        to_version=2,
        by=HOSTILE,
        at=WHEN,
        verdict="v",
        shadow="s",
        reason=HOSTILE,
    )


def hostile_decisions() -> tuple[Decision, ...]:
    common = {"model": HOSTILE, "by": HOSTILE, "via": HOSTILE, "at": WHEN, "reason": HOSTILE}
    waiver = {"until": WHEN.date(), "anomaly": HOSTILE, "column": HOSTILE}
    return (
        Decision(kind=DecisionKind.WAIVER, about="r", **waiver, **common),
        Decision(kind=DecisionKind.FORCE, about="v", version=2, **common),
        Decision(kind=DecisionKind.ACKNOWLEDGEMENT, about=hostile_served().found.alerts[0].digest, version=2, **common),
    )


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


def hostile_served() -> Served:
    value = Interval(value=0.7, low=0.6, high=0.8, rows=900)
    low = Interval(value=0.5, low=0.4, high=0.55, rows=300)
    windows = (
        ServedWindow(first=WHEN.date(), rows=900, labelled=0, estimated=value),
        ServedWindow(
            first=WHEN.date(),
            rows=900,
            labelled=300,
            estimated=value,
            realised=low,
            worse="realised",
            drifted=(HOSTILE,),
            distances=(0.5,),
            messages=(HOSTILE,),
            band=value,
            outliers=WindowOutliers(
                method="ecod",
                share=value,
                usual=0.01,
                by_chance=0.02,
                too_many=True,
                most=(Outlier(request=HOSTILE, row=0, score=9.0, tail=0.0, inputs=(HOSTILE,)),),
            ),
        ),
    )
    audit = ServedAudit(
        target=0.6,
        tolerance=0.1,
        last=value,
        last_at=WHEN.date(),
        answer=HOSTILE,
        due=WHEN.date(),
        labels=300,
        messages=(HOSTILE,),
    )
    worse = WorseSlice(column=HOSTILE, value=HOSTILE, realised=low, evaluation=value)
    previous = PreviousPerformance(not_compared=HOSTILE)
    day = WHEN.date()
    change = LossChange(loss=HOSTILE, day=day, earliest=day, latest=day, before=0.1, after=0.2, rows_before=900, rows_after=300)
    alerts = tuple(ServedAlert(model=HOSTILE, version=2, first=WHEN.date(), kind=kind) for kind in AlertKind)
    causes = tuple(Cause(kind=kind, name=HOSTILE, message=HOSTILE) for kind in CauseKind)
    found = ServedPerformance(
        model=HOSTILE,
        version=2,
        metric=HOSTILE,
        evaluation=value,
        windows=windows,
        cause=HOSTILE,
        causes=Causes(first=WHEN.date(), since=WHEN.date(), message=HOSTILE, causes=causes),
        slices=(worse,),
        previous=previous,
        audit=audit,
        alerts=alerts,
        at=WHEN,
        changes=(change,),
    )
    return Served(found, HOSTILE, HOSTILE, HOSTILE)


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
