"""Numbers, dates and times keep their values: in profiles, in checks, and in what people read of them."""

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from helping import examples
from taxiway.cli.main import main
from taxiway.data.profiling.compute import profile
from taxiway.data.profiling.profile import ColumnProfile
from taxiway.data.schema.constraints import Counts, Drift, FeatureSkew, Range
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.validate import validate
from taxiway.errors import DataError
from taxiway.messages import number_text, number_texts
from taxiway.records import Anomaly

BIG = 2**53
SNOWFLAKES = [1_700_000_003_734_242_052 + 40_000_000_000_000 * at for at in range(50)]
NANO = [np.datetime64(f"2024-01-01T00:00:00.00000000{at}", "ns") for at in range(3)]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def run(values: Any, kind: pa.DataType | None = None, name: str = "data") -> Path:
        path = tmp_path / f"{name}.parquet"
        array = pa.array(values, pa.timestamp("ns")).cast(kind) if values is NANO else pa.array(values, kind)
        pq.write_table(pa.table({"v": array, "id": range(len(values))}), path)
        return path

    return run


def found(data: Path, feature: Feature, **more: Any) -> list[Anomaly]:
    schema = Schema(features=(feature, Feature(name="id", type="integer")), key=("id",))
    return list(validate(data, schema, **more).anomalies)


def of(data: Path) -> ColumnProfile:
    column = profile(data).column("v")
    assert column is not None
    return column


NUMBERS: dict[str, tuple[list[Any], pa.DataType | None]] = {
    "ids": (SNOWFLAKES, None),
    "unsigned": ([2**64 - 1, 2**63, 5], pa.uint64()),
    "smallest": ([-(2**63), 2**63 - 1, 0], None),
    "large floats": ([1e16, 2e16, 3e16], None),
    "one large float": ([1.0, 5.0, 1e18], None),
    "decimals": ([Decimal(1), Decimal(2), Decimal("9" * 38)], pa.decimal128(38, 0)),
    "end of time": ([datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(1, 1, 1)], pa.timestamp("us")),
    "beyond Python's years": ([2**62, 0], pa.timestamp("us")),
    "days": ([date(1, 1, 1), date(9999, 12, 31)], None),
    "nanoseconds": (NANO, pa.timestamp("ns")),
    "nanoseconds in UTC": (NANO, pa.timestamp("ns", "UTC")),
    "tiny": ([1e-200, 2e-200, 3e-200], None),
    "huge": ([1e300, -1e300, 1.0], None),
    "not finite": ([math.inf, -math.inf, math.nan, None], None),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_any_numbers_have_a_profile_and_a_report(write: Write, tmp_path: Path, name: str) -> None:
    data = str(write(*NUMBERS[name]))
    for command in (["profile", data], ["profile", data, "-o", str(tmp_path / "profile.html")], ["profile", "--json", data]):
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", ["ids", "unsigned", "smallest"])
def test_integers_of_any_size_keep_their_digits(write: Write, name: str) -> None:
    values, kind = NUMBERS[name]
    column = of(write(values, kind))
    assert (column.minimum, column.maximum) == (min(values), max(values))
    assert [int(item.value) for item in column.values] == sorted(values, key=str)
    unlike = found(write(values, kind), Feature(name="v", type="integer", domain=tuple(values[1:]), unique=True))
    assert [anomaly.examples for anomaly in unlike] == [(f'"{values[0]}"',)]


def test_a_column_of_numbers_is_listed_as_its_integers_are(write: Write) -> None:
    (outside,) = found(write([1.0, 1e19, 1e40]), Feature(name="v", type="integer", domain=(1, 2)))
    assert outside.examples[0] == '"10000000000000000000"'
    assert outside.fix is not None
    assert outside.fix.value == [10**19, int(1e40)]


@given(
    values=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(BIG - 2, BIG + 2), min_size=1, max_size=5),
    low=st.integers(-(2**64), 2**64) | st.integers(BIG - 2, BIG + 2) | st.floats(-1e19, 1e19),
)
@examples(40)
def test_a_range_of_integers_is_exact(tmp_path_factory: pytest.TempPathFactory, values: list[int], low: float) -> None:
    path = tmp_path_factory.mktemp("range") / "data.parquet"
    pq.write_table(pa.table({"at_least": values, "at_most": values}), path)
    ranges = {"at_least": Range(min=low), "at_most": Range(max=low)}
    schema = Schema(features=tuple(Feature(name=name, type="integer", range=limits) for name, limits in ranges.items()))
    anomalies = {anomaly.column: anomaly for anomaly in validate(path, schema).anomalies}
    for name, wrong in (("at_least", [v for v in values if v < low]), ("at_most", [v for v in values if v > low])):
        assert (name in anomalies) == bool(wrong)
        if wrong:
            assert anomalies[name].observed.endswith(f"{min(values)} to {max(values)}")
            assert f"in {len(wrong)} of {len(values)} rows" in anomalies[name].message


