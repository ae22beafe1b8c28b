"""Several files as one table: their columns get a type that holds the values of all, or are refused; and what SQL can reach."""

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.data.engine.connection import connect, read_batches, restricting_settings, run, stream
from taxiway.data.engine.duckdb_table import open_table
from taxiway.data.profiling.compute import profile
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.validate import validate
from taxiway.errors import DataError, TransientError

NOON, FAR = datetime(2024, 1, 1, 12), datetime(9999, 12, 31)


def files(folder: Path, *values: pa.Array) -> list[Path]:
    paths = [folder / f"{at}.parquet" for at in range(len(values))]
    for path, column in zip(paths, values, strict=True):
        pq.write_table(pa.table({"x": column, "w": ["a"] * len(column)}), path)
    return paths


def test_prices_that_are_whole_in_the_first_file_keep_their_fractions_in_the_next(tmp_path: Path) -> None:
    (tmp_path / "g1.csv").write_text("price\n1\n2\n")
    (tmp_path / "g2.csv").write_text("price\n1.5\n2.5\n")
    (column,) = profile(str(tmp_path / "g*.csv")).columns
    assert (column.type, column.mean, column.fractional) == ("number", 1.75, 2)
    report = validate(str(tmp_path / "g*.csv"), Schema(features=(Feature(name="price", type="integer"),)))
    assert [anomaly.kind for anomaly in report.anomalies] == ["type"]


@pytest.mark.parametrize(
    ("arrays", "storage", "values"),
    [
        ((pa.array([1], "int32"), pa.array([2**40], "int64")), "BIGINT", [1, 2**40]),
        ((pa.array([1], "int8"), pa.array([2**63], "uint64")), "HUGEINT", [1, 2**63]),
        ((pa.array([0.5], "float32"), pa.array([1e300])), "DOUBLE", [0.5, 1e300]),
        ((pa.nulls(1), pa.array(["b"])), "VARCHAR", [None, "b"]),
        ((pa.array(["b"]), pa.nulls(1)), "VARCHAR", ["b", None]),
        ((pa.array([1]), pa.nulls(1), pa.array([2.5])), "DOUBLE", [1.0, None, 2.5]),
        ((pa.nulls(1), pa.nulls(1)), "VARCHAR", [None, None]),
        ((pa.nulls(1),), "VARCHAR", [None]),
        ((pa.array([[1]], pa.list_(pa.int32())), pa.array([[2**40]])), "BIGINT[]", [[1], [2**40]]),
        ((pa.array([date(2024, 1, 1)]), pa.array([NOON])), "TIMESTAMP", [datetime(2024, 1, 1), NOON]),
        ((pa.array([NOON], "timestamp[s]"), pa.array([NOON], "timestamp[us]")), "TIMESTAMP", [NOON, NOON]),
        ((pa.array([NOON], "timestamp[ns]"), pa.array([NOON])), "TIMESTAMP_NS", [NOON, NOON]),
        ((pa.array([NOON], "timestamp[ns]"), pa.array([FAR])), "TIMESTAMP", [NOON, FAR]),
        (
            (pa.array([NOON], pa.timestamp("ns", "UTC")), pa.array([NOON], pa.timestamp("us", "UTC"))),
            "TIMESTAMPTZ_NS",
            [NOON.replace(tzinfo=UTC)] * 2,
        ),
        ((pa.array(["b"]).dictionary_encode(), pa.array(["c"])), "VARCHAR", ["b", "c"]),
    ],
)
def test_the_wider_type_holds_the_values_of_all_files(
    arrays: tuple[pa.Array, ...], storage: str, values: list[object], tmp_path: Path
) -> None:
    with open_table(files(tmp_path, *arrays), "made") as table:
        assert [column.storage for column in table.columns] == [storage, "VARCHAR"]
        found = [row[0] for row in table.rows("SELECT c0 FROM numbered")]
        assert sorted(found, key=str) == sorted(values, key=str)
        assert table.rows("SELECT DISTINCT row_number FROM numbered") == [(0,)]
        assert table.rows(f"SELECT count(*), max(c1) FROM {table.source}") == [(len(arrays), "a")]


