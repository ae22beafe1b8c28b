"""Convert CSV to Parquet: every record becomes a row, or an error names its line.

Python's strict `csv` reader checks the records first; Arrow, which accepts an unclosed quote, then reads them fast.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.formats.csv_layout import Layout, blank_before_quote, layout_of, names_of, ragged, records_of
from taxiway.data.formats.text_types import TextColumn
from taxiway.errors import DataError
from taxiway.messages import counted
from taxiway.spec.source.csv_options import CsvOptions

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 8 << 20
_BLOCK_BYTES_A_COLUMN = 4 << 10
_LARGEST_BLOCK_BYTES = (1 << 31) - 1


@dataclass(frozen=True)
class _Shape:
    """The layout of a checked CSV file; `begins` is the position of its first row in bytes."""

    delimiter: str
    names: tuple[str, ...]
    rows: int
    begins: int


@dataclass
class CsvRows:
    """A checked CSV file, of which every value was seen.

    Attributes:
        columns: Its columns with the types of its values.
        notes: What is doubtful about the file.
    """

    columns: dict[str, TextColumn]
    notes: tuple[str, ...]
    _text: Path
    _what: str
    _shape: _Shape
    _block: int

    def write(self, copy: Path, columns: Mapping[str, TextColumn]) -> None:
        """Write the rows to a Parquet file, and remove the decoded text.

        Args:
            copy: The Parquet file.
            columns: Columns with types that fit all values; those that the file does not have are ignored.

        Raises:
            DataError: The two readers do not agree about the records.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        typed_as = [columns[name] for name in self._shape.names]
        schema = pa.schema([(name, columns[name].type) for name in self._shape.names])
        rows = 0
        with pq.ParquetWriter(copy, schema) as writer:
            for batch in _batches(self._text, self._shape, self._block):
                typed = [column.typed(values) for column, values in zip(typed_as, batch.columns, strict=True)]
                writer.write_batch(pa.record_batch(typed, schema=schema))
                rows += batch.num_rows
        if rows != self._shape.rows:
            raise DataError(
                f"{self._what} has {counted(self._shape.rows, 'record')}, but {counted(rows, 'row')} were read: its quotes and line "
                'breaks are ambiguous; write it at the source with double quotes around fields, "" for a quote within, and one kind of '
                "line break"
            )
        self._text.unlink()


def see_csv(text: Path, what: str, options: CsvOptions, types: Mapping[str, str]) -> CsvRows:
    """Check a CSV file and see all its values.

    By default the first record is the header, and the delimiter (comma, semicolon, tab or bar) is detected. Fields may be quoted by
    `"`, which is doubled within. A column gets the type integer, number, boolean, date or time if all its values have it, else text.

    Args:
        text: The CSV file, in UTF-8; it must stay until the rows are written.
        what: The name of the file in errors.
        options: How the file is written.
        types: The known types of columns, as in a schema: a `string` is text, whatever its values.

    Raises:
        DataError: A record has too many or too few fields, a quote is not closed, a column has no name or a duplicate one, or
            there are no rows.
    """
    layout = layout_of(text, options, what)
    shape = _checked(text, layout, what)
    columns = {
        name: TextColumn(form=options, is_typed=name in types, seen="text" if types.get(name) == "string" else None)
        for name in shape.names
    }
    block = _see(text, shape, list(columns.values()))
    notes = (*layout.notes, *blank_before_quote(text, layout, what))
    return CsvRows(columns, notes, text, what, shape, block)


def _see(text: Path, shape: _Shape, columns: list[TextColumn]) -> int:
    """Show every column its values; returns the block size, in bytes, that holds the longest record."""
    import pyarrow as pa

    block = max(_BLOCK_BYTES, _BLOCK_BYTES_A_COLUMN * len(columns))
    while True:
        try:
            for batch in _batches(text, shape, block):
                for column, values in zip(columns, batch.columns, strict=True):
                    column.see(values)
            return block
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) or block == _LARGEST_BLOCK_BYTES:
                raise
            block = min(block * 8, _LARGEST_BLOCK_BYTES)


def _batches(text: Path, shape: _Shape, block: int) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa
    import pyarrow.csv

    names = [f"c{at}" for at in range(len(shape.names))]
    with text.open("rb") as stream:
        # Start at the line break before the rows: Arrow would drop a byte order mark at the very start.
        stream.seek(max(0, shape.begins - 1))
        yield from pyarrow.csv.open_csv(
            stream,
            pyarrow.csv.ReadOptions(column_names=names, block_size=block),
            pyarrow.csv.ParseOptions(delimiter=shape.delimiter, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )


def _checked(text: Path, layout: Layout, what: str) -> _Shape:
    """Read every record once. Raises DataError, with its line, for the first that does not fit the header."""
    names: tuple[str, ...] = ()
    line, rows, before = layout.skip + 1, 0, layout.skip
    with records_of(text, layout.delimiter, layout.skip, strict=True) as records:
        try:
            for record in records:
                if names and len(record) == len(names):
                    rows += 1
                elif record and names:
                    raise DataError(ragged(record, names, layout, f"{what}:{line}", is_first=rows == 0))
                elif record and layout.header:
                    names, before = names_of(record, layout, f"{what}:{line}"), layout.skip + records.line_num
                elif record:
                    names, rows = tuple(f"column_{at}" for at in range(1, len(record) + 1)), 1
                line = layout.skip + records.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{what}:{line}: the record that begins here is not valid CSV: {_problem(error)}; allowed: double quotes around "
                'a whole field, with "" for a quote within. Write it again at the source'
            ) from None
    if not names:
        raise DataError(f"{what} has only empty lines; write it again at the source")
    if not rows:
        raise DataError(
            f"{what} has a header of {counted(len(names), 'column')} and no rows; write it again at the source, or remove it"
        )
    with text.open(encoding="utf-8", newline="") as lines:
        begins = sum(len(line.encode()) for line in islice(lines, before))
    return _Shape(layout.delimiter, names, rows, begins)


def _problem(error: csv.Error) -> str:
    message = str(error)
    if message == "unexpected end of data":
        return "a quote is not closed before the end of the file"
    return "there is text after a closing quote" if "expected after" in message else message
