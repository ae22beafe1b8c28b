"""Records of a run, decisions and served performance, made of texts that try to be markup."""

from dataclasses import replace
from datetime import UTC, datetime

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
from taxiway_ui.history.served import Served

HOSTILE = "<script>alert('x')</script>\"'"
WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
UP = Interval(value=0.02, low=0.01, high=0.03, rows=1000)
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
