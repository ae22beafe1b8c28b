"""A source's filter keeps exactly the rows for which it is true, for every reader, and can do nothing else."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.engine.conditions import UNSTABLE_FUNCTIONS
from taxiway.data.ingest.ingest import ingest
from taxiway.data.ingest.read_spec import ReadSpec
from taxiway.data.ingest.row_filter import check_filter, filter_rows
from taxiway.data.sources.files import find_spans
from taxiway.errors import ConfigError, DataError
from taxiway.records import RemovedRows, SampleRule, Snapshot, SplitRule
from taxiway.store import Store

ROWS = {
    "amount": [1.5, -2.0, None, 4.0],
    "churned?": [True, None, False, True],
    "tags": [["a"], [], ["b", "a"], None],
    "address": [{"zip": "1"}, {"zip": "2"}, {"zip": "1"}, None],
    "note": pa.nulls(4),
}
TYPES = {"amount": "number", "churned?": "boolean", "tags": "list", "promo": "string", "joined": "date"}


def kept(folder: Path, condition: str, rows: dict[str, Any] = ROWS) -> list[int]:
    """The numbers of the rows that are kept."""
    table = pa.table({**rows, "at": range(len(next(iter(rows.values()))))})
    pq.write_table(table, folder / "rows.parquet")
    count = filter_rows(folder / "rows.parquet", condition, folder / "kept.parquet", label="span 1", types=lambda: TYPES)
    found = pq.read_table(folder / "kept.parquet")
    assert (found.num_rows, found.schema) == (count, table.schema)
    return [int(at) for at in found["at"].to_pylist()]


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("amount > 0", [0, 3]),
        ('"churned?" is not null and AMOUNT > 0', [0, 3]),
        ("amount > 0 or amount is null  -- refunds are negative", [0, 2, 3]),
        ("list_contains(list_transform(tags, lambda x: upper(x)), 'A')", [0, 2]),
        ("address.zip = '1'", [0, 2]),
        ("note is null and lower(note) is null", [0, 1, 2, 3]),
        ("promo is null or promo <> 'TEST'", [0, 1, 2, 3]),
        ("CASE WHEN amount < 0 THEN false ELSE true END", [0, 2, 3]),
        ('"churned?"', [0, 3]),
        # A variable of a lambda function hides no column elsewhere.
        ("promo is null and len(list_filter(tags, lambda promo: promo = 'a')) > 0", [0, 2]),
    ],
)
def test_rows_for_which_the_condition_is_true_are_kept(condition: str, rows: list[int], tmp_path: Path) -> None:
    assert kept(tmp_path, condition) == rows


@pytest.mark.parametrize("width", [pa.float32(), pa.float64()])
def test_nan_is_a_missing_value(tmp_path: Path, width: pa.DataType) -> None:
    rows = {"amount": pa.array([1.0, float("nan"), None, 2.5], width)}
    assert kept(tmp_path, "amount > 1", rows) == [3]
    assert kept(tmp_path, "amount is null", rows) == [1, 2]


def test_unnest_is_refused_although_it_gives_as_many_values_as_there_are_rows(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="calls unnest, which does not give one value for each row"):
        kept(tmp_path, "unnest(t)", {"t": [[True, True], [], [True], [False]]})


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("current_localtimestamp() > TIMESTAMP '2020-01-01'", 'calls "current_localtimestamp"'),
        ("current_date > DATE '2020-01-01'", "calls current_date, so it could keep different rows in each run"),
        ("version() > 'v1'", 'calls "version"'),
        ("#1 > 1", "a column by its position"),
        ("amount > $1", "a parameter"),
        ("amount > ?", "a parameter"),
        ("amount > 1) union select * from (values(1)", "is not a valid condition"),
        ("amount > 1); select (1", "is not a valid condition"),
    ],
)
def test_what_is_not_a_condition_on_the_row_alone_is_refused(condition: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        kept(tmp_path, condition)


def test_every_function_without_arguments_that_is_allowed_is_a_constant() -> None:
    """So that a new version of DuckDB adds no clock that it labels as stable."""
    query = """SELECT DISTINCT function_name FROM duckdb_functions()
        WHERE function_type = 'scalar' AND len(parameters) = 0 AND stability = 'CONSISTENT' AND varargs IS NULL"""
    found = {name for (name,) in duckdb.execute(query).fetchall()}
    unstable = {name for (name,) in duckdb.execute(UNSTABLE_FUNCTIONS).fetchall()}
    assert found - unstable <= {
        "pi",
        "json_array",
        "json_object",
        "map",
        "array_to_json",
        "list_pack",
        "list_value",
        "json_quote",
        "row_to_json",
        "to_json",
    }


@examples(25)
@given(values=st.lists(st.one_of(st.none(), st.integers(-3, 3)), min_size=1, max_size=200), least=st.integers(-2, 2))
def test_a_filter_keeps_what_pandas_keeps(values: list[int | None], least: int, tmp_path_factory: Any) -> None:
    expected = [at for at, value in enumerate(values) if value is not None and value >= least]
    rows = {"x": pa.array(values, pa.int64())}
    if expected:
        assert kept(tmp_path_factory.mktemp("rows"), f"x >= {least}", rows) == expected
    else:
        with pytest.raises(DataError, match="keeps none of"):
            kept(tmp_path_factory.mktemp("rows"), f"x >= {least}", rows)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("amuont > 0", 'names the column "amuont", but span 1 has no such column'),
        ("amount", "is of type DOUBLE; required: a condition that is true or false"),
        ("amount >", "is not a valid condition"),
        ("churned? is not null", "is not a valid condition"),
        ("amount > 0, amount < 3", "is not a valid condition"),
        ("true) FROM numbered WHERE (true", "is not a valid condition"),
        ("true) AS kept FROM numbered); CREATE TABLE t AS (SELECT (true", "is not a valid condition"),
        ("amount > (SELECT avg(c0) FROM numbered)", "has a subquery"),
        ("amount IN (FROM read_csv('/etc/passwd'))", "has a subquery"),
        ("row_number() OVER () < 3", "has a window function"),
        ("columns(*) IS NOT NULL", r"has \*"),
        ("unnest(tags) = 'a'", "does not give one value for each row"),
        ("sum(amount) > 3", "cannot be computed for span 1"),
        ("read_text('/etc/passwd') IS NOT NULL", "cannot be computed for span 1"),
        ("amount::VARCHAR::DATE > DATE '2024-01-01'", "cannot be computed for span 1"),
        ("random() < 0.5", 'calls "random", so it could keep different rows in each run'),
        ("amount > 0 AND ago(INTERVAL 1 DAY) > TIMESTAMP '2024-01-01'", 'calls "ago"'),
        ("current_setting('threads') = '1'", 'calls "current_setting"'),
    ],
)
def test_what_is_no_condition_on_a_row_is_refused_in_words(condition: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        kept(tmp_path, condition)
    assert str(refused.value).startswith("source.rows ")
    assert condition in str(refused.value)
    assert refused.value.key == "source.rows"


def test_columns_that_differ_in_case_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='has the columns "x" and "X"'):
        kept(tmp_path, "x > 1", {"x": [1, 2], "X": [2, 3]})


def test_a_condition_is_checked_against_a_schema_without_data() -> None:
    check_filter("amount > 0 and \"churned?\" is not null and joined < DATE '2024-01-01'", TYPES)
    for wrong in ("amuont > 0", "amount", "tags > 3", "unnest(tags) = 'a'"):
        with pytest.raises(ConfigError, match=r"^source\.rows "):
            check_filter(wrong, TYPES)


def take(folder: Path, store: Store, spans: str = "{SPAN}.parquet", **rules: Any) -> Snapshot:
    found = find_spans(f"{folder}/{spans}")
    return ingest(found, pipeline="made", source="there", store=store, read_spec=ReadSpec(**rules))


def write(folder: Path) -> pd.DataFrame:
    rows = pd.DataFrame({"id": range(100), "x": [at % 4 for at in range(100)], "y": [None, 0.0, float("nan"), 1.0] * 25})
    for span in (1, 2):
        rows.to_parquet(folder / f"{span}.parquet", index=False)
        rows.to_csv(folder / f"{span}.csv", index=False)
    return rows


def test_a_snapshot_counts_what_was_removed_and_another_filter_is_another_snapshot(tmp_path: Path, store: Store) -> None:
    write(tmp_path)
    plain, filtered = take(tmp_path, store), take(tmp_path, store, rows="x > 0")
    assert (plain.rows, plain.removed) == (None, ())
    assert (filtered.rows, [span.rows for span in filtered.spans]) == ("x > 0", [75, 75])
    assert filtered.removed[0] == RemovedRows(span="1", rows=100, filtered=25)
    assert filtered.removed[0].describe() == "1: 25 of 100 rows are removed, 25 by source.rows"
    assert [span.source_digest for span in filtered.spans] == [span.content for span in plain.spans]
    same_rows = take(tmp_path, store, rows="x >= 1")
    assert [span.content for span in same_rows.spans] == [span.content for span in filtered.spans]
    assert len({plain.digest, filtered.digest, same_rows.digest}) == 3
    assert take(tmp_path, store, rows="x > 0").digest == filtered.digest


@pytest.mark.parametrize("rules", [{}, {"split": SplitRule(by="id", evaluation=0.3)}, {"rows": "x <> 3"}])
def test_unlabelled_rows_are_left_out_of_every_part(rules: dict[str, Any], tmp_path: Path, store: Store) -> None:
    write(tmp_path)
    made = take(tmp_path, store, label="y", **rules)
    labels: set[float] = set()
    for span in made.spans:
        with store.local_file(span.content) as path:
            labels |= set(pq.read_table(path)["y"].to_pylist())
    assert labels == ({0.0} if "rows" in rules else {0.0, 1.0})
    assert [span.unlabelled for span in made.removed] == [50, 50]
    assert sum(span.rows for span in made.spans) + sum(span.filtered + span.unlabelled for span in made.removed) == 200


def test_a_stratum_is_measured_on_the_rows_with_a_label(tmp_path: Path, store: Store) -> None:
    write(tmp_path)
    made = take(tmp_path, store, label="y", sample=SampleRule(fraction=0.2, by="x", stratify="x"))
    with store.local_file(made.spans[0].content) as path:
        assert set(pq.read_table(path)["x"].to_pylist()) == {1, 3}


def test_a_filter_and_labels_are_the_same_for_text_files(tmp_path: Path, store: Store) -> None:
    write(tmp_path)
    found = find_spans(f"{tmp_path}/{{SPAN}}.csv")
    reading = ReadSpec(rows="x > 0", label="y")
    made = ingest(found, pipeline="made", source="there", store=store, read_spec=reading)
    assert [(span.filtered, span.unlabelled) for span in made.removed] == [(25, 25), (25, 25)]


def test_a_span_without_a_label_is_refused_with_the_key_that_waits(tmp_path: Path, store: Store) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match=r"missing in all 25 rows of span 1.*unlabelled: wait"):
        take(tmp_path, store, rows="x = 0", label="y")
