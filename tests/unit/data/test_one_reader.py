"""What is profiled and validated is what is trained on: for any small file, the profile, validation and training see the same values."""

import csv
import io
import json
import math
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.engine.read_rows import read_rows
from taxiway.data.formats.open_data import open_data
from taxiway.data.ingest.ingest import ingest
from taxiway.data.profiling.compute import profile, profile_span
from taxiway.data.profiling.profile import Profile
from taxiway.data.profiling.profiler import profile_table
from taxiway.data.schema.infer import infer_from
from taxiway.data.sources.files import find_spans
from taxiway.data.validation.validate import validate
from taxiway.features.encoding import MAX_NUMBER, raw_frame
from taxiway.records import Status
from taxiway.store.store import Store

_WORDS = st.sampled_from(
    ["", "a", "b ", "NA", "null", "1", "01", "2.5", "1e3", "true", "2024-01-01", "2024-01-01 10:00Z", "é", "-0"]
)
_CELLS = st.none() | st.integers(-(2**62), 2**62) | st.floats(-MAX_NUMBER, MAX_NUMBER) | st.booleans() | _WORDS
_COLUMNS = {
    "i": st.none() | st.integers(-(2**62), 2**62),
    "f": st.none() | st.floats(-MAX_NUMBER, MAX_NUMBER),
    "s": st.none() | st.sampled_from(["", "a", "b", "NA"]),
    "b": st.none() | st.booleans(),
    "n": st.none(),
}


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    """The ending and the content of a file of rows."""
    rows = draw(st.integers(1, 6))
    kind = draw(st.sampled_from(["csv", "jsonl", "parquet"]))
    if kind == "csv":
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerow(["x", "y"])
        writer.writerows(draw(st.lists(st.tuples(_WORDS, _WORDS), min_size=rows, max_size=rows)))
        return kind, text.getvalue().encode()
    if kind == "jsonl":
        row = st.fixed_dictionaries({"x": _CELLS}, optional={"y": _CELLS})
        return kind, "\n".join(json.dumps(draw(row)) for _ in range(rows)).encode()
    names = draw(st.lists(st.sampled_from(sorted(_COLUMNS)), min_size=1, unique=True))
    values = {name: draw(st.lists(_COLUMNS[name], min_size=rows, max_size=rows)) for name in names}
    frame = pd.DataFrame({name: pd.Series(some, dtype="object") for name, some in values.items()}).infer_objects()
    if draw(st.booleans()):
        frame = frame.set_index(draw(st.sampled_from(names)))
    if draw(st.booleans()):
        frame.index = pd.Index([f"r{at}" for at in range(rows)], name=draw(st.sampled_from([None, "key"])))
    stream = io.BytesIO()
    frame.assign(kept=range(rows)).to_parquet(stream)
    return kind, stream.getvalue()


def stored(path: Path, folder: Path) -> tuple[Profile, pd.DataFrame]:
    """The profile of a file that a pipeline has ingested, and its rows as training reads them."""
    store = Store(str(folder / "store"))
    (folder / f"1{path.suffix}").write_bytes(path.read_bytes())
    (folder / f"2{path.suffix}").write_bytes(path.read_bytes())
    pattern = str(folder / f"{{SPAN}}{path.suffix}")
    snapshot = ingest(find_spans(pattern), pipeline="made", source=pattern, store=store)
    return profile_span(snapshot.target_span, store), read_rows(snapshot.evaluation, store)


def is_missing(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


@examples(8)
@given(made=files())
def test_every_reader_sees_the_same_values(made: tuple[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    kind, content = made
    folder = tmp_path_factory.mktemp("one")
    path = folder / f"data.{kind}"
    path.write_bytes(content)
    alone = profile(path)
    in_pipeline, rows = stored(path, folder)
    assert in_pipeline == alone
    assert [column.name for column in alone.columns] == list(rows.columns)
    with open_data(path) as table:
        in_sql = {
            column.name: [row[0] for row in table.rows(f"SELECT {column.sql} FROM numbered ORDER BY row_number")]
            for column in table.columns
        }
    schema = infer_from(alone)
    for column in alone.columns:
        values = list(rows[column.name])
        assert sum(map(is_missing, values)) == column.missing + column.nan == sum(map(is_missing, in_sql[column.name]))
        present = [value for value in values if not is_missing(value)]
        if column.type in ("integer", "number") and present:
            assert (min(present), max(present)) == (column.minimum, column.maximum)
            cells = raw_frame(rows, (column.name,), ())[column.name]
            assert [float(value) for value in in_sql[column.name] if not is_missing(value)] == list(cells.dropna())
        if column.type == "string":
            assert Counter(present) == {item.value: item.rows for item in column.values}
            assert list(raw_frame(rows, (), (column.name,))[column.name]) == [
                v if v is not None else None for v in in_sql[column.name]
            ]
    assert validate(path, schema).status is Status.PASS


def test_an_index_of_pandas_is_a_column_everywhere(tmp_path: Path) -> None:
    pd.DataFrame({"id": [3, 1, 2], "x": [0.5, 1.5, 2.5]}).set_index("id").to_parquet(tmp_path / "data.parquet")
    in_pipeline, rows = stored(tmp_path / "data.parquet", tmp_path)
    assert in_pipeline == profile(tmp_path / "data.parquet")
    assert sorted(rows["id"]) == [1, 2, 3]


def test_types_of_pandas_change_no_value(tmp_path: Path) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    frame = pd.DataFrame(
        {"c": pd.Categorical(["a", None, "b"]), "t": [moment] * 3, "i": pd.array([1, None, 2**60 + 1], "Int64")}
    )
    frame.to_parquet(tmp_path / "data.parquet")
    _, rows = stored(tmp_path / "data.parquet", tmp_path)
    assert [value for value in rows["i"] if not is_missing(value)] == [1, 2**60 + 1]
    assert list(rows["c"].dropna()) == ["a", "b"]
    with open_data(tmp_path / "data.parquet") as table:
        found = profile_table(table)
    assert [column.missing for column in found.columns] == [1, 0, 1]


def test_a_column_without_values_is_one_everywhere(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": pa.nulls(2), "y": [1, 2]}), tmp_path / "data.parquet")
    (tmp_path / "data.csv").write_text("x,y\n,1\n,2\n")
    for name in ("data.parquet", "data.csv"):
        column = profile(tmp_path / name).column("x")
        assert column is not None
        assert (column.type, column.present) == ("string", 0)
