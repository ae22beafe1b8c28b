"""Data validation on small tables: each kind of anomaly is found, alone, with numbers, and decides as it should."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.data.schema.file import Drift, Feature, Range, Schema
from taxiway.data.validation.snapshot import validate_snapshot
from taxiway.records import Anomaly, DataReport, Severity, Snapshot, Span, Status, Waiver
from taxiway.store.store import Store

TODAY = date(2026, 3, 1)
SCHEMA = Schema(
    label="late",
    key=("id",),
    min_rows=5,
    features=(
        Feature(name="id", type="string"),
        Feature(name="word", type="string", domain=("a", "b")),
        Feature(name="speed", type="number", presence=0.5, range=Range(min=0, max=75), unit="mph"),
        Feature(name="count", type="integer"),
        Feature(name="late", type="boolean"),
    ),
)


def table(start: int = 0, **columns: Any) -> pd.DataFrame:
    good = {
        "id": [f"id {at}" for at in range(start, start + 10)],
        "word": ["a", "b"] * 5,
        "speed": [0.0, 75.0, 3.5, 2.0, None] * 2,
        "count": range(10),
        "late": [True, False] * 5,
    }
    rows = pd.DataFrame(good)
    for name, values in columns.items():
        rows[name] = values
    return rows


Judge = Callable[..., DataReport]


@pytest.fixture
def judge(snapshot_of: Callable[..., Snapshot], store: Store) -> Judge:
    """Validate a good training span and a given one."""

    def run(newest: pd.DataFrame, schema: Schema = SCHEMA, training: pd.DataFrame | None = None) -> DataReport:
        snapshot = snapshot_of(table(100) if training is None else training, newest)
        report = validate_snapshot(snapshot, schema, store=store, today=TODAY)
        assert report.snapshot == snapshot.digest
        assert report.schema_version == schema.digest
        return report

    return run


def only(report: DataReport) -> Anomaly:
    assert len(report.anomalies) == 1, [anomaly.message for anomaly in report.anomalies]
    return report.anomalies[0]


def test_good_data_pass_and_the_checks_are_counted(judge: Judge) -> None:
    report = judge(table())
    assert (report.status, report.anomalies, report.waivers) == (Status.PASS, (), ())
    assert report.checks > 20


@pytest.mark.parametrize(
    ("columns", "kind", "column", "said"),
    [
        ({"word": ["a", "x", "y", "x"] + ["b"] * 6}, "domain", "word", 'has values outside its domain in 3 of 10 rows (30.0%): "x" (2 rows), "y" (1 row); the domain has 2 values.'),
        ({"speed": [1.0] * 8 + [75.1, 99.0]}, "range", "speed", "is outside 0 to 75 mph in 2 of 10 rows (20.0%), furthest at 99 (for example rows 9, 10)."),
        ({"speed": [1.0] * 9 + [-0.1]}, "range", "speed", "in 1 of 10 rows (10.0%), furthest at -0.1 (row 10)."),
        ({"speed": [None] * 6 + [1.0] * 4}, "presence", "speed", "has no value in 6 of 10 rows (60.0%); required: a value in at least 50.0% of the rows (for example rows 1, 2, 3)."),
        ({"word": [None] + ["a"] * 9}, "presence", "word", "has no value in 1 of 10 rows (10.0%); required: a value in every row (row 1)."),
        ({"count": [1.5] + [2.0] * 9}, "type", "count", "must be of type integer; got a fractional number in 1 of 10 rows (10.0%), such as \"1.5\" (row 1)."),
        ({"speed": [str(at) for at in range(10)]}, "type", "speed", 'must be of type number; got string (VARCHAR), such as "0", "1", "2" (for example rows 1, 2, 3).'),
        ({"word": range(10)}, "type", "word", "must be of type string; got integer (BIGINT)"),
        ({"id": ["same"] * 3 + [f"i{at}" for at in range(7)]}, "duplicate_key", "id", '1 key of id is in more than one row of span 2020-02, such as "same".'),
        ({"id": ["id 100", "id 105", *[f"i{at}" for at in range(8)]]}, "duplicate_key", "id", '2 keys of id in span 2020-02 are also in span 2020-01: a model may be evaluated on rows that it was trained on (leakage), such as "id 100", "id 105".'),
        ({"late": [None] + [True, False, False] * 3}, "label_missing", "late", "is the label, and there is no value in 1 of 10 rows (10.0%)"),
        ({"late": [True] * 10}, "label_constant", "late", 'is "true" in all 10 rows that have a label'),
    ],
)  # fmt: skip
def test_each_fault_alone_is_found_and_fails(columns: dict[str, Any], kind: str, column: str, said: str, judge: Judge) -> None:
    report = judge(table(**columns))
    anomaly = only(report)
    assert (anomaly.kind, anomaly.column, anomaly.span, anomaly.severity) == (kind, column, "2020-02", Severity.ERROR)
    assert said in anomaly.message
    assert report.status is Status.FAIL
    assert report.blocking == (anomaly,)


def test_a_fault_in_a_training_span_fails_too(judge: Judge) -> None:
    anomaly = only(judge(table(), training=table(100, word="x")))
    assert (anomaly.kind, anomaly.span) == ("domain", "2020-01")


def test_a_missing_column_fails_and_a_near_name_is_shown(judge: Judge) -> None:
    anomaly = only(judge(table().drop(columns="word")))
    assert (anomaly.kind, anomaly.column) == ("missing_column", "word")
    renamed = judge(table().rename(columns={"word": "Word"}))
    assert {anomaly.kind for anomaly in renamed.anomalies} == {"missing_column", "new_column"}
    assert 'there is a column "Word"' in renamed.anomalies[-1].message + renamed.anomalies[0].message
    assert renamed.status is Status.FAIL


def test_a_missing_label_is_named_as_such(judge: Judge) -> None:
    anomaly = only(judge(table().drop(columns="late")))
    assert anomaly.kind == "label_missing"
    assert "no such column" in anomaly.message


def test_an_optional_column_may_be_missing(judge: Judge) -> None:
    features = tuple(f.model_copy(update={"presence": 0.0}) if f.name == "speed" else f for f in SCHEMA.features)
    assert judge(table().drop(columns="speed"), SCHEMA.model_copy(update={"features": features})).status is Status.PASS


def test_a_new_column_is_a_warning_and_passes(judge: Judge) -> None:
    report = judge(table(gate=["x"] * 10))
    anomaly = only(report)
    assert (anomaly.kind, anomaly.column, anomaly.severity) == ("new_column", "gate", Severity.WARNING)
    # Optional, because the span before does not have it.
    assert anomaly.proposal == "features.gate: {type: string, presence: optional}"
    assert report.status is Status.PASS


def test_too_few_rows_fail(judge: Judge) -> None:
    anomaly = only(judge(table()[:4]))
    assert anomaly.message == "span 2020-02 has 4 rows; required: at least 5."


def test_no_rows_at_all_are_never_passed(judge: Judge) -> None:
    report = judge(table()[:0], SCHEMA.model_copy(update={"min_rows": 1}))
    assert report.status is Status.FAIL
    assert "min_rows" in {anomaly.kind for anomaly in report.blocking}


def test_whole_numbers_that_gaps_turned_into_floats_are_integers(judge: Judge) -> None:
    features = tuple(f.model_copy(update={"presence": 0.5}) if f.name == "count" else f for f in SCHEMA.features)
    rows = table(count=[1.0, None] * 5)
    assert str(rows["count"].dtype) == "float64"
    assert judge(rows, SCHEMA.model_copy(update={"features": features})).status is Status.PASS


def test_nan_counts_as_missing_and_infinity_is_an_anomaly(span_of: Callable[..., Span], store: Store, tmp_path: Path) -> None:
    made = pa.Table.from_pandas(table(), preserve_index=False)
    speeds = pa.array([float("nan")] * 6 + [float("inf")] + [1.0] * 3, pa.float64(), from_pandas=False)
    made = made.set_column(made.schema.get_field_index("speed"), "speed", speeds)
    pq.write_table(made, tmp_path / "odd.parquet")
    odd = Span(source="made", name="2020-02", rows=10, content=store.put_file(tmp_path / "odd.parquet"))
    snapshot = Snapshot(pipeline="made", training=(span_of(table(100), "2020-01"),), evaluation=(odd,))
    report = validate_snapshot(snapshot, SCHEMA, store=store, today=TODAY)
    assert {anomaly.kind: anomaly.examples for anomaly in report.anomalies} == {
        "presence": (),
        "range": ("inf",),
        "infinite": (),
    }


def test_a_domain_of_integers_is_checked_row_by_row(judge: Judge) -> None:
    features = tuple(f.model_copy(update={"domain": tuple(range(9))}) if f.name == "count" else f for f in SCHEMA.features)
    anomaly = only(judge(table(), SCHEMA.model_copy(update={"features": features}), training=table(100, count=1)))
    assert (anomaly.kind, anomaly.examples) == ("domain", ('"9"',))


def test_a_domain_is_exact_where_there_are_more_values_than_a_profile_keeps(judge: Judge) -> None:
    words = [f"w{at}" for at in range(1500)]
    features = (Feature(name="word", type="string", domain=tuple(words)), Feature(name="late", type="boolean"))
    schema = Schema(label="late", features=features)
    good = pd.DataFrame({"word": words, "late": [True, False] * 750})
    assert judge(good, schema, training=good).status is Status.PASS
    anomaly = only(judge(good.replace({"word": {"w700": "new"}}), schema, training=good))
    assert anomaly.observed == "1 other value in 1 of 1,500 rows (below 0.1%)"


def waived(until: date, kind: str = "range", column: str = "speed") -> Schema:
    waiver = Waiver(kind=kind, column=column, owner="ann", reason="new station", until=until)
    return SCHEMA.model_copy(update={"waivers": (waiver,)})


FAST = {"speed": [99.0] * 10}


def test_a_valid_waiver_excuses_to_its_last_day_and_is_named(judge: Judge) -> None:
    schema = waived(TODAY)
    report = judge(table(**FAST), schema)
    assert report.status is Status.PASS
    assert report.waivers == schema.waivers
    assert only(report).severity is Severity.ERROR
    assert report.blocking == ()


@pytest.mark.parametrize(
    "schema",
    [waived(date(2026, 2, 28)), waived(TODAY, kind="presence"), waived(TODAY, column="count")],
    ids=["ended", "kind", "column"],
)
def test_a_waiver_that_ended_or_is_for_something_else_excuses_nothing(schema: Schema, judge: Judge) -> None:
    report = judge(table(**FAST), schema)
    assert (report.status, report.waivers) == (Status.FAIL, ())
    assert ("The waiver of ann was valid until 2026-02-28." in only(report).message) == (schema.waivers[0].until < TODAY)


def test_a_waiver_for_one_fault_leaves_the_other(judge: Judge) -> None:
    report = judge(table(**FAST, word="x"), waived(TODAY))
    assert report.status is Status.FAIL
    assert [anomaly.kind for anomaly in report.blocking] == ["domain"]


def test_a_feature_of_severity_warning_is_reported_and_passes(judge: Judge) -> None:
    features = tuple(f.model_copy(update={"severity": Severity.WARNING}) for f in SCHEMA.features)
    report = judge(table(**FAST), SCHEMA.model_copy(update={"features": features}))
    assert (report.status, only(report).severity) == (Status.PASS, Severity.WARNING)


def drifting(column: str, limit: float, severity: Severity = Severity.ERROR) -> Schema:
    features = tuple(
        f.model_copy(update={"drift": Drift(limit=limit, severity=severity)}) if f.name == column else f
        for f in SCHEMA.features
    )
    return SCHEMA.model_copy(update={"features": features})


def many(start: int, rows: int, **columns: Any) -> pd.DataFrame:
    parts = [table(start + 10 * at) for at in range(rows // 10)]
    whole = pd.concat(parts, ignore_index=True)
    return whole.assign(**columns)


def test_a_share_that_moved_is_drift_by_name_and_with_numbers(judge: Judge) -> None:
    report = judge(many(0, 1000, word=["a"] * 800 + ["b"] * 200), drifting("word", 0.2), training=many(10_000, 1000))
    anomaly = only(report)
    assert (anomaly.kind, anomaly.column, report.status) == ("drift", "word", Status.FAIL)
    assert anomaly.message == (
        'word: the share of "a" changed from 50.0% in the training spans to 80.0% in span 2020-02: '
        "L-infinity distance 0.300 (allowed: at most 0.2; with 1,000 and 1,000 values, sampling alone exceeds "
        "0.091 about once in 1,000 comparisons or less often)."
    )
    assert anomaly.proposal == "features.word.drift.limit: 0.301"


def test_the_proposed_limit_lets_the_same_data_pass(judge: Judge) -> None:
    new = many(0, 1000, word=["a"] * 800 + ["b"] * 200)
    assert judge(new, drifting("word", 0.301), training=many(10_000, 1000)).status is Status.PASS


def test_numbers_that_moved_are_drift_with_their_medians(judge: Judge) -> None:
    anomaly = only(judge(many(0, 1000, speed=40.0), drifting("speed", 0.3), training=many(10_000, 1000)))
    assert (anomaly.kind, anomaly.column) == ("drift", "speed")
    assert "the median changed from 2 to 40 mph" in anomaly.message


def test_a_value_that_appeared_is_named_beside_the_median(judge: Judge) -> None:
    now = [99 if at % 25 < 5 else at % 5 for at in range(1000)]
    training = many(10_000, 1000, count=[at % 5 for at in range(1000)])
    anomaly = only(judge(many(0, 1000, count=now), drifting("count", 0.01), training=training))
    assert "; the share of 99 changed from 0.0% to 20.0%)" in anomaly.message


def test_drift_of_severity_warning_passes(judge: Judge) -> None:
    report = judge(many(0, 1000, speed=40.0), drifting("speed", 0.3, Severity.WARNING), training=many(10_000, 1000))
    assert (report.status, only(report).severity) == (Status.PASS, Severity.WARNING)


def test_ten_rows_that_differ_by_chance_are_no_drift(judge: Judge) -> None:
    few = table(word=["a"] * 8 + ["b"] * 2, speed=[50.0, 60.0, 70.0, 55.0, 65.0] * 2)
    for column in ("word", "speed"):
        assert judge(few, drifting(column, 0.05), training=many(10_000, 1000)).status is Status.PASS


def test_training_spans_are_not_compared_with_each_other(snapshot_of: Callable[..., Snapshot], store: Store) -> None:
    one, other, newest = (many(at, 1000, speed=speed) for at, speed in ((0, 5.0), (10_000, 70.0), (20_000, [5.0, 70.0] * 500)))
    report = validate_snapshot(snapshot_of(one, other, newest), drifting("speed", 0.1), store=store, today=TODAY)
    assert report.status is Status.PASS, "the newest span is what the training spans are together"


def test_a_column_without_values_to_compare_says_so(judge: Judge) -> None:
    optional = tuple(
        f.model_copy(update={"presence": 0.0}) if f.name == "speed" else f for f in drifting("speed", 0.3).features
    )
    schema = SCHEMA.model_copy(update={"features": optional})
    empty = table(speed=pd.Series([None] * 10, dtype="float64"))
    anomaly = only(judge(empty, schema))
    assert (anomaly.kind, anomaly.column) == ("drift_unmeasured", "speed")
    assert "there are no values in span 2020-02" in anomaly.message
    both = judge(empty, schema, training=empty.assign(id=[f"t{at}" for at in range(10)]))
    assert both.anomalies == ()


def test_the_same_snapshot_gives_the_same_report(judge: Judge) -> None:
    first = judge(table(**FAST, word="x", gate=1))
    assert judge(table(**FAST, word="x", gate=1)).digest == first.digest


NASTY = "x\"; DROP TABLE span; -- ' {y} %s"


def test_names_and_values_that_look_like_sql_are_only_data(judge: Judge) -> None:
    features = (
        Feature(name=NASTY, type="string", domain=(NASTY,)),
        Feature(name="'", type="number", range=Range(max=1)),
        Feature(name="late", type="boolean"),
    )
    schema = Schema(label="late", key=(NASTY,), features=features)
    good = pd.DataFrame({NASTY: [NASTY, "other'\n\x00"], "'": [1, 2], "late": [True, False]})
    report = judge(good, schema, training=good[:1].assign(late=[True]))
    found = {(anomaly.kind, anomaly.column) for anomaly in report.anomalies if anomaly.span == "2020-02"}
    assert found == {("domain", NASTY), ("range", "'"), ("duplicate_key", NASTY)}
    messages = " ".join(anomaly.message for anomaly in report.anomalies)
    assert "\n" not in messages
    assert "\x00" not in messages
    assert DataReport.from_json(report.to_json()) == report


def test_keys_of_several_columns_count_together(judge: Judge) -> None:
    schema = SCHEMA.model_copy(update={"key": ("word", "count")})
    training = table(100, count=range(100, 110))
    assert judge(table(), schema, training=training).status is Status.PASS
    anomaly = only(judge(table(count=[1, 1, 1, 1, 2, 2, 3, 3, 4, 4]), schema, training=training))
    assert (anomaly.column, anomaly.examples) == ("word, count", ("a, 1", "b, 1"))
