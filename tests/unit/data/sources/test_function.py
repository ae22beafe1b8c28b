"""A team's own function gives the rows of a period; whatever it does instead is said with its name, and where it can be, its line."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxiway.data.sources.function import function_to_parquet, load_function
from taxiway.errors import ConfigError, DataError, TransientError
from taxiway.records.digests import digest_of_file

BEGINS, ENDS = datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC)
HEAD = "import pandas as pd\nimport pyarrow as pa\n\n\ndef read(begin, end):\n"


def rows(tmp_path: Path, body: str) -> pa.Table:
    (tmp_path / "rows.py").write_text(HEAD + "\n".join(f"    {line}" for line in body.splitlines()))
    copy = tmp_path / "copy.parquet"
    function_to_parquet(f"{tmp_path}/rows.py:read", BEGINS, ENDS, copy, "rows.py:read, 2013-04")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["copy.parquet", "rows.py"]
    return pq.read_table(copy)


@pytest.mark.parametrize(
    "body",
    [
        "return pd.DataFrame({'a': [1, 2], 'when': [begin, end]})",
        "return pd.DataFrame({'a': [1, 2], 'when': [begin, end]}, index=[7, 8])",
        "return pa.table({'a': [1, 2], 'when': [begin, end]})",
        "return pa.RecordBatch.from_pydict({'a': [1, 2], 'when': [begin, end]})",
        "yield pd.DataFrame({'a': [1], 'when': [begin]})\nyield pa.table({'when': [end], 'a': [2]})",
        "return [pa.table({'a': [1], 'when': [begin]}), pa.table({'a': [2], 'when': [end]})]",
    ],
)
def test_frames_and_tables_and_iterators_of_them_are_rows(tmp_path: Path, body: str) -> None:
    assert rows(tmp_path, body).to_pylist() == [{"a": 1, "when": BEGINS}, {"a": 2, "when": ENDS}]


def test_a_column_has_the_type_that_all_tables_fit_in(tmp_path: Path) -> None:
    body = "\n".join(
        [
            "yield pd.DataFrame({'n': [None, None], 'x': [1, 2]})",
            "yield pd.DataFrame({'n': ['text'], 'x': [2.5], 'new': [True]})",
            "yield pd.DataFrame({'x': [3]})",
        ]
    )
    table = rows(tmp_path, body)
    assert table.to_pydict() == {"n": [None, None, "text", None], "x": [1.0, 2.0, 2.5, 3.0], "new": [None, None, True, None]}


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for _ in range(2):
        rows(tmp_path, "return pd.DataFrame({'a': range(10_000), 'b': ['x'] * 10_000})")
        digests.add(digest_of_file(tmp_path / "copy.parquet"))
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("return 7", ConfigError, "2013-04 returned a int; allowed: a pandas DataFrame, a pyarrow Table"),
        ("return {'a': [1]}", ConfigError, "returned a dict; allowed"),
        ("return [1, 2]", ConfigError, "returned a int; allowed"),
        ("return None", ConfigError, "returned a NoneType; allowed"),
        ("return pd.DataFrame({'a': []})", DataError, "returned 1 table and no rows"),
        ("return iter([])", DataError, "returned 0 tables and no rows"),
        ("return pd.DataFrame({'a': [1, 'x']})", DataError, "returned a DataFrame that cannot be converted: .*column a"),
        (
            "return pd.DataFrame([[1, 2]], columns=['a', 'a'])",
            DataError,
            "(more than one column named a|cannot be converted.*a)",
        ),
        ("yield pa.table({'a': [1]})\nyield pa.table({'a': ['x']})", DataError, "columns do not fit together: .*a"),
        ("return 1 / 0", ConfigError, r"rows.py:read, 2013-04 raised ZeroDivisionError: division by zero \(rows.py:6\)"),
        ("yield pa.table({'a': [1]})\nraise KeyError('b')", ConfigError, r"raised KeyError: 'b' \(rows.py:7\)"),
        ("return pd.DataFrame({'a': [1]})['b']", ConfigError, r"raised KeyError: 'b' \(rows.py:6\)"),
        ("raise SystemExit(3)", ConfigError, "raised SystemExit: 3"),
        ("raise ConnectionResetError('down')", TransientError, "raised ConnectionResetError: down; a retry calls it again"),
    ],
)
def test_what_a_function_does_instead_is_said(tmp_path: Path, body: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        rows(tmp_path, body)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("def read(start, end): ...", "read", "cannot be called with begin and end: .*def read"),
        ("def read(begin, end, more): ...", "read", "missing a required argument: 'more'"),
        ("def read(begin, end): ...", "raed", r'has no "raed"; allowed: .*read.*did you mean "read"'),
        ("import nothing_like_this", "read", "source.function: cannot import"),
        ("1 / 0", "read", "cannot be imported: ZeroDivisionError"),
        ("read = 7", "read", "cannot be called with begin and end"),
    ],
)
def test_a_function_that_cannot_be_called_is_found_before_it_is(tmp_path: Path, text: str, name: str, said: str) -> None:
    (tmp_path / "rows.py").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_function(f"{tmp_path}/rows.py:{name}")


def test_a_function_may_have_more_that_is_not_needed_and_lie_in_a_package(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text("def read(begin, *, end, table='t', **more): ...")
    assert callable(load_function(f"{tmp_path}/rows.py:read"))
    with pytest.raises(ConfigError, match="cannot be called with begin and end"):
        load_function("json:loads")
