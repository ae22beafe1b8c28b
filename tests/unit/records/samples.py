"""One record of every kind that is stored, logged or named by its digest, with as many fields set as may be set together."""

from datetime import UTC, date, datetime

from taxiway.data.profiling.distinct_sketch import DistinctSample
from taxiway.data.profiling.profile import ColumnProfile, Lengths, PairCount, Profile, ValueCount, WithLabel
from taxiway.data.schema.constraints import Drift, FeatureSkew, Range, Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.schema.watch import MetricMonitor
from taxiway.records import (
    Anomaly,
    Answered,
    Asked,
    BaselineModel,
    Candidate,
    DataReport,
    Decision,
    DecisionKind,
    Evaluation,
    EvaluationSet,
    FeatureSet,
    Interval,
    JoinMatch,
    LabelsDue,
    LearningCurve,
    MetricResult,
    Outcome,
    Promotion,
    Reason,
    ReasonCode,
    Record,
    RunSummary,
    SampleRule,
    SchemaChange,
    Severity,
    ShadowReport,
    SliceResult,
    Snapshot,
    SourceFile,
    Span,
    SplitRule,
    Status,
    SweepPlan,
    SweepReport,
    Trial,
    Trials,
    Verdict,
    WaitingSpan,
    Waiver,
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

CONTENT, FILE, SCHEMA, TRANSFORM, ROWS = (f"{number:032x}" for number in (1, 2, 6, 7, 8))

SPAN = Span(source="s3://data/{YYYY}-{MM}.parquet", name="2013-03", rows=400, content=CONTENT)
PART = Span(
    source="db: SELECT 1",
    name="2013-04",
    version=2,
    rows=300,
    content=CONTENT,
    part="training",
    original=SourceFile(content=FILE, rows=350),
)
SNAPSHOT = Snapshot(
    pipeline="flights.late",
    training=(SPAN,),
    evaluation=(PART,),
    joins=(
        JoinMatch(
            name="weather",
            span="2013-04",
            table="weather.parquet",
            content=FILE,
            keys=("origin", "time_hour"),
            rows=350,
            matched=300,
            min_match_rate=0.8,
            without_key=5,
            unmatched_keys=3,
            examples=("EWR, 3",),
        ),
    ),
    sample=SampleRule(fraction=0.5, by="id"),
    split=SplitRule(by="id", evaluation=0.2),
)
WAIVER = Waiver(kind="range", column="wind", owner="ann", reason="new sensor", until=date(2026, 3, 1))
REPORT = DataReport(
    snapshot=SNAPSHOT.digest,
    schema_version=SCHEMA,
    status=Status.PASS,
    checks=12,
    anomalies=(
        Anomaly(
            kind="range",
            span="2013-04",
            column="wind",
            severity=Severity.ERROR,
            observed="154.3",
            expected="0 to 75",
            message="wind is outside 0 to 75 in 2 rows",
            examples=("154.3",),
            rows=(7, 9),
            fix=SchemaChange(path=("features", "wind", "range", "max"), value=154.3),
            proposal="features.wind.range.max: 154.3",
        ),
        Anomaly(
            kind="min_rows",
            span="2013-04",
            severity=Severity.WARNING,
            observed="3",
            expected="at least 10",
            message="2013-04 has 3 rows",
        ),
    ),
    waivers=(WAIVER,),
    notes=("skew was not judged",),
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
            frequencies=DistinctSample(hashes="AAAAAAAAAAABAAAAAAAAAA==", counts="AQE="),
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
    )
}