def test_numbers_in_one_file_and_text_in_the_next_are_refused_by_name(tmp_path: Path) -> None:
    files(tmp_path, pa.array([1]), pa.array(["many"]))
    with pytest.raises(
        DataError, match=r'the column "x" is BIGINT in 0\.parquet, VARCHAR in 1\.parquet; write it with one type'
    ):
        profile(str(tmp_path / "*.parquet"))


def test_times_that_no_type_holds_are_refused(tmp_path: Path) -> None:
    fine = pa.array([1], "timestamp[ns]")
    files(tmp_path, fine, pa.array([FAR]))
    with pytest.raises(DataError, match=r'the column "x" is TIMESTAMP_NS in 0\.parquet, TIMESTAMP in 1\.parquet'):
        profile(str(tmp_path / "*.parquet"))
    files(tmp_path, pa.array([NOON]), pa.array([NOON], pa.timestamp("us", "UTC")))
    with pytest.raises(DataError, match=r'"x" is TIMESTAMP in 0\.parquet, TIMESTAMP WITH TIME ZONE in 1\.parquet'):
        profile(str(tmp_path / "*.parquet"))


def test_columns_in_another_order_are_the_same_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"b": ["y"], "a": [2.5]}), tmp_path / "1.parquet")
    with open_table([tmp_path / "0.parquet", tmp_path / "1.parquet"], "made") as table:
        assert sorted(table.rows("SELECT c0, c1 FROM span")) == [(1.0, "x"), (2.5, "y")]


def test_a_column_that_came_or_went_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "old": [1]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"a": [1], "new": [1]}), tmp_path / "1.parquet")
    with pytest.raises(DataError, match=r'"old" is only in 0\.parquet, "new" is only in 1\.parquet'):
        profile(str(tmp_path / "*.parquet"))


@pytest.mark.parametrize("name", ["file_row_number", "File_Row_Number"])
def test_a_column_named_as_what_duckdb_counts_rows_by_is_refused(name: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({name: [5, 6]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=f"has a column named {name}, which DuckDB reserves for row numbers"):
        profile(tmp_path / "x.parquet")


def test_a_table_reads_no_other_file_and_still_sorts_on_disk(tmp_path: Path) -> None:
    (path,) = files(tmp_path, pa.array(range(2_000_000)))
    with connect() as connection:
        run(connection, "SET memory_limit = '60MB'", "made")
        for setting in restricting_settings([path]):
            run(connection, f"SET {setting}", "made")
        query = (
            f"SELECT count(*) FROM (SELECT x::VARCHAR || repeat('y', 60) t, row_number() OVER (ORDER BY t DESC) FROM '{path}')"
        )
        assert run(connection, query, "made") == [(2_000_000,)]
        for refused in (f"SELECT * FROM '{path.parent}/*.parquet'", "SET memory_limit = '9GB'", "SELECT * FROM path"):
            with pytest.raises(duckdb.Error):
                connection.execute(refused)


def test_too_little_room_says_what_to_free(tmp_path: Path) -> None:
    with connect() as connection:
        run(connection, "SET memory_limit = '20MB'", "made")
        with pytest.raises(TransientError, match=r"made: not enough memory, .* free space there"):
            run(connection, "SELECT list(range::VARCHAR || repeat('y', 60)) FROM range(3000000)", "made")


MANY_TEXTS = "SELECT list(range::VARCHAR || repeat('y', 60)) FROM range(3000000)"


def test_too_little_memory_for_streamed_rows_is_transient() -> None:
    with connect() as connection:
        run(connection, "SET memory_limit = '20MB'", "made")
        with pytest.raises(TransientError, match=r"made: not enough memory, .* free space there"):
            list(stream(connection, MANY_TEXTS, "made", 1000)[1])


@pytest.mark.parametrize(
    ("message", "expected"),
    [("Out of Memory Error: failed to pin", TransientError), ("Invalid Input Error: bad page", DataError)],
)
def test_an_error_between_two_batches_is_taxiways(message: str, expected: type[Exception]) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": [1]})
        raise OSError(message)  # as Arrow raises DuckDB's errors

    batches = read_batches(broken(), "made")
    assert next(batches).num_rows == 1
    with pytest.raises(expected, match="made"):
        next(batches)


def test_a_query_that_is_interrupted_is_no_error() -> None:
    with connect() as connection:
        timer = threading.Timer(0.1, connection.interrupt)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run(connection, "SELECT sum(a.range * b.range) FROM range(10_000_000) a, range(100_000) b", "the rows")
        timer.join()
