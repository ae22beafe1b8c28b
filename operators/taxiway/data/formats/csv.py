"""A CSV file as Parquet: every record becomes a row, or an error names the line. Which bytes are text is `text_file`'s to say.

Python's `csv` decides, strictly, what a record is; Arrow, which would swallow an unclosed quote, reads fast what that has checked.
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
    """What a whole CSV file was found to be: `begins` is the byte after the header."""

    delimiter: str
    names: tuple[str, ...]
    rows: int
    begins: int


def csv_to_parquet(text: Path, copy: Path, what: str, text_columns: Collection[str] = ()) -> None:
    """Write the rows of the CSV file `text` (UTF-8) to `copy`; `what` is how errors name it.

    The first record is the header. Comma, semicolon, tab and bar are told apart. Fields are quoted by `"`, doubled within.
    A column is of integers, numbers, truth values, dates or times where all its values are, else it is text; those in
    `text_columns` are text whatever they hold.

    Raises DataError where a record has too many or too few fields, a quote is not closed, a name is missing or there twice, or no
    row is there.
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
            f"{what} has {shape.rows:,} records, and {rows:,} rows were read from it: its quotes and line ends can be read in two "
            'ways; have the source write it with fields in double quotes, "" for one within, and lines that end alike'
        )


def _see(text: Path, shape: _Shape, columns: list[TextColumn]) -> int:
    """Let every column see its values; returns the size of the blocks that hold the longest record."""
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
        # From the header's own line end on, an empty line: Arrow would take a mark at the very start for one of byte order.
        stream.seek(shape.begins - 1)
        yield from pyarrow.csv.open_csv(
            stream,
            pyarrow.csv.ReadOptions(column_names=names, block_size=block),
            pyarrow.csv.ParseOptions(delimiter=shape.delimiter, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )


def _checked(text: Path, what: str) -> _Shape:
    """Read every record once. Raises DataError, with its line, for the first that is not as the header says."""
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
                f"{what}:{line}: the record that begins here is not CSV: {_said(error)}; allowed: fields in double quotes as a "
                'whole, with "" for a quote within. Have the source write it again'
            ) from None
    if not names:
        raise DataError(f"{what} has only empty lines; have the source write it again")
    if not rows:
        raise DataError(
            f"{what} has a header of {len(names)} columns and no rows; have the source write it again, or remove it"
        )
    with text.open(encoding="utf-8", newline="") as lines:
        begins = sum(len(line.encode()) for line in islice(lines, header_lines))
    return _Shape(delimiter, names, rows, begins)


@contextmanager
def _records(text: Path, delimiter: str, *, strict: bool) -> "Iterator[_csv.Reader]":
    limit = csv.field_size_limit(sys.maxsize)  # it is of the whole interpreter, and else 128 KB
    try:
        with text.open(encoding="utf-8", newline="") as lines:
            yield csv.reader(lines, delimiter=delimiter, strict=strict)
    finally:
        csv.field_size_limit(limit)


def _delimiter(text: Path) -> str:
    """The sign that splits the most of the first records into as many fields as the header; a comma where none splits it."""
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
        hint = ": pandas writes its index so, unless told index=False" if not names[0] and len(names) > 1 else ""
        raise DataError(
            f"{where}: column {names.index('') + 1} of {len(names)} has no name{hint}; have the source name each column"
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{where}: more than one column is named {', '.join(twice[:5])}; have the source name each column once")
    return names


def _ragged(record: list[str], names: tuple[str, ...], delimiter: str, where: str) -> str:
    shown = delimiter.join(record)
    return (
        f"{where}: {len(record)} field{'s' if len(record) > 1 else ''}, and the header has {len(names)}, split by {_DELIMITERS[delimiter]}: "
        f"{shown[:_SHOWN]!r}; have the source write as many, and quote fields with a {_DELIMITERS[delimiter]} in them"
    )


def _said(error: csv.Error) -> str:
    said = str(error)
    if said == "unexpected end of data":
        return "a quote is opened and not closed before the file ends"
    return "text stands after a closing quote" if "expected after" in said else said
