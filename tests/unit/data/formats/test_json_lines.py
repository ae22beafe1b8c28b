"""JSON lines as tables: objects that differ, lines that are no objects, and no value is lost."""

import gzip
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data.formats.tables import Read, columns, parquet, types
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import DataError


def test_json_lines_of_unlike_objects_are_one_table(read: Read) -> None:
    lines = [
        '{"a": 1, "when": "2013-01-01", "deep": {"x": [1, {"y": "é"}]}, "mixed": 1, "big": 12345678901234567890}',
        "",
        '{"when": null, "a": 2.5, "mixed": "x", "new": true, "big": 1}\r',
        '{"a": null, "deep": [1], "mixed": [true], "mixed2": ""}',
    ]
    table = read("\n".join(lines), "rows.jsonl")
    assert types(table) == {
        "a": "double",
        "when": "date32[day]",
        "deep": "string",
        "mixed": "string",
        "big": "string",
        "new": "bool",
        "mixed2": "string",
    }
    found = columns(table)
    assert found["a"] == [1.0, 2.5, None]
    assert [json.loads(value) if value else None for value in found["deep"]] == [{"x": [1, {"y": "é"}]}, None, [1]]
    assert found["mixed"] == ["1", "x", "[true]"]
    assert found["big"] == ["12345678901234567890", "1", None]
    assert found["mixed2"] == [None, None, ""]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}\n{"a": 2', r"rows.jsonl:2: this line is not JSON: Expecting.*one object per line"),
        ('{"a": 1}\n\n3\n', "rows.jsonl:3: this line is a JSON number"),
        ('[{"a": 1}]', "rows.jsonl:1: this line is a JSON array.*jq -c"),
        ('{\n"a": 1\n}', "rows.jsonl:1: this line is not JSON"),
        ('{"a": 1}{"a": 2}', "rows.jsonl:1: this line is not JSON: Extra data"),
        ('{"a": 1, "a": 2}', 'the key "a" occurs twice'),
        ('{"a": "\\ud800"}', "rows.jsonl:1: a text has half of a surrogate pair"),
        ("[" * 100_000, "rows.jsonl:1: this line is a JSON array"),
        ("\n \n", "has 0 columns and no rows"),
        ("{}\n{}", "has 0 columns and 2 rows"),
        (gzip.compress(b'{"a": 1}\n' * 1000, mtime=0)[:-9], "is truncated or corrupt"),
    ],
)
def test_what_are_no_json_lines_names_the_line(read: Read, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(content, "rows.jsonl")


values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)


@examples(100)
@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), values, min_size=1), min_size=1, max_size=10))
def test_no_row_and_no_value_of_json_lines_is_lost(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("json")
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    table = pq.read_table(parquet(folder / "rows.jsonl", folder))
    assert table.num_rows == len(rows)
    for name in table.column_names:
        found, given_ = table.column(name).to_pylist(), [row.get(name) for row in rows]
        assert [value is None for value in found] == [value is None for value in given_]
        kind = table.schema.field(name).type
        wanted = [v if v is None or isinstance(v, str) or kind != pa.string() else json.dumps(v) for v in given_]
        if kind == pa.float64():  # whole numbers beside others are rounded to what a float holds, as in CSV
            wanted = [None if v is None else float(v) for v in wanted]
        if not any(isinstance(value, str) for value in given_):
            assert found == wanted
        else:
            assert [str(value) for value in found] == [str(value) for value in wanted]
