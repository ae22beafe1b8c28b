"""JSON lines that Arrow reads are the rows that Python reads, wherever the file is cut."""

import io
import json
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.formats import json_chunks, json_lines
from taxiway.data.formats.convert import RawFile, ReadOptions, as_parquet
from taxiway.errors import DataError

scalars = st.sampled_from(
    [
        "1",
        "-0",
        "5",
        "2.5",
        "1e3",
        "1e999",
        "9007199254740993",
        "99999999999999999999",
        "NaN",
        "-NaN",
        "-0.0",
        "Infinity",
        "Inf",
        "true",
        "false",
        "null",
        '"x"',
        '"5"',
        '"2024-01-31"',
        '"2024-01-31T10:00:00Z"',
        '""',
        '"\\ud83d\\ude00"',
        '"\\ud83d"',
        '"a\\u0000"',
        '"é"',
        '"}"',
        "[1, 2]",
        '{"b": 1}',
    ]
)
# One kind for many rows, so that Arrow reads some; any value now and then.
columns = st.sampled_from(
    [["1", "5", "null"], ["2.5", "5", "null"], ['"x"', '"5"'], ['"2024-01-31"', "null"], ["true", "false"], ["null"]]
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """Lines of objects, with a key less, more or twice, and a line that is none, now and then."""
    names = draw(st.lists(st.sampled_from(["a", "b", "é", "\\u0061"]), min_size=1, max_size=3, unique=True))
    kinds = {name: draw(columns) for name in names}
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        rare = draw(st.integers(0, 25))
        keys = [*names[rare == 1 :], *(["z"] if rare == 2 else []), *(names[:1] if rare == 3 else [])]
        cells = [f'"{key}": {draw(scalars if rare == 4 else st.sampled_from(kinds.get(key, ["1"])))}' for key in keys]
        line = "{" + ", ".join(cells) + "}"
        lines.append({5: "", 6: " ", 7: "[1]", 8: line + line, 9: line[:-1], 10: line + " ", 11: line + "\r"}.get(rare, line))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


def read(path: Path, folder: Path, chunk_bytes: int) -> pa.Table | str:
    """The table of the file, or the error."""
    folder.mkdir()
    with ExitStack() as patches:
        for name in ("_FIRST_BYTES", "_CHUNK_BYTES"):
            patches.enter_context(patch.object(json_chunks, name, chunk_bytes))
        try:
            return pq.read_table(as_parquet([RawFile(path, folder, "jsonl", path.name)], ReadOptions()).files[0])
        except DataError as error:
            return str(error)


@examples(300)
@given(text=files(), chunk_bytes=st.integers(1, 60))
def test_the_rows_are_those_that_python_reads(tmp_path_factory: pytest.TempPathFactory, text: str, chunk_bytes: int) -> None:
    folder = tmp_path_factory.mktemp("json")
    path = folder / "rows.jsonl"
    path.write_text(text, encoding="utf-8", newline="")
    with patch.object(json_lines, "read_plain", return_value=None):
        expected = read(path, folder / "python", 1 << 20)
    found = read(path, folder / "arrow", chunk_bytes)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    assert found.schema == expected.schema
    # As text, because NaN is not equal to itself.
    assert repr(found.to_pylist()) == repr(expected.to_pylist())


def test_arrow_reads_what_is_plain(tmp_path: Path) -> None:
    rows = [{"a": at, "b": f"x{at}", "c": None if at % 3 else at / 2, "d": at % 2 == 0} for at in range(2000)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with patch.object(json_lines, "_by_python", wraps=json_lines._by_python) as by_python:
        table = read(tmp_path / "rows.jsonl", tmp_path / "out", 4096)
    assert by_python.call_count == 1  # the first chunk, for the types
    assert isinstance(table, pa.Table)
    assert table.to_pylist() == rows


def test_whole_numbers_in_a_column_that_becomes_text_stay_as_they_were(tmp_path: Path) -> None:
    lines = [*('{"a": 2.5}',) * 50, *('{"a": 5}',) * 50, '{"a": "x"}']
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    table = read(tmp_path / "rows.jsonl", tmp_path / "out", 64)
    assert isinstance(table, pa.Table)
    assert table.column("a").to_pylist() == [*("2.5",) * 50, *("5",) * 50, "x"]


def test_a_long_line_without_an_end_is_read_once(tmp_path: Path) -> None:
    sizes = []

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size)
            return super().read(size)

    line = b'{"a": "' + b"x" * (30 << 20) + b'"}'
    assert list(json_chunks.line_chunks(Stream(line))) == [line]
    assert len(sizes) < 10


def test_an_array_on_one_long_line_is_told_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text("[" + '{"a": 1}, ' * 20_000)  # not even whole
    assert "rows.json:1: this line is a JSON array; allowed: one object per line. Convert" in str(
        read(path, tmp_path / "out", 64)
    )


def test_a_value_that_is_nested_too_deeply_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('{"a": ' + "[" * 900 + "]" * 900 + "}\n")
    assert "nested too deeply" in str(read(path, tmp_path / "out", 64))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" occurs twice in one object; write each key once'),
        ('{"a": 1,', "If each object is over several lines, convert the file with: jq -c ."),
        ('{"a": 1},', "If each line ends with a comma, remove it"),
        ('{"a": "\\ud83d"}', "half of a surrogate pair"),
    ],
)
def test_errors_have_the_cure_that_keeps_the_values(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(line + '\n"b": 2}\n')
    assert message in str(read(path, tmp_path / "out", 1 << 20))