@pytest.mark.parametrize(
    ("values", "kind", "distinct"),
    [
        ([1.5, 2.5, math.nan, math.nan], pa.float64(), 2),
        ([1.5, 2.5, math.nan], pa.float32(), 2),
        ([math.nan, math.nan], pa.float64(), 0),
        (NANO, pa.timestamp("ns"), 3),
        (NANO, pa.timestamp("ns", "UTC"), 3),
        ([253_402_300_799_999_998, 253_402_300_799_999_999], pa.timestamp("us"), 2),
        ([Decimal("0.10000000000000000001"), Decimal("0.1")], pa.decimal128(38, 20), 2),
        ([BIG, BIG + 1], pa.int64(), 2),
        ([2**64 - 1, 2**64 - 2], pa.uint64(), 2),
        ([0.0, -0.0], pa.float64(), 1),
    ],
)
def test_distinct_values_are_the_values_themselves(write: Write, values: list[Any], kind: pa.DataType, distinct: int) -> None:
    data = write(values, kind)
    assert of(data).distinct.value == distinct
    if distinct:
        limits = Counts(min=distinct, max=distinct)
        assert found(data, Feature(name="v", type=of(data).type, distinct=limits, presence=0)) == []


def test_equal_values_of_other_types_are_one_value_over_files(write: Write) -> None:
    from taxiway.data.profiling.merge import merge_profiles

    kinds = [pa.int8(), pa.int64(), pa.uint64(), pa.float32(), pa.float64(), pa.decimal128(20, 3)]
    merged = merge_profiles([profile(write([1, 2, 3], kind, str(kind)[:6])) for kind in kinds]).column("v")
    assert merged is not None
    assert merged.distinct.value == 3
    times = [pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")]
    merged = merge_profiles([profile(write([0, 86_400 * 10**9], kind, str(kind)[10:12])) for kind in times[3:]]).column("v")
    assert merged is not None
    assert merged.distinct.value == 2


def test_missing_as_null_and_as_nan_is_no_drift(write: Write) -> None:
    numbers = np.random.default_rng(0).normal(size=400)
    before = write([None if at % 3 else value for at, value in enumerate(numbers)], pa.float64(), "before")
    now = write([math.nan if at % 3 else value for at, value in enumerate(numbers)], pa.float64(), "now")
    drifting = Feature(name="v", type="number", presence=0, drift=Drift(limit=0.03))
    assert found(now, drifting, previous=before) == []


def test_medians_that_differ_read_differently(write: Write) -> None:
    numbers = 1e9 + np.random.default_rng(0).normal(size=400)
    before, now = write(numbers, name="before"), write(numbers + 1, name="now")
    (drifted,) = found(now, Feature(name="v", type="number", drift=Drift(limit=0.03)), previous=before)
    first, second = drifted.message.split("the median changed from ")[1].split(")")[0].split(" to ")
    assert first != second


@pytest.mark.parametrize(("value", "shown"), [(154.33340735999997, "154.333"), (75.00000012, "75.0000001"), (1e90, "1e+90")])
def test_an_extreme_has_as_many_digits_as_it_takes(write: Write, value: float, shown: str) -> None:
    (outside,) = found(write([value, 1.5]), Feature(name="v", type="number", range=Range(max=75)))[:1]
    assert f"furthest at {shown} (row 1)" in outside.message


@pytest.mark.parametrize("values", [[0.1, 0.2, 0.3], [None, 0.1, 0.3]])
def test_a_float_is_compared_with_bounds_as_a_float(write: Write, values: list[float | None]) -> None:
    limits = Feature(name="v", type="number", presence=0, range=Range(min=0.1, max=0.3))
    assert found(write(values, pa.float32()), limits) == []
    (outside,) = found(write([*values, 0.4], pa.float32()), limits)
    assert "in 1 of 4 rows (25.0%), furthest at 0.4 (row 4)" in outside.message
    assert outside.fix is not None
    assert outside.fix.value == {"min": 0.1, "max": 0.4}


def test_a_float_and_a_double_of_the_same_digits_are_no_skew(tmp_path: Path) -> None:
    paths = []
    for name, kind in (("training", pa.float32()), ("serving", pa.float64())):
        paths.append(tmp_path / f"{name}.parquet")
        pq.write_table(pa.table({"id": [1, 2, 3], "v": pa.array([0.1, 0.2, 0.3], kind)}), paths[-1])
    schema = Schema(
        features=(Feature(name="id", type="integer"), Feature(name="v", type="number")), key=("id",), feature_skew=FeatureSkew()
    )
    assert validate(paths[0], schema, serving=paths[1]).anomalies == ()


def test_infinite_days_and_times_are_counted(write: Write, tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "data.parquet"
    duckdb.sql(
        "SELECT * FROM (VALUES ('infinity'::TIMESTAMP, 0), ('-infinity', 1), ('1970-01-01', 2), (NULL, 3)) AS t(v, id)"
    ).write_parquet(str(path))
    column = of(path)
    assert (column.missing, column.above, column.below, column.finite, column.distinct.value) == (1, 1, 1, 1, 3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (75.0, "75"),
        (0.1, "0.1"),
        (1e12, "1000000000000"),
        (1_700_000_000_001.0, "1700000000001"),
        (BIG + 1, "9007199254740993"),
        (12_345_678.25, "12345678.25"),
        (52.370216, "52.370216"),
        (1e300, "1e+300"),
        (1e-7, "1e-07"),
    ],
)
def test_a_number_has_all_its_digits(value: float, text: str) -> None:
    assert number_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_reads_back_as_it_was(value: float) -> None:
    assert (int if isinstance(value, int) else float)(number_text(value)) == value


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=4))
@example([0.0, -0.0])
def test_measured_numbers_that_differ_read_differently(values: list[float]) -> None:
    texts = number_texts(*values)
    assert len(set(texts)) == len(set(values))


