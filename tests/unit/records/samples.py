"""One record of every kind that is stored, logged or named by its digest, with as many fields set as may be set together."""

from datetime import UTC, date, datetime

from records.data_samples import CONTENT, PART, REPORT, ROWS, SCHEMA, SNAPSHOT, SPAN, TRANSFORM, WAIVER
from records.served_samples import SERVED

from taxiway.data.profiling.distinct_sketch import DistinctSample
from taxiway.data.profiling.profile import ColumnProfile, Lengths, PairCount, Profile, ValueCount, WithLabel
from taxiway.data.schema.constraints import Drift, FeatureSkew, Range, Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.schema.watch import MetricMonitor
from taxiway.monitoring.domain_classifier import DomainShift
from taxiway.records import (
    Answered,
    Asked,
    BaselineModel,
    Candidate,
    Decision,
    DecisionKind,
    Evaluation,
    EvaluationSet,
    FeatureSet,
    Interval,
    LabelsDue,
    LearningCurve,
    MetricResult,
    Outcome,
    Promotion,
    Reason,
    ReasonCode,
    Record,
    RunSummary,
    ShadowReport,
    SliceResult,
    Status,
    SweepPlan,
    SweepReport,
    Trial,
    Trials,
    Verdict,
    WaitingSpan,
)

FEATURES = FeatureSet(
    snapshot=SNAPSHOT.digest,
    schema_version=SCHEMA,
    numeric=("a", "b"),
    categorical=("c",),
    label="late",
    classes=("False", "True"),
    transform=TRANSFORM,
    rows=ROWS,
    row_count=400,
)
CANDIDATE = Candidate(
    model="flights.late",
    version=3,
    snapshot=SNAPSHOT.digest,
    report=REPORT.digest,
    features=FEATURES.digest,
    schema_version=SCHEMA,
    estimator="sklearn.linear_model.LogisticRegression",
    params='{"C": 1.0}',
)
CURVE = LearningCurve(
    features=FEATURES.digest,
    metric="roc_auc",
    rows=400,
    held_out=80,
    sizes=(160, 320),
    values=(0.71, 0.74),
    covariances=((0.0004, 0.0003), (0.0003, 0.0005)),
)
BASELINE = BaselineModel(name="linear", snapshot=SNAPSHOT.digest, model=TRANSFORM, model_bytes=4_321, rows=400)
TRIAL = Trial(params='{"C": 1.0}', metric="roc_auc", score=0.7, rows=300)
FAILED = Trial(params='{"C": -1.0}', metric="roc_auc", score=None, rows=300, error="C must be positive")
PLAN = SweepPlan(snapshot=SNAPSHOT.digest, features=FEATURES.digest, metric="roc_auc", trials=(TRIAL.params, FAILED.params))
INTERVAL = Interval(value=0.7, low=0.65, high=0.75, rows=300)
EVALUATION = Evaluation(
    snapshot=SNAPSHOT.digest,
    model="flights.late",
    candidate=3,
    confidence=0.99,
    metrics=(MetricResult(metric="roc_auc", candidate=INTERVAL, champion=None, difference=None),),
    slices=(SliceResult(metric="roc_auc", column="origin", value="EWR", rows=90, confidence=0.995, difference=None),),
)
VERDICT = Verdict(
    model="flights.late",
    version=3,
    snapshot=SNAPSHOT.digest,
    report=REPORT.digest,
    evaluation=EVALUATION.digest,
    status=Status.PASS,
    reasons=(Reason(status=Status.PASS, code=ReasonCode.DATA_ANOMALY, message="the data passed: 12 checks, no anomaly"),),
)
SHADOW = ShadowReport(
    model="flights.late",
    version=3,
    status=Status.NOT_APPLICABLE,
    reasons=(
        Reason(status=Status.NOT_APPLICABLE, code=ReasonCode.SHADOW_NOT_RUN, message="there is no champion to run beside"),
    ),
)
PROMOTION = Promotion(
    model="flights.late",
    alias="champion",
    to_version=3,
    by="ann",
    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    reason="rollback: wrong",
)
DECISION = Decision(
    kind=DecisionKind.WAIVER,
    model="flights.late",
    about="a" * 32,
    by="ann@host",
    via="command line",
    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    reason="a new airline",
    until=date(2026, 4, 1),
    anomaly="new_category",
    column="carrier",
)
SUMMARY = RunSummary(
    pipeline="flights.late",
    run="manual__1",
    span=PART,
    outcome=Outcome.BLOCKED,
    reasons=("wind is outside 0 to 75 in 2 rows",),
    mlflow_run="f" * 32,
)
PROFILE = Profile(
    rows=3,
    columns=(
        ColumnProfile(
            name="x",
            type="number",
            storage="DOUBLE",
            rows=3,
            missing=1,
            zeros=1,
            fractional=1,
            minimum=0.0,
            maximum=1.5,
            mean=0.75,
            std=0.75,
            skewness=0.0,
            kurtosis=-2.0,
            quantiles=(0.0, 1.5),
            distinct_sample=DistinctSample(hashes="AAAAAAAAAAABAAAAAAAAAA==", counts="AQE="),
            with_label=WithLabel(rows=2, mean_value=0.75, mean_label=0.5, m2_value=1.125, m2_label=0.5, comoment=0.75),
        ),
        ColumnProfile(
            name="s",
            type="string",
            storage="VARCHAR",
            rows=3,
            missing=0,
            lengths=Lengths(minimum=1, maximum=2, mean=1.5),
            values=(ValueCount("a", 2), ValueCount("bc", 1)),
            label_pairs=(PairCount("a", "True", 2),),
        ),
    ),
    label="late",
)
SCHEMA_OF_LATE = Schema(
    label="late",
    key=("id",),
    min_rows=10,
    rows_ratio=Range(min=0.5),
    features=(
        Feature(name="id", type="integer", unique=True),
        Feature(
            name="wind",
            type="number",
            unit="mph",
            presence=0.9,
            range=Range(min=0, max=75),
            drift=Drift(limit=0.1, distance="jensen_shannon"),
        ),
        Feature(name="late", type="boolean"),
    ),
    rules=(Rule(name="times", sql="arr > dep", min_fraction=0.99),),
    metric_checks=(MetricMonitor(metric="rows", strategy="change", max_decrease=100.0),),
    feature_skew=FeatureSkew(max_fraction=0.01, digits=3),
    waivers=(WAIVER,),
)

