"""Spans that a column splits are judged as spans_by_name: what is expected of data does not hang on how their rows are used."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from taxiway.data.ingest.ingest import ingest
from taxiway.data.ingest.read_spec import ReadSpec
from taxiway.data.schema.constraints import Drift
from taxiway.data.schema.file import Feature, Schema
from taxiway.data.schema.watch import MetricMonitor
from taxiway.data.sources.files import find_spans
from taxiway.data.validation.profile_history import load_profile_history, record_profiles
from taxiway.data.validation.snapshot import validate_snapshot
from taxiway.records import DataReport, Snapshot, SplitRule
from taxiway.store.store import Store

ROWS = 400
Take = Callable[..., Snapshot]


def schema(**keys: Any) -> Schema:
    features = (
        Feature(name="customer", type="integer"),
        Feature(name="word", type="string", drift=Drift(limit=0.05)),
        Feature(name="late", type="boolean"),
    )
    return Schema(label="late", features=features, **keys)


def month(number: int, word: str = "a") -> pd.DataFrame:
    """Customers by turns; of `word`, half of the rows."""
    at = np.arange(ROWS)
    words = np.where(at % 2, "a", word)
    return pd.DataFrame({"customer": at % 50, "word": words, "late": at % 3 == 0})


@pytest.fixture
def take(tmp_path: Path, store: Store) -> Take:
    """A function that makes a snapshot of months, split by customer unless it is told otherwise."""

    def make(*months: pd.DataFrame, first: int = 1, split: bool = True) -> Snapshot:
        for number, rows in enumerate(months, start=first):
            rows.to_parquet(tmp_path / f"2013-{number:02}.parquet", index=False)
        found = find_spans(f"{tmp_path}/{{YYYY}}-{{MM}}.parquet")[first - 1 : first - 1 + len(months)]
        rule = SplitRule(by="customer", evaluation=0.2) if split else None
        return ingest(found, pipeline="t.p", source="there", store=store, read_spec=ReadSpec(split=rule))

    return make


def judged(snapshot: Snapshot, store: Store, expected: Schema, **keys: Any) -> DataReport:
    return validate_snapshot(snapshot, expected, store=store, today=date(2026, 3, 1), **keys)


def found(report: DataReport) -> list[tuple[str, str, str]]:
    return [(anomaly.kind, anomaly.span, anomaly.column) for anomaly in report.anomalies]


def test_a_split_changes_nothing_of_what_is_found(take: Take, store: Store) -> None:
    rows = month(3)
    rows.loc[[3, 77], "word"] = None
    expected = schema(min_rows=ROWS, key=("customer", "word"))
    parted, whole = (judged(take(month(1), month(2), rows, split=split), store, expected) for split in (True, False))
    assert ("presence", "2013-03", "word") in found(parted)
    assert found(parted) == found(whole)
    assert [a.observed for a in parted.anomalies] == [a.observed for a in whole.anomalies]


def test_drift_of_rows_to_train_on_is_seen_although_the_rows_to_evaluate_on_are_as_before(take: Take, store: Store) -> None:
    """Only customers who are trained on write another word in the newest month."""
    first = take(month(1), month(2))
    (part,) = [span for span in first.training if span.name == "2013-01"]
    with store.local_file(part.content) as path:
        trained_on = set(pd.read_parquet(path)["customer"])
    newest = month(2)
    newest.loc[newest["customer"].isin(trained_on), "word"] = "new"
    snapshot = take(month(1), newest)
    anomalies = judged(snapshot, store, schema()).anomalies
    (drift,) = [anomaly for anomaly in anomalies if anomaly.kind == "drift"]
    assert (drift.span, drift.column) == ("2013-02", "word")
    assert "from 0.0% in the spans before it to" in drift.message or "from 100.0% in the spans before it to" in drift.message
    assert not [a for a in judged(first, store, schema()).anomalies if a.kind == "drift"]


def test_one_span_that_is_split_is_compared_with_the_one_before_it_where_that_is_known(take: Take, store: Store) -> None:
    first = take(month(1))
    assert found(judged(first, store, schema(), history=load_profile_history(first, schema(), store))) == []
    record_profiles(first, "late", store)
    second = take(month(2, "new"), first=2)
    (drift,) = judged(second, store, schema(), history=load_profile_history(second, schema(), store)).anomalies
    assert (drift.kind, drift.span) == ("drift", "2013-02")
    assert "in the span before it to" in drift.message


def test_a_span_is_remembered_with_all_its_parts(take: Take, store: Store) -> None:
    earlier = take(*(month(number) for number in range(1, 5)))
    record_profiles(earlier, "late", store)
    newest = take(month(5)[: ROWS // 2], month(6)[: ROWS // 4], first=5)
    watch = MetricMonitor(metric="rows", strategy="ratio", min_ratio=0.75)
    assert [profile.rows for profile in load_profile_history(newest, schema(metric_checks=(watch,)), store).values()] == [
        ROWS
    ] * 4
    assert load_profile_history(newest, schema(), store) == {}, "nothing asks for them"
    (few,) = judged(
        newest,
        store,
        schema(metric_checks=(watch,)),
        history=load_profile_history(newest, schema(metric_checks=(watch,)), store),
    ).anomalies
    assert (few.kind, few.span, few.observed, few.expected) == ("history", "2013-06", "rows 100", "150 to inf")


def test_the_suite_sees_the_newest_span_whole(take: Take, store: Store, tmp_path: Path) -> None:
    pytest.importorskip("great_expectations")
    rows = month(2)
    rows.loc[5, "word"] = "odd"
    count = {"type": "expect_table_row_count_to_equal", "kwargs": {"value": ROWS}}
    words = {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "word", "value_set": ["a"]}}
    (tmp_path / "suite.json").write_text(json.dumps({"expectations": [count, words]}))
    report = judged(take(month(1), rows), store, schema(), suite=tmp_path / "suite.json")
    (odd,) = report.anomalies
    assert (odd.kind, odd.span) == ("gx:expect_column_values_to_be_in_set", "2013-02")
    assert odd.observed.startswith(f"1 of {ROWS} rows")
