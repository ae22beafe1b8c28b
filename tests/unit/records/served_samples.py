"""The performance of a served version, with as many fields set as may be set together."""

from datetime import UTC, date, datetime

from taxiway.records import (
    Interval,
)
from taxiway.records.served import (
    CalibrationCheck,
    EarlierWindow,
    LossChange,
    Operation,
    Outlier,
    PreviousPerformance,
    ServedAudit,
    ServedPerformance,
    ServedWindow,
    WindowOutliers,
    WorseSlice,
)
from taxiway.records.served.causes import Cause, CauseKind, Causes

SERVED = ServedPerformance(
    model="flights.late",
    version=2,
    metric="roc_auc",
    evaluation=Interval(value=0.7, low=0.68, high=0.72, rows=2000),
    windows=(
        ServedWindow(first=date(2026, 3, 2), rows=900, labelled=0),
        ServedWindow(
            first=date(2026, 3, 9),
            rows=900,
            labelled=300,
            estimated=Interval(value=0.65, low=0.6, high=0.7, rows=900),
            realised=Interval(value=0.55, low=0.5, high=0.6, rows=300),
            worse="realised",
            drifted=("carrier",),
            distances=(0.25,),
            messages=("carrier: changed",),
            band=Interval(value=0.55, low=0.5, high=0.6, rows=300),
            operation=Operation(requests=800, errors=3, p50_ms=2.5, p99_ms=12.0),
            repeated=4,
            alike=850,
            before=date(2026, 3, 2),
            drifted_since=("dep_delay",),
            calibration=CalibrationCheck(
                label="True", assumed=0.18, observed=Interval(value=0.24, low=0.2, high=0.28, rows=300), error=0.06
            ),
            labels_due=date(2026, 3, 30),
            outliers=WindowOutliers(
                method="ecod",
                share=Interval(value=0.05, low=0.03, high=0.07, rows=900),
                usual=0.01,
                by_chance=0.02,
                too_many=True,
                most=(Outlier(request="r-7", row=1, score=31.25, tail=0.0, inputs=('carrier "ZZ" (no evaluation row)',)),),
            ),
            labels_late="labels are late: 300 of 900 rows have one",
            concept_drift="concept drift: the realised accuracy is below the one that was estimated",
        ),
    ),
    cause="80% of it from carrier",
    causes=Causes(
        first=date(2026, 3, 9),
        since=date(2026, 3, 9),
        message="80% of it from carrier",
        causes=(
            Cause(kind=CauseKind.INPUT, name="carrier", message="carrier: changed", share=0.8, error=0.02),
            Cause(kind=CauseKind.UPSTREAM, name="2026-01", message="span 2026-01 was corrected"),
        ),
    ),
    audit=ServedAudit(
        target=0.65,
        tolerance=0.05,
        max_change=0.002,
        last=Interval(value=0.55, low=0.5, high=0.6, rows=300),
        last_at=date(2026, 3, 12),
        band=Interval(value=0.55, low=0.49, high=0.61, rows=300),
        answer="missed",
        due=date(2026, 5, 1),
        labels=400,
        messages=("5 days after the last audit",),
    ),
    earlier=(
        EarlierWindow(
            version=1,
            evaluation=Interval(value=0.6, low=0.58, high=0.62, rows=2000),
            window=ServedWindow(first=date(2026, 2, 23), rows=800, labelled=0),
        ),
    ),
    slices=(
        WorseSlice(
            column="carrier",
            value='"UA"',
            realised=Interval(value=0.45, low=0.35, high=0.55, rows=120),
            evaluation=Interval(value=0.7, low=0.65, high=0.75, rows=400),
        ),
    ),
    previous=PreviousPerformance(
        version=1,
        since=datetime(2026, 3, 1, tzinfo=UTC),
        rows=300,
        served=Interval(value=0.55, low=0.5, high=0.6, rows=300),
        previous=Interval(value=0.65, low=0.6, high=0.7, rows=300),
        difference=Interval(value=-0.1, low=-0.13, high=-0.07, rows=300),
        log_evidence=7.5,
    ),
    at=datetime(2026, 3, 10, 12, tzinfo=UTC),
    changes=(
        LossChange(
            loss="Brier score",
            day=date(2026, 3, 9),
            earliest=date(2026, 3, 8),
            latest=date(2026, 3, 11),
            before=0.2,
            after=0.26,
            rows_before=700,
            rows_after=300,
        ),
    ),
)
