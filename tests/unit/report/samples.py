"""Verdicts with everything that explains them, and one of texts that try to be markup."""

from dataclasses import replace
from datetime import date
from typing import Any

from taxiway.gates.model_gate import decide
from taxiway.gates.withhold import without_scores
from taxiway.records import (
    Anomaly,
    Baseline,
    Candidate,
    DataReport,
    Evaluation,
    FeatureSet,
    Interval,
    MetricResult,
    Reason,
    ReasonCode,
    RowMeans,
    Severity,
    SliceResult,
    Snapshot,
    Span,
    SpentRows,
    Status,
    Waiver,
)
from taxiway.report import ReportContent, TrainingCosts
from taxiway.spec.pipeline import Pipeline
from taxiway.stats.spending import Account

TODAY = date(2026, 11, 1)
SPANS = tuple(
    Span(source="s3://lake/flights/{YYYY}-{MM}.parquet", name=f"2013-0{month}", rows=rows, content=f"{month}" * 32)
    for month, rows in ((2, 24_951), (3, 28_834), (4, 28_330), (5, 28_796))
)
SNAPSHOT = Snapshot(pipeline="flights.late_arrivals", training=SPANS[:3], evaluation=SPANS[3:])
PURPOSE = {
    "description": "Predicts, a day before, which flights arrive more than 15 minutes late.",
    "users": "The dispatchers of the airports of New York.",
    "goal": {"metric": "roc_auc", "target": 0.7},
    "harm": {
        "false_positive": "A gate is kept free for nothing.",
        "false_negative": "Passengers miss connections that could have been held.",
    },
    "not_for": ["decisions about crews", "airports outside of New York"],
}


