"""Keys are compared by value, whatever types the files have; a key that cannot be looked for is told, never passed."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helping import rounds
from taxiway.data.engine.connection import connect
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import SERVING, TRAINING, Schema
from taxiway.data.validation.checks import keys
from taxiway.data.validation.checks.keys import check_unique
from taxiway.data.validation.results import CheckResults
from taxiway.data.validation.validate import validate
from taxiway.records import Severity, Status

NAN = float("nan")
NOON = datetime(2026, 1, 1, 12)


def checked(folder: Path, *tables: dict[str, Any], key: tuple[str, ...] = ("id",)) -> CheckResults:
    spans = []
    for at, columns in enumerate(tables):
        pq.write_table(pa.table(columns), folder / f"{at}.parquet")
        spans.append((f"day {at}", [folder / f"{at}.parquet"]))
    results = CheckResults()
    check_unique(spans, key, results)
    return results


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (pa.array([1, 2]), pa.array([2.0, None]), ("2",)),
        (pa.array([1, 2]), pa.array(["2", "3"]), ("2",)),
        (pa.array([1.1], "float32"), pa.array([1.1]), ("1.1",)),
        (pa.array([NOON], pa.timestamp("us")), pa.array([NOON.replace(tzinfo=UTC)], pa.timestamp("us", "UTC")), None),
        (pa.array([NOON], pa.timestamp("ns")), pa.array([NOON], pa.timestamp("ms")), ("2026-01-01 12:00:00",)),
        (pa.array([NAN, 1.0]), pa.array([NAN, 2.0]), ()),
    ],
)
def test_a_key_in_two_spans_is_found_whatever_its_types(
    one: pa.Array, other: pa.Array, shown: tuple[str, ...] | None, tmp_path: Path
) -> None:
    results = checked(tmp_path, {"id": one}, {"id": other})
    assert len(results.anomalies) == (0 if shown == () else 1)
    for anomaly in results.anomalies:
        assert "also in span day 0" in anomaly.message
        assert anomaly.observed == "1 key more than once"
        assert shown is None or anomaly.examples == shown


def test_nan_is_no_key_within_a_span_and_fractions_are(tmp_path: Path) -> None:
    (found,) = checked(tmp_path, {"id": pa.array([NAN, NAN, 1.5, 1.5, 2.0, 2.5])}).anomalies
    assert found.examples == ("1.5",)


def test_parts_of_a_key_are_not_run_together(tmp_path: Path) -> None:
    columns = {"a": ["x, y", "x"], "b": ["z", "y, z"]}
    assert checked(tmp_path, columns, key=("a", "b")).anomalies == []


def test_a_key_that_is_absent_is_told(tmp_path: Path) -> None:
    (found,) = checked(tmp_path, {"id": [1]}, {"other": [1]}).anomalies
    assert (found.kind, found.span, found.column, found.severity) == ("duplicate_key", "day 1", "id", Severity.ERROR)
    assert found.message == "the key id cannot be checked in span day 1: it has no column id."


def test_a_key_found_missing_before_is_noted_and_one_that_may_be_missing_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "data.parquet")
    x = Feature(name="x", type="integer")
    needed = validate(tmp_path / "data.parquet", Schema(key="id", features=(Feature(name="id", type="integer"), x)))
    assert [anomaly.kind for anomaly in needed.anomalies] == ["missing_column"]
    assert needed.notes == ("the key id cannot be checked in data.parquet: it has no column id",)
    optional = Schema(key="id", features=(Feature(name="id", type="integer", presence=0), x))
    report = validate(tmp_path / "data.parquet", optional)
    assert ([anomaly.kind for anomaly in report.anomalies], report.status) == (["duplicate_key"], Status.FAIL)
    trained = Schema(key="id", features=(Feature(name="id", type="integer", environments=(TRAINING,)), x))
    assert validate(tmp_path / "data.parquet", trained, environment=SERVING).anomalies == ()


@pytest.mark.deep
def test_millions_of_shared_keys_are_counted_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = rounds(1_500_000, 6_000_000)
    monkeypatch.setattr(keys, "connect", partial(connect, memory_limit=f"{count // 10_000}MB"))
    ids = pa.array(range(count))
    (found,) = checked(tmp_path, {"id": ids}, {"id": ids}).anomalies
    assert found.observed == f"{count:,} keys more than once"
    assert found.examples == ("0", "1", "10")
