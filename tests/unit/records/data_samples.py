"""A snapshot and a data report, with as many fields set as may be set together."""

from datetime import date

from taxiway.records import (
    Anomaly,
    DataReport,
    JoinMatch,
    SampleRule,
    SchemaChange,
    Severity,
    Snapshot,
    SourceFile,
    Span,
    SplitRule,
    Status,
    Waiver,
)

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
