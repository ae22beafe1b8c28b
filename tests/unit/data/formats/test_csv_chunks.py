"""A CSV file that is read in chunks has the records of Python's strict reader, wherever it is cut, and the types of all its values."""

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.formats import csv as csv_file
from taxiway.data.formats.convert import RawFile, ReadOptions, as_parquet
from taxiway.data.formats.csv import see_csv
from taxiway.data.formats.csv_chunks import _by_python, check, chunks_of
from taxiway.data.formats.csv_layout import Layout
from taxiway.data.formats.csv_records import read_header
from taxiway.errors import DataError
from taxiway.spec.source.csv_options import CsvOptions

COMMA = Layout(delimiter=",", skip=0, header=True, notes=())
# Signs that have a meaning are likelier than others.
texts = st.text(st.sampled_from('a"",\n\r é'), max_size=40)


def rows_of_python(text: str, width: int) -> list[list[str]] | None:
    """The records of the strict reader; None if one is no CSV or has another width."""
    try:
        records = [record for record in csv.reader(io.StringIO(text, newline=""), strict=True) if record]
    except csv.Error:
        return None
    return None if any(len(record) != width for record in records) else records


def read(path: Path, folder: Path, chunk_bytes: int, **options: Any) -> Path:
    """The Parquet file of a CSV file that is cut into chunks of so many bytes."""
    form = CsvOptions(delimiter=",", **options)
    with ExitStack() as patches:
        for name in ("_CHUNK_BYTES", "_CHUNK_BYTES_A_COLUMN"):
            patches.enter_context(patch.object(csv_file, name, chunk_bytes))
        return as_parquet([RawFile(path, folder, "csv", path.name)], ReadOptions(csv=form)).files[0]


@examples(300)
@given(text=texts, width=st.integers(1, 3), chunk_bytes=st.integers(1, 12))
def test_the_records_are_those_of_the_strict_reader(
    tmp_path_factory: pytest.TempPathFactory, text: str, width: int, chunk_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    names = [f"c{at}" for at in range(width)]
    path = folder / "rows.csv"
    # A first row of words makes every column text, which keeps all values as they are.
    path.write_text(f"{','.join(names)}\n{','.join(['word'] * width)}\n{text}", encoding="utf-8", newline="")
    expected = rows_of_python(text, width)
    if expected is None:
        with pytest.raises(DataError, match=r"rows\.csv:[0-9]+: "):
            read(path, folder, chunk_bytes)
        return
    found = [list(row.values()) for row in pq.read_table(read(path, folder, chunk_bytes)).to_pylist()]
    assert found == [["word"] * width, *([value or None for value in row] for row in expected)]


@examples(200)
@given(text=texts, chunk_bytes=st.integers(1, 12))
def test_chunks_are_the_whole_file_and_count_their_lines(
    tmp_path_factory: pytest.TempPathFactory, text: str, chunk_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_text(f"a,b\n{text}", encoding="utf-8", newline="")
    records = read_header(path, COMMA, "rows.csv")
    position, line = records.begins, records.line
    try:
        for chunk in chunks_of(records, chunk_bytes):
            skipped = path.read_bytes()[position : chunk.begins]
            assert not skipped.strip(b"\r\n")
            assert chunk.line == line + len(skipped.decode().splitlines())
            assert path.read_bytes()[chunk.begins :].startswith(chunk.content)
            check(records, chunk)
            position, line = chunk.begins + len(chunk.content), chunk.line + chunk.lines
    except DataError:
        assert rows_of_python(text, 2) is None
    else:
        assert not path.read_bytes()[position:].strip(b"\r\n")


values = st.lists(
    st.sampled_from(
        ["1", "-7", "2.5", "1e999", "NA", "", " 3", "01", "true", "2024-01-31", "2024-01-31 10:00", "99999999999999999999"]
    ),
    min_size=1,
    max_size=12,
)


@examples(200)
@given(values=values, chunk_bytes=st.integers(1, 30))
def test_types_and_values_do_not_depend_on_the_chunks(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], chunk_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    path = folder / "rows.csv"
    path.write_text("a,b\n" + "".join(f"{value},x\n" for value in values))
    tables = []
    for size in (chunk_bytes, 1 << 20):
        (into := folder / str(size)).mkdir()
        tables.append(pq.read_table(read(path, into, size)))
    assert tables[0].schema == tables[1].schema
    assert tables[0].equals(tables[1])


def test_only_the_chunk_with_a_stray_quote_is_read_by_python(tmp_path: Path) -> None:
    lines = ["a,b", *(f'{at},"x, {at}"' for at in range(100)), '1,5" pipe', *(f"{at},y" for at in range(100))]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    records = read_header(tmp_path / "rows.csv", COMMA, "rows.csv")
    with patch("taxiway.data.formats.csv_chunks._by_python", wraps=_by_python) as by_python:
        assert sum(chunk.rows for chunk in chunks_of(records, 200)) == 201
    assert by_python.call_count == 1


def test_a_file_that_changes_between_the_two_readings_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,x\n" * 9 + "1.5,x\n")
    seen = see_csv(path, None, "rows.csv", CsvOptions(), {})
    path.write_text("a,b\n" + "1,x\n" * 9 + "none,x\n")
    with pytest.raises(DataError, match=r"rows\.csv was changed while it was read"):
        seen.write(tmp_path / "rows.parquet", seen.columns)


@pytest.mark.parametrize("sign", ["§", "→", '"', "x", "1"])
def test_a_delimiter_of_excel_that_cannot_be_one_is_an_error(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f'sep={sign}\na{sign}b\n1{sign}"2"\n')
    with pytest.raises(DataError, match=r"rows\.csv:1: the line .* sets a delimiter that is not one ASCII character"):
        see_csv(path, None, "rows.csv", CsvOptions(), {})


def test_all_notes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('sep=;\na;b\n1; "x"\n')
    notes = see_csv(path, None, "rows.csv", CsvOptions(), {}).notes
    assert [note.split(":")[1] for note in notes] == ["1", "3"]


def test_rows_that_are_added_between_the_two_readings_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,x\n")
    seen = see_csv(path, None, "rows.csv", CsvOptions(), {})
    path.write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(DataError, match=r"rows\.csv was changed while it was read"):
        seen.write(tmp_path / "rows.parquet", seen.columns)
