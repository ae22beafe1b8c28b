"""Rows of the same key are found whatever the types of the two sides, and what cannot be compared is told as it is."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.data.engine.duckdb_table import open_table
from taxiway.data.schema.constraints import FeatureSkew, LifecycleStage
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.checks.feature_skew import compare_with_serving
from taxiway.data.validation.results import CheckResults
from taxiway.records import Anomaly, Severity

NOON = datetime(2026, 1, 1, 12)
SCHEMA = Schema(
    key="id",
    features=(Feature(name="id", type="integer"), Feature(name="x", type="number")),
    feature_skew=FeatureSkew(max_fraction=0.4),
)


def found(folder: Path, training: dict[str, Any], serving: dict[str, Any], schema: Schema = SCHEMA) -> list[Anomaly]:
    for name, columns in (("training", training), ("serving", serving)):
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    results = CheckResults()
    with open_table(folder / "training.parquet", "training") as one, open_table(folder / "serving.parquet", "serving") as other:
        compare_with_serving(one, other, schema, results)
    return results.anomalies


def test_no_key_on_both_sides_is_told(tmp_path: Path) -> None:
    (anomaly,) = found(tmp_path, {"id": [1, 2], "x": [1.0, 2.0]}, {"id": [3, 4], "x": [1.0, 2.0]})
    assert anomaly.message == (
        "training and serving rows cannot be compared row by row: no value of id occurs exactly once on both sides."
    )


def test_a_side_without_the_key_is_told(tmp_path: Path) -> None:
    (anomaly,) = found(tmp_path, {"id": [1], "x": [1.0]}, {"x": [1.0]})
    assert "serving data has no column id" in anomaly.message


@pytest.mark.parametrize("ids", [pa.array([1.0, 2.0, None]), pa.array(["1", "2", "9"]), pa.array([1, 2, 7], "int8")])
def test_keys_of_other_types_match(ids: pa.Array, tmp_path: Path) -> None:
    (anomaly,) = found(tmp_path, {"id": [1, 2, 3], "x": [1.0, 2.0, 3.0]}, {"id": ids, "x": [5.0, 2.0, 3.0]})
    assert "1 of 2 rows" in anomaly.message
    assert '"1": "1.0" in training, "5.0" in serving' in anomaly.message


@pytest.mark.parametrize(
    ("one", "other", "unequal"),
    [
        (pa.array([1, 2]), pa.array(["1", "many"]), 1),
        (pa.array([1.0, 2.5]), pa.array(["1", "2.5"]), 0),
        (pa.array(["1", "2"]), pa.array([1, 2]), 0),
        (pa.array([True, False]), pa.array(["true", "true"]), 1),
        (pa.array([1, 2]), pa.array([1.0, 2.0]), 0),
        (pa.array([NOON] * 2, pa.timestamp("us")), pa.array([NOON.replace(tzinfo=UTC)] * 2, pa.timestamp("ns", "UTC")), 0),
        (pa.array([["a"], ["b"]]), pa.array([["a"], ["c"]]), 1),
    ],
)
def test_values_of_other_types_are_compared(one: pa.Array, other: pa.Array, unequal: int, tmp_path: Path) -> None:
    anomalies = found(tmp_path, {"id": [1, 2], "x": one}, {"id": [2, 1], "x": other.take([1, 0])})
    assert len(anomalies) == unequal
    assert all(f"in {unequal} of 2 rows" in anomaly.message for anomaly in anomalies)


@pytest.mark.parametrize("lacks", ["training", "serving"])
def test_a_feature_on_one_side_alone_is_found(lacks: str, tmp_path: Path) -> None:
    whole, part = {"id": [1], "x": [1.0]}, {"id": [1]}
    (anomaly,) = found(tmp_path, *((part, whole) if lacks == "training" else (whole, part)))
    assert (anomaly.kind, anomaly.column, anomaly.severity) == ("feature_skew", "x", Severity.ERROR)
    assert f"{lacks} data has no such column" in anomaly.message


def test_a_deprecated_feature_that_serving_lacks_warns_and_one_that_nobody_has_is_equal(tmp_path: Path) -> None:
    x = Feature(name="x", type="number", stage=LifecycleStage.DEPRECATED)
    schema = Schema(key="id", features=(Feature(name="id", type="integer"), x), feature_skew=FeatureSkew())
    (anomaly,) = found(tmp_path, {"id": [1], "x": [1.0]}, {"id": [1]}, schema)
    assert anomaly.severity is Severity.WARNING
    assert found(tmp_path, {"id": [1]}, {"id": [1]}, schema) == []
