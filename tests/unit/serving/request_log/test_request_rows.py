"""Logged requests as a table: every value is there, with the type that all values of its column have."""

import asyncio
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import ConfigError, NoRequestsError
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.rolling.roll import roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.request_log.rows import export_rows
from taxiway.serving.request_log.version_rows import export_inputs

MADE_UP = {"": 2, "served.version": 99, "served.label": "L", "X": "7", 'a "b"': [1, None], "card": "Ada"}


def exported(
    folder: Path, rows: list[dict[str, Any]], types: dict[str, str] | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """Log each row as a request of its own day, roll and export them."""
    store_settings(folder, RollSettings(folder=folder / "log", **settings))
    log = RequestLog(folder, keep_rows=100, keep_bytes=1 << 30)
    taken = dict.fromkeys(name for row in rows for name in row if name not in MADE_UP)
    log.versions.note("m", 1, LoggedVersion(ModelColumns((), tuple(taken))))

    async def add() -> None:
        for at, row in enumerate(rows):
            body = json.dumps({"dataframe_records": [row]})
            await log.add(
                [LoggedRequest(f"r{at}", at * 86_400.0, "m", body, "c", 1, 200, "[0.5]", "", 1.0, None, None, None, "me")]
            )
        await log.add_labels([("r0", 0, "m", 0.0, "1", 9.0, "you"), ("r0", 0, "m", 0.0, "2", 10.0, "you")])

    asyncio.run(add())
    log.close()
    roll(folder)
    assert export_rows(folder / "log", "m", folder / "rows.parquet", types=types or {}).rows == len(rows)
    found: list[dict[str, Any]] = pq.read_table(folder / "rows.parquet").to_pylist()
    return found


def test_inputs_have_the_types_of_the_schema_or_of_their_values(tmp_path: Path) -> None:
    types = {"day": "date", "seen": "datetime", "code": "string", "tags": "list", "count": "integer", "half": "integer"}
    rows = [
        {"n": 1, "x": 1.5, "b": True, "t": 'a\n"b', "s": "7", "day": "2013-06-01", "seen": "2013-06-01T05:00:00", "code": "007"}
        | {"tags": ["a", "b"], "count": 7.0, "half": 7.5, "mixed": 1},
        {"n": 2, "x": 2, "b": False, "t": "", "s": "8", "day": None, "seen": None, "code": None, "tags": None, "count": "8"}
        | {"half": 1, "mixed": "one"},
    ]
    first, second = exported(tmp_path, rows, types)
    assert {name: first[name] for name in rows[0]} == {
        **rows[0],
        "day": date(2013, 6, 1),
        "seen": first["seen"],
        "count": 7,
        "half": "7.5",
        "mixed": "1",
    }
    assert first["seen"].isoformat() == "2013-06-01T05:00:00"
    assert [second[name] for name in ("n", "x", "t", "s", "day", "count", "half", "mixed")] == [
        2,
        2.0,
        "",
        "8",
        None,
        8,
        "1",
        "one",
    ]
    assert (first["served.label"], first["served.label_value"], first["served.prediction_value"]) == ("2", 2.0, 0.5)
    assert (first["served.caller"], first["served.version"], second["served.label"]) == ("me", 1, None)


def test_columns_that_a_caller_made_up_replace_nothing(tmp_path: Path) -> None:
    (row,) = exported(tmp_path, [{"x": 1, **MADE_UP}], hash_columns=("card",))
    assert (row["x"], row["served.version"], row["served.label"]) == (1, 1, "2")
    others = json.loads(row["served.other_inputs"])
    assert len(others.pop("card")) == 32
    assert others == {name: value for name, value in MADE_UP.items() if name != "card"}
    with pytest.raises(ConfigError, match="is not a folder"):
        export_rows(tmp_path / "log", "m", tmp_path / "nowhere/rows.parquet", types={})
    for out in (tmp_path / "log/requests/rows.parquet", tmp_path / "rows.csv"):
        with pytest.raises(ConfigError, match="cannot be written"):
            export_rows(tmp_path / "log", "m", out, types={})


def test_a_column_without_values_has_the_type_of_the_schema(tmp_path: Path) -> None:
    exported(tmp_path, [{"x": 1, "gust": None, "odd": None}], types={"gust": "number"})
    schema = pq.read_schema(tmp_path / "rows.parquet")
    assert [str(schema.field(name).type) for name in ("gust", "odd")] == ["double", "string"]


def test_hashed_columns_are_texts(tmp_path: Path) -> None:
    rows = exported(tmp_path, [{"number": "1234", "x": 1}, {"number": None, "x": 2}], hash_columns=("number",))
    assert [len(row["number"] or "") for row in rows] == [32, 0]


def test_only_the_days_that_are_asked_for(tmp_path: Path) -> None:
    exported(tmp_path, [{"x": at} for at in range(5)])
    out = tmp_path / "some.parquet"
    assert export_rows(tmp_path / "log", "m", out, since=date(1970, 1, 2), until=date(1970, 1, 3), types={}).rows == 2
    assert [row["x"] for row in pq.read_table(out).to_pylist()] == [1, 2]
    with pytest.raises(NoRequestsError, match="has no logged requests of m on these days"):
        export_rows(tmp_path / "log", "m", out, since=date(2013, 1, 1), types={})
    with pytest.raises(NoRequestsError, match="has no logged requests of other; "):
        export_rows(tmp_path / "log", "other", out, types={})


CELLS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300) | st.text(max_size=5)


@examples(8)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=20))
def test_no_value_is_lost(columns: list[list[Any]]) -> None:
    rows = [{f"c{at}": column[row] for at, column in enumerate(columns)} for row in range(3)]
    with tempfile.TemporaryDirectory() as name:
        found = exported(Path(name), rows)
    for at, cells in enumerate(columns):
        values = [row[f"c{at}"] for row in found]
        texts = any(isinstance(value, str) for value in values)
        for cell, value in zip(cells, values, strict=True):
            if cell is None:
                assert value is None
            elif texts:
                assert value == (cell if isinstance(cell, str) else json.dumps(cell))
            else:
                # A whole float beyond 2^53 is read as the integer with its decimal digits, which is the same float.
                assert value == cell or (isinstance(cell, float) and float(value) == cell)
                assert isinstance(value, bool) == isinstance(cell, bool)


def test_some_inputs_of_one_version_are_exported_with_the_same_types(tmp_path: Path) -> None:
    rows = exported(tmp_path, [{"n": 1, "t": "a"}, {"n": 2, "t": None}, {"n": 3, "t": "b"}])

    def inputs(version: int, *names: str) -> list[dict[str, Any]]:
        first, last, out = date(1970, 1, 1), date(1970, 1, 2), tmp_path / "inputs.parquet"
        export_inputs(tmp_path / "log", "m", version, out, since=first, until=last, types={}, names=names)
        found: list[dict[str, Any]] = pq.read_table(out).to_pylist()
        return found

    first, second, _ = rows
    numbers = [{name: row[name] for name in ("served.prediction_value", "served.label_value")} for row in (first, second)]
    assert inputs(1, "n", "t", "other") == [
        {**of, "n": row["n"], "t": row["t"], "other": None} for of, row in zip(numbers, rows, strict=False)
    ]
    assert [row["t"] for row in inputs(1, "t")] == ["a", None]
    assert inputs(2, "t") == []