LABELS_DUE = LabelsDue(
    pipeline="flights.late",
    spans=(
        WaitingSpan(name="2013-05", rows=400, missing=None, since=datetime(2026, 1, 2, tzinfo=UTC), report=REPORT.digest),
        WaitingSpan(
            name="2013-06",
            version=1,
            rows=400,
            missing=12,
            since=datetime(2026, 1, 3, tzinfo=UTC),
            passed=True,
            problem="the rule r is not valid SQL",
        ),
    ),
)

ASKED = Asked(
    key=CONTENT,
    model="flights.late",
    version=2,
    champion=1,
    evaluation_set=EvaluationSet(content=ROWS, rows=3, different=2, once=1, sample="AAAAAAAAAAEAAAAAAAAAAg=="),
    steps=8,
    passes=1,
    guaranteed=False,
    shared=False,
    by="late/manual__1",
    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
)
ANSWERED = Answered(
    key=CONTENT,
    log_share=-2.5,
    status=Status.FAIL,
    shown="rounded",
    log_values=4.5,
    by="late/manual__1",
    at=datetime(2026, 3, 1, 12, tzinfo=UTC),
)

SAMPLES: dict[str, Record] = {
    type(record).__name__: record
    for record in (
        SPAN,
        SNAPSHOT,
        REPORT,
        FEATURES,
        CANDIDATE,
        BASELINE,
        CURVE,
        PLAN,
        TRIAL,
        Trials(plan=PLAN.digest, trials=(TRIAL, FAILED)),
        SweepReport(snapshot=SNAPSHOT.digest, metric="roc_auc", trials=(TRIAL, FAILED)),
        EVALUATION,
        VERDICT,
        SHADOW,
        PROMOTION,
        DECISION,
        SUMMARY,
        PROFILE,
        SCHEMA_OF_LATE,
        LABELS_DUE,
        ASKED,
        ANSWERED,
        SERVED,
        DomainShift(auc=0.75, p_value=1e-9, columns=("distance", "carrier")),
    )
}
