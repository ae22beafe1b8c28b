"""Write rows of Python values to Parquet; a column's type is decided after its last row."""

import json
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal
from uuid import UUID

from taxiway.data.formats.text_types import DATES, TextColumn, arrow_type
from taxiway.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

# `big`: integers of more than 64 bits, which are kept as text. `instant`: a time with a time zone.
Kind = Literal["boolean", "integer", "big", "number", "text", "nested", "date", "datetime", "instant", "binary"]
_KINDS: dict[type, Kind] = {
    bool: "boolean",
    float: "number",
    date: "date",
    bytes: "binary",
    str: "text",
    UUID: "text",
    time: "text",
    timedelta: "text",
    dict: "nested",
    list: "nested",
    tuple: "nested",
}
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True)
class Batch:
    """Some rows. A column that only other batches have is null here.

    Attributes:
        rows: The number of rows.
        columns: The values of each column, one for each row.
    """

    rows: int
    columns: dict[str, list[Any]]


@dataclass
class _Column:
    """The kinds of values in a column so far."""

    texts: TextColumn | None
    kinds: set[Kind] = field(default_factory=set)

    def see(self, values: list[Any]) -> None:
        import pyarrow as pa

        for kind in set(map(type, values)) - {type(None)}:
            self.kinds |= {_KINDS[kind]} if kind in _KINDS else _kinds_among(kind, values)
        if self.texts is not None and self.texts.kind != "text" and self.kinds == {"text"}:
            self.texts.see(pa.array(values, pa.string()))

    @property
    def kind(self) -> Kind:
        """The kind of all its values; text if they have several kinds."""
        if len(self.kinds) == 1:
            return next(iter(self.kinds))
        if self.kinds and self.kinds <= {"integer", "big", "number"}:
            return "number" if "number" in self.kinds else "big"
        return "text"

    @property
    def are_dates(self) -> bool:
        return self.texts is not None and self.kinds == {"text"} and self.texts.kind in DATES

    @property
    def type(self) -> "pa.DataType":
        if self.texts is not None and self.are_dates:
            return self.texts.type
        return arrow_type(self.kind)

    def typed(self, values: list[Any]) -> "pa.Array":
        import pyarrow as pa

        if self.texts is not None and self.are_dates:
            return self.texts.typed(pa.array(values, pa.string()))
        plain = {"integer": int, "number": float, "binary": bytes}.get(self.kind, _same)
        if pa.types.is_string(self.type):
            plain = _text
        return pa.array([None if value is None else plain(value) for value in values], self.type)


def rows_to_parquet(batches: Iterable[Batch], copy: Path, what: str, *, dates_in_text: bool = False) -> None:
    """Write batches of rows to a Parquet file, with one batch at a time in memory.

    Decimals become numbers, or integers if all of a column are whole. Nested values, UUIDs, times of day, integers of more than 64
    bits and columns with values of several kinds become text.

    Args:
        batches: The rows.
        copy: The file to write.
        what: The name of the rows in errors.
        dates_in_text: Whether a column of text becomes dates or times if all its values are.

    Raises:
        DataError: There are no rows or columns, or a value has a type that a table cannot have.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, _Column] = {}
    with tempfile.TemporaryFile(dir=copy.parent) as waiting:
        rows = 0
        for batch in batches:
            for name, values in batch.columns.items():
                column = columns.setdefault(name, _Column(TextColumn(among=DATES) if dates_in_text else None))
                _for_column(column.see, values, name, what)
            pickle.dump(batch, waiting, pickle.HIGHEST_PROTOCOL)
            rows += batch.rows
        if not rows or not columns:
            raise DataError(f"{what} has {len(columns)} columns and {rows or 'no'} rows; required: at least one of each")
        waiting.seek(0)
        schema = pa.schema([(name, column.type) for name, column in columns.items()])
        with pq.ParquetWriter(copy, schema) as writer:
            for batch in _again(waiting):
                nothing = [None] * batch.rows
                arrays = [
                    _for_column(column.typed, batch.columns.get(name, nothing), name, what) for name, column in columns.items()
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))


def _again(waiting: IO[bytes]) -> Iterator[Batch]:
    while True:
        try:
            yield pickle.load(waiting)  # noqa: S301 what this process wrote above, to a file without a name
        except EOFError:
            return


def _for_column(look: Any, values: list[Any], name: str, what: str) -> Any:
    import pyarrow as pa

    try:
        return look(values)
    except (DataError, pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{what}: column {name} cannot be read: {error}; convert it to a number, text, date or time at the source"
        ) from None


def _kinds_among(kind: type, values: list[Any]) -> set[Kind]:
    """The kinds of the values of the type `kind`, for types whose values have several kinds."""
    among: list[Any] = [value for value in values if type(value) is kind]
    if issubclass(kind, int):
        return {"integer" if min(among) >= _LEAST and max(among) <= _MOST else "big"}
    if issubclass(kind, Decimal):
        whole = all(value.is_finite() and value == value.to_integral_value() for value in among)
        return {"number"} if not whole else _kinds_among(int, [int(value) for value in among])
    if issubclass(kind, datetime):
        return {"datetime" if value.tzinfo is None else "instant" for value in among}
    known = next((found for parent, found in _KINDS.items() if issubclass(kind, parent)), None)
    if known is None:
        raise DataError(f"{among[0]!r} is a {kind.__module__}.{kind.__qualname__}")
    return {known}


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bool | dict | list | tuple | float):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
