"""Convert CSV to Parquet: every record becomes a row, or an error names its line.

Python's strict `csv` reader checks the records first; Arrow, which accepts an unclosed quote, then reads them fast.
"""

import csv
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.formats.text_types import TextColumn
from taxiway.errors import DataError
from taxiway.messages import counted

if TYPE_CHECKING:
    import _csv

    import pyarrow as pa

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_LOOKED_AT_RECORDS = 1000
_SHOWN = 80
_BLOCK_BYTES = 8 << 20
_BLOCK_BYTES_A_COLUMN = 4 << 10
_LARGEST_BLOCK_BYTES = (1 << 31) - 1


@dataclass(frozen=True)
class _Shape:
    """The layout of a checked CSV file; `begins` is the position of the first byte after the header."""

    delimiter: str
    names: tuple[str, ...]
    rows: int
    begins: int


def csv_to_parquet(text: Path, copy: Path, what: str, text_columns: Collection[str] = ()) -> None:
    """Convert a CSV file to Parquet.

    The first record is the header. The delimiter (comma, semicolon, tab or bar) is detected. Fields may be quoted by `"`, which is
    doubled within. A column gets the type integer, number, boolean, date or time if all its values have it, else text.

    Args:
        text: The CSV file, in UTF-8.
        copy: The Parquet file to write.
        what: The name of the file in errors.
        text_columns: The columns to read as text, whatever their values.

    Raises:
        DataError: A record has too many or too few fields, a quote is not closed, a column has no name or a duplicate one, or
            there are no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    shape = _checked(text, what)
    columns = [TextColumn(kind="text") if name in text_columns else TextColumn() for name in shape.names]
    block = _see(text, shape, columns)
    schema = pa.schema([(name, column.type) for name, column in zip(shape.names, columns, strict=True)])
    rows = 0
    with pq.ParquetWriter(copy, schema) as writer:
        for batch in _batches(text, shape, block):
            typed = [column.typed(values) for column, values in zip(columns, batch.columns, strict=True)]
            writer.write_batch(pa.record_batch(typed, schema=schema))
            rows += batch.num_rows
    if rows != shape.rows:
        raise DataError(
            f"{what} has {shape.rows:,} records, but {rows:,} rows were read: its quotes and line breaks are ambiguous; write it at "
            'the source with double quotes around fields, "" for a quote within, and one kind of line break'
        )


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
        # Start at the line break of the header: Arrow would drop a byte order mark at the very start.
        stream.seek(shape.begins - 1)
        yield from pyarrow.csv.open_csv(
            stream,
            pyarrow.csv.ReadOptions(column_names=names, block_size=block),
            pyarrow.csv.ParseOptions(delimiter=shape.delimiter, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )


def _checked(text: Path, what: str) -> _Shape:
    """Read every record once. Raises DataError, with its line, for the first that does not fit the header."""
    delimiter = _delimiter(text)
    names: tuple[str, ...] = ()
    line, rows, header_lines = 1, 0, 0
    with _records(text, delimiter, strict=True) as records:
        try:
            for record in records:
                if names and len(record) == len(names):
                    rows += 1
                elif record and names:
                    raise DataError(_ragged(record, names, delimiter, f"{what}:{line}"))
                elif record:
                    names, header_lines = _names(record, f"{what}:{line}"), records.line_num
                line = records.line_num + 1
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
        begins = sum(len(line.encode()) for line in islice(lines, header_lines))
    return _Shape(delimiter, names, rows, begins)


@contextmanager
def _records(text: Path, delimiter: str, *, strict: bool) -> "Iterator[_csv.Reader]":
    limit = csv.field_size_limit(sys.maxsize)  # the limit holds for the whole interpreter, 128 KB by default
    try:
        with text.open(encoding="utf-8", newline="") as lines:
            yield csv.reader(lines, delimiter=delimiter, strict=strict)
    finally:
        csv.field_size_limit(limit)


def _delimiter(text: Path) -> str:
    """The delimiter that splits most of the first records into as many fields as the header; a comma if none splits it."""
    best, best_score = ",", (0.0, 1)
    for sign in _DELIMITERS:
        with _records(text, sign, strict=False) as records:
            widths = [len(record) for record in islice(records, _LOOKED_AT_RECORDS) if record]
        if not widths or widths[0] == 1:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        if (alike, widths[0]) > best_score:
            best, best_score = sign, (alike, widths[0])
    return best


def _names(header: list[str], where: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in header)
    if not all(names):
        hint = " (pandas writes its index like this; use index=False)" if not names[0] and len(names) > 1 else ""
        raise DataError(
            f"{where}: column {names.index('') + 1} of {len(names)} has no name{hint}; name each column at the source"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{where}: more than one column is named {', '.join(twice[:5])}; give each column its own name at the source"
        )
    return names


def _ragged(record: list[str], names: tuple[str, ...], delimiter: str, where: str) -> str:
    shown = delimiter.join(record)
    return (
        f"{where}: {counted(len(record), 'field')}, but the header has {len(names)} (delimiter: {_DELIMITERS[delimiter]}): "
        f"{shown[:_SHOWN]!r}; write as many fields as the header, and quote fields that contain a {_DELIMITERS[delimiter]}"
    )


def _problem(error: csv.Error) -> str:
    message = str(error)
    if message == "unexpected end of data":
        return "a quote is not closed before the end of the file"
    return "there is text after a closing quote" if "expected after" in message else message