def pipeline(**changes: Any) -> Pipeline:
    content: dict[str, Any] = {
        "pipeline": "late_arrivals",
        "team": "flights",
        "purpose": PURPOSE,
        "source": {"spans": "{data}/{YYYY}-{MM}.parquet", "window": 3, "label": "late"},
        "schema": "late_arrivals.schema.yaml",
        "model": {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"},
        "gate": {
            "thresholds": {"roc_auc": 0.6, "brier": 0.2},
            "against_champion": {"metric": "roc_auc", "min_improvement": -0.005},
            "slices": {"by": ["origin", "carrier"], "max_drop": 0.05},
        },
    }
    return Pipeline.model_validate({**content, **changes})


def around(value: float, half: float, rows: int = 28_796) -> Interval:
    return Interval(value=value, low=value - half, high=value + half, rows=rows)


def slices(worst: float) -> tuple[SliceResult, ...]:
    found = [
        ("origin", "EWR", 9_900, 0.021, 0.014),
        ("origin", "JFK", 9_500, 0.004, 0.016),
        ("origin", "LGA", 9_396, -0.018, 0.012),
        ("carrier", "UA", 4_960, 0.012, 0.022),
        ("carrier", "EV", 5_100, 0.031, 0.019),
        ("carrier", "B6", 4_576, -0.004, 0.021),
        ("carrier", "YV", 412, worst, 0.06),
    ]
    compared = tuple(
        SliceResult(
            metric="roc_auc", column=column, value=value, rows=rows, confidence=0.9986, difference=around(at, half, rows)
        )
        for column, value, rows, at, half in found
    )
    small = SliceResult(metric="roc_auc", column="carrier", value="HA", rows=31, confidence=0.9986, difference=None)
    return (*compared, small)


def evaluation(*, auc: float = 0.748, gain: float | None = 0.025, worst: float = -0.03) -> Evaluation:
    compared = gain is not None
    metrics = (
        MetricResult(
            metric="roc_auc",
            candidate=around(auc, 0.0095),
            champion=around(auc - gain, 0.0098) if gain is not None else None,
            difference=around(gain, 0.008) if gain is not None else None,
        ),
        MetricResult(
            metric="brier",
            candidate=around(0.142, 0.003),
            champion=around(0.145, 0.003) if compared else None,
            difference=around(-0.003, 0.002) if compared else None,
        ),
    )
    return Evaluation(
        snapshot=SNAPSHOT.digest,
        model="flights.late_arrivals",
        candidate=2,
        champion=1 if compared else None,
        confidence=0.99,
        metrics=metrics,
        slices=slices(worst) if compared else (),
        baselines=(
            Baseline(
                name="linear", metric="roc_auc", score=around(0.702, 0.0095), difference=around(auc - 0.702, 0.009), rows=50_000
            ),
            Baseline(name="dummy", metric="roc_auc", score=around(0.5, 0.0), difference=around(auc - 0.5, 0.0095), rows=50_000),
        ),
    )


SPENT = SpentRows(rows=27_564, models=2, steps=8, allowed_passes=1, error_left=0.75, shown="decision", is_spent=False)


def content(found: Evaluation | None = None, *, data: DataReport | None = None, **changes: Any) -> ReportContent:
    """The report of an evaluation, with the verdict of the gate."""
    found, made = found or evaluation(), pipeline(**changes)
    report = data or DataReport(
        snapshot=SNAPSHOT.digest,
        schema_version="5" * 32,
        status=Status.PASS,
        checks=518,
        anomalies=(
            Anomaly(
                kind="new_column",
                span="2013-05",
                column="tail_color",
                severity=Severity.WARNING,
                observed="a column",
                expected="no such column",
                message="tail_color in span 2013-05 is not in the schema",
            ),
        ),
        notes=("drift was measured on 11 columns",),
    )
    candidate = Candidate(
        model=made.name,
        version=2,
        snapshot=SNAPSHOT.digest,
        report=report.digest,
        features="4" * 32,
        schema_version="5" * 32,
        estimator="sklearn.ensemble.HistGradientBoostingClassifier",
        params='{"learning_rate": 0.05, "max_leaf_nodes": 31}',
        files="6" * 32,
    )
    return ReportContent(
        pipeline=made,
        verdict=decide(candidate, report, found, made.gate, today=TODAY).model_copy(update={"spent": SPENT}),
        candidate=candidate,
        evaluation=found,
        snapshot=SNAPSHOT,
        data=report,
        today=TODAY,
        features=FeatureSet(
            snapshot=SNAPSHOT.digest,
            schema_version="5" * 32,
            numeric=("dep_hour", "distance"),
            categorical=("carrier", "origin"),
            label="late",
            classes=("false", "true"),
            transform="7" * 32,
            rows="8" * 32,
            row_count=82_115,
        ),
        costs=TrainingCosts(4.6, 8.9, 0.0297, 1_240_000, "6.0 times slower to predict, compared with the linear model"),
        run="flights.late_arrivals/manual__2026-11-01",
    )


PASSED = content()
FIRST = content(evaluation(gain=None))
NOISE = content(evaluation(gain=0.004), approval="required")
UNDECIDED = content(evaluation(auc=0.604, gain=-0.004))
_BROKEN = DataReport(
    snapshot=SNAPSHOT.digest,
    schema_version="5" * 32,
    status=Status.FAIL,
    checks=518,
    anomalies=(
        Anomaly(
            kind="range",
            span="2013-05",
            column="wind_speed",
            severity=Severity.ERROR,
            observed="-1",
            expected="0 to 75 mph",
            message="wind_speed in span 2013-05 is outside 0 to 75 mph in 2,827 of 28,796 rows (9.8%), furthest at -1",
        ),
    ),
    waivers=(Waiver(kind="domain", column="carrier", owner="ann", reason="a new airline", until=date(2026, 10, 31)),),
)
FAILED = content(evaluation(gain=-0.03, worst=-0.13), data=_BROKEN)
WITHHELD = replace(
    PASSED,
    evaluation=PASSED.evaluation.without_scores(),
    verdict=without_scores(
        PASSED.verdict, PASSED.evaluation, PASSED.pipeline.gate, "decision", Account().after(8, 1, passed=False), None
    ),
)
CONDITIONS = content(
    evaluation().model_copy(
        update={
            "row_means": (
                RowMeans(
                    metric="accuracy",
                    rows=28_796,
                    units=28_796,
                    candidate=0.871,
                    champion=0.863,
                    disagreement=0.06,
                    variance=0.06,
                ),
            )
        }
    ),
    gate={"conditions": ["n - o > 0 +/- 0.01", "n > 0.8 +/- 0.01 and d < 0.1 +/- 0.01"]},
)
ALL = {
    "passed": PASSED,
    "first": FIRST,
    "noise": NOISE,
    "undecided": UNDECIDED,
    "failed": FAILED,
    "withheld": WITHHELD,
    "conditions": CONDITIONS,
}


def hostile(text: str) -> ReportContent:
    """Every text that does not come from Taxiway itself is this one."""
    anomaly = Anomaly(
        kind=text, span=text, column=text, severity=Severity.ERROR, observed=text, expected=text, message=text, examples=(text,)
    )
    waiver = Waiver(kind=text, column=text, owner=text, reason=text, until=date(2026, 1, 1))
    data = DataReport(
        snapshot=text, schema_version=text, status=Status.FAIL, checks=1, anomalies=(anomaly,), waivers=(waiver,), notes=(text,)
    )
    reasons = tuple(
        Reason(
            status=Status.FAIL, code=code, message=text, rule=f"{text} >= 0", estimate=around(0.1, 0.2), limit=0.0, method=text
        )
        for code in (ReasonCode.DATA_ANOMALY, ReasonCode.DATA_WAIVER, ReasonCode.METRIC_THRESHOLD, ReasonCode.CONDITION)
    )
    slice_ = SliceResult(metric="roc_auc", column=text, value=text, rows=9, confidence=0.99, difference=around(-0.1, 0.01))
    span = Span(source=text, name=text, rows=1, content=text)
    found = PASSED.evaluation.model_copy(
        update={"slices": (slice_, slice_.model_copy(update={"difference": None})), "model": text}
    )
    purpose = {
        **PURPOSE,
        "description": text,
        "users": text,
        "harm": {"false_positive": text, "false_negative": text},
        "not_for": [text],
    }
    candidate = PASSED.candidate.model_copy(update={"model": text, "estimator": text, "params": "{}", "schema_version": text})
    assert PASSED.features is not None
    return replace(
        PASSED,
        pipeline=pipeline(purpose=purpose),
        verdict=PASSED.verdict.model_copy(update={"model": text, "status": Status.FAIL, "reasons": reasons, "files": text}),
        evaluation=found,
        candidate=candidate,
        snapshot=Snapshot(pipeline=text, training=(span,), evaluation=(span,)),
        data=data,
        features=PASSED.features.model_copy(update={"label": text}),
        costs=TrainingCosts(compared=text),
        run=text,
    )
