"""Write rows of Python values to Parquet; a column's type is decided after its last row, in one file or in several."""

import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from taxiway.data.formats.text_types import DATES, TextColumn, arrow_type
from taxiway.errors import DataError
from taxiway.messages import counted

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
_ARRAY_KINDS: dict[str, Kind] = {"string": "text", "int64": "integer", "double": "number", "bool": "boolean"}
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True)
class Batch:
    """Some rows. A column that only other batches have is null here.

    Attributes:
        rows: The number of rows.
        columns: The values of each column, one for each row; an array has one type.
    """

    rows: int
    columns: "Mapping[str, list[Any] | pa.Array]"


@dataclass
class ValueColumn:
    """The kinds of values in a column so far; `texts` detects dates among its texts, unless it is None."""

    texts: TextColumn | None
    kinds: set[Kind] = field(default_factory=set)

    def see(self, values: "list[Any] | pa.Array") -> None:
        import pyarrow as pa

        if isinstance(values, pa.Array):
            self._see_array(values)
            return
        for kind in set(map(type, values)) - {type(None)}:
            self.kinds |= {_KINDS[kind]} if kind in _KINDS else _kinds_among(kind, values)
        if self.texts is not None and self.texts.kind != "text" and self.kinds == {"text"}:
            self.texts.see(pa.array(values, pa.string()))

    def _see_array(self, values: "pa.Array") -> None:
        if values.null_count < len(values):
            self.kinds.add(_ARRAY_KINDS[str(values.type)])
        if self.texts is not None and self.kinds == {"text"} and self.texts.kind != "text":
            self.texts.see(values)

    def add(self, other: "ValueColumn") -> None:
        """Take into account what was seen of another part of the column."""
        self.kinds |= other.kinds
        if other.texts is None:
            self.texts = None
        elif self.texts is not None:
            self.texts.add(other.texts)

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
        import pyarrow as pa

        if self.texts is not None and self.are_dates:
            return self.texts.type
        return pa.null() if not self.kinds else arrow_type(self.kind)

    def typed(self, values: "list[Any] | pa.Array") -> "pa.Array":
        import pyarrow as pa

        if isinstance(values, pa.Array):
            return self._typed_array(values)
        if self.texts is not None and self.are_dates:
            return self.texts.typed(pa.array(values, pa.string()))
        plain = {"integer": int, "number": float, "binary": bytes}.get(self.kind, _same)
        if pa.types.is_null(self.type):
            return pa.nulls(len(values))
        if pa.types.is_string(self.type):
            plain = _text
        return pa.array([None if value is None else plain(value) for value in values], self.type)

    def _typed_array(self, values: "pa.Array") -> "pa.Array":
        import pyarrow as pa

        if self.texts is not None and self.are_dates:
            return self.texts.typed(values.cast(pa.string()))
        return values.cast(self.type, safe=False)  # integers beside fractions become the nearest doubles


@dataclass
class SeenRows:
    """Rows of which every value was seen, and which wait in a file.

    Attributes:
        columns: The columns with the kinds of their values.
        notes: What is doubtful about the rows.
        exactly: Sees the rows again, each value as it was written; None if they wait so.
    """

    columns: dict[str, ValueColumn]
    notes: tuple[str, ...]
    _waiting: Path
    _data_name: str
    exactly: "Callable[[], SeenRows] | None" = None

    def write(self, copy: Path, columns: Mapping[str, ValueColumn]) -> None:
        """Write the rows to a Parquet file, one batch at a time, and remove the file in which they waited.

        Args:
            copy: The Parquet file.
            columns: All columns to write, with types that fit all values; those that the rows do not have are null.

        Raises:
            DataError: A value has a type that a table cannot have.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        # In an array of numbers, 5 became 5.0.
        if self.exactly and any("number" in c.kinds and columns[name].kind == "text" for name, c in self.columns.items()):
            self.exactly().write(copy, columns)
            return
        schema = pa.schema([(name, column.type) for name, column in columns.items()])
        with pq.ParquetWriter(copy, schema) as writer:
            for batch in _again(self._waiting):
                nothing = [None] * batch.rows
                arrays = [
                    _for_column(column.typed, batch.columns.get(name, nothing), name, self._data_name)
                    for name, column in columns.items()
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
        self._waiting.unlink()


def rows_to_parquet(batches: Iterable[Batch], copy: Path, data_name: str) -> None:
    """Write batches of rows to a Parquet file, with one batch at a time in memory.

    Decimals become numbers, or integers if all of a column are whole. Nested values, UUIDs, times of day, integers of more than 64
    bits and columns with values of several kinds become text.

    Args:
        batches: The rows.
        copy: The file to write.
        data_name: The name of the rows in errors.

    Raises:
        DataError: There are no rows or columns, or a value has a type that a table cannot have.
    """
    seen = see_rows(batches, copy.parent, data_name)
    seen.write(copy, seen.columns)


def see_rows(
    batches: Iterable[Batch],
    folder: Path,
    data_name: str,
    *,
    may_have_dates: Callable[[str], bool] = lambda _: False,
    columns: dict[str, ValueColumn] | None = None,
) -> SeenRows:
    """See all values of some rows, which wait in a file; `SeenRows.write` converts them as `rows_to_parquet` does.

    Args:
        batches: The rows.
        folder: Where the rows wait.
        data_name: The name of the rows in errors.
        may_have_dates: Whether the column of this name becomes dates or times if all its values are texts of these.
        columns: Where to put the columns, if who makes the batches needs to know those so far.

    Raises:
        DataError: There are no rows or columns, or a value has a type that a table cannot have.
    """
    columns = {} if columns is None else columns
    rows, waiting = 0, folder / "waiting"
    with waiting.open("wb") as stream:
        for batch in batches:
            for name, values in batch.columns.items():
                column = columns.setdefault(name, ValueColumn(TextColumn(among=DATES) if may_have_dates(name) else None))
                _for_column(column.see, values, name, data_name)
            try:
                pickle.dump(batch, stream, pickle.HIGHEST_PROTOCOL)
            except RecursionError:
                raise DataError(
                    f"{data_name}: a value is nested too deeply; write it flat, or as text, at the source"
                ) from None
            rows += batch.rows
    if not rows or not columns:
        raise DataError(
            f"{data_name} has {counted(len(columns), 'column')} and {rows or 'no'} rows; required: at least one of each"
        )
    return SeenRows(columns, (), waiting, data_name)


def _again(waiting: Path) -> Iterator[Batch]:
    with waiting.open("rb") as stream:
        while True:
            try:
                yield pickle.load(stream)  # noqa: S301 what this process wrote above, to a folder of its own
            except EOFError:
                return


def _for_column(look: Any, values: list[Any], name: str, data_name: str) -> Any:
    import pyarrow as pa

    try:
        return look(values)
    except (DataError, pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{data_name}: column {name} cannot be read: {error}; convert it to a number, text, date or time at the source"
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
