"""Rows of Python values as Parquet, whatever the columns turn out to hold: no column's type is decided before its last row."""

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

# `big`: whole numbers that no 64 bits hold, which stay text, digit by digit. `instant`: a time whose zone is known.
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
    """Some rows: the values of each column, as many as `rows`. A column that an other batch has is missing here."""

    rows: int
    columns: dict[str, list[Any]]


@dataclass
class _Column:
    """What one column has held so far."""

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
        """What all its values are; those that are of no one kind are text, each as it was."""
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
    """Write all rows of `batches` to `copy`, in the memory that one batch takes; `what` is how errors name them.

    Decimals are numbers, or integers where all of a column are whole. Nested values, UUIDs and times of day are text, as are whole
    numbers of more than 64 bits and columns of values of several kinds. With `dates_in_text`, texts that are all dates are.

    Raises DataError where there are no rows or columns, or a value is of a type that has no place in a table.
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
            raise DataError(f"{what} has {len(columns)} columns and {rows or 'no'} rows; have the source give some")
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
            f"{what}: column {name} cannot be read: {error}; convert it to a number, text, date or time there"
        ) from None


def _kinds_among(kind: type, values: list[Any]) -> set[Kind]:
    """The kinds of those values that are of the type `kind`, which alone does not tell."""
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