def test_bounds_of_many_digits_are_kept_in_schemas_and_messages(write: Write) -> None:
    limits = Feature(name="v", type="integer", range=Range(max=BIG + 1))
    (outside,) = found(write([BIG + 2, BIG + 1]), limits)
    assert "outside at most 9007199254740993 in 1 of 2 rows (50.0%), furthest at 9007199254740994" in outside.message
    assert outside.fix is not None
    assert outside.fix.describe() == "features.v.range: {max: 9007199254740994}"


def test_moments_are_shown_as_the_calendar_has_them(write: Write) -> None:
    shown = CliRunner().invoke(main, ["profile", str(write(*NUMBERS["end of time"]))], env={"COLUMNS": "200"}).output
    assert "0001-01-01" in shown
    assert "9999-12-31" in shown


@pytest.mark.parametrize(
    ("other", "kind"), [([1.0, None], "integer"), ([0.5], None), ([math.nan], None), ([float(2**60)], None)], ids=str
)
def test_large_integers_beside_floats_keep_their_digits_or_are_refused(
    write: Write, other: list[Any], kind: str | None
) -> None:
    from taxiway.data.engine.duckdb_table import open_table

    files = [write([BIG + 1, 5], pa.int64(), "a"), write(other, pa.float64(), "b")]
    if kind is None:
        with (
            pytest.raises(DataError, match=r"BIGINT in a\.parquet, DOUBLE in b\.parquet; write it with one type"),
            open_table(files, "both"),
        ):
            pass
        return
    with open_table(files, "both") as table:
        assert table.column("v").type == kind
        assert table.rows("SELECT max(c0) FROM span") == [(BIG + 1,)]
