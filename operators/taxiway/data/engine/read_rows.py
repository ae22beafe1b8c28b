"""Read the rows of spans from the store."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError
from taxiway.records import Span
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_NAMES = ("boolean", "integer", "number", "string", "date", "datetime")
_WIDER: Mapping[frozenset[str | None], str] = {
    **{frozenset((name,)): name for name in _NAMES},
    frozenset(("integer", "number")): "number",
    frozenset(("date", "datetime")): "datetime",
}
LIST_OF = "list of "
"""What the type of a column of lists begins with, as in `list of string`."""
_ITEMS = ("boolean", "integer", "number", "string")
_LARGEST_EXACT = 2**53  # beyond it, floats cannot represent every integer


def read_rows(spans: tuple[Span, ...], store: Store, columns: list[str] | None = None) -> "pd.DataFrame":
    """The rows of spans as a DataFrame, in the order of the spans.

    Integers beyond 2**53 in a column with missing values are Python integers, because floats would lose digits. Times of different
    units become microseconds, and those of different zones become UTC.

    Args:
        spans: The spans.
        store: Where their rows are.
        columns: The columns to read; all if None. A column that a span does not have is missing values there.

    Raises:
        DataError: A date is beyond the years of Python, or the times of a column do not fit one unit.
    """
    import pandas as pd

    parts: list[pd.DataFrame] = []
    for span in spans:
        with store.local_file(span.content) as path:
            parts.append(rows_of_file(path, columns))
    for name in {name for part in parts for name in part.columns if _has_large_integers(part[name])}:
        if len({part[name].dtype if name in part else None for part in parts}) > 1:
            parts = [part.assign(**{name: part[name].astype("object")}) if name in part else part for part in parts]
    return pd.concat(_with_equal_times(parts), ignore_index=True)


def _with_equal_times(parts: "list[pd.DataFrame]") -> "list[pd.DataFrame]":
    """The parts with one unit and zone in each column of times. Microseconds hold all years of files, nanoseconds only 1677 to 2262."""
    for name in dict.fromkeys(name for part in parts for name in part.columns if part[name].dtype.kind == "M"):
        times = [part for part in parts if name in part and part[name].dtype.kind == "M"]
        if len({part[name].dtype for part in times}) == 1:
            continue
        try:
            converted = [_in_microseconds(part[name]) for part in times]
        except (ValueError, OverflowError) as error:
            raise DataError(
                f"the spans have times of {name} in several units, and microseconds do not hold all of them: {error}"
            ) from error
        if len({values.dt.tz is None for values in converted}) == 1:
            new = {id(part): part.assign(**{name: values}) for part, values in zip(times, converted, strict=True)}
            parts = [new.get(id(part), part) for part in parts]
    return parts


def _in_microseconds(times: "pd.Series[Any]") -> "pd.Series[Any]":
    in_utc = times if times.dt.tz is None else times.dt.tz_convert("UTC")
    found: pd.Series[Any] = in_utc.dt.as_unit("us")
    return found


def read_table(spans: tuple[Span, ...], store: Store) -> "pa.Table":
    """The rows of spans as an Arrow table with the types of their files, in the order of the spans.

    Args:
        spans: The spans. Numbers of different types become the wider one; a column that a span does not have is null there.
        store: Where their rows are.

    Raises:
        DataError: A column has types in different spans that Arrow does not unite.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for span in spans:
        with store.local_file(span.content) as path:
            # Without the metadata of pandas, by which a column would be the index of a DataFrame.
            tables.append(pq.ParquetFile(path).read().replace_schema_metadata(None))
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"the spans are not one Arrow table, because a column has several types: {error}; read them as a DataFrame"
        ) from error


def column_types(spans: tuple[Span, ...], store: Store, columns: Collection[str]) -> dict[str, str]:
    """The types of columns in the files of all spans, in the words of a schema.

    Args:
        spans: The spans.
        store: Where their rows are.
        columns: The columns.

    Returns:
        The types by column; of lists, such as `list of string`. Integers in one file and other numbers in another are numbers, dates and
        times are times; a column that has other types in different files, or one without a name in a schema, is left out.
    """
    found = {name: {_type_name(kind) for kind in kinds} for name, kinds in arrow_types(spans, store, columns).items()}
    return {name: kind for name in columns if (kind := _wider(found[name])) is not None}


def arrow_types(spans: tuple[Span, ...], store: Store, columns: Collection[str]) -> "dict[str, tuple[pa.DataType, ...]]":
    """The different types of columns in the files of all spans; a column without a value in a file may have no type there."""
    import pyarrow.parquet as pq

    found: dict[str, dict[pa.DataType, None]] = {name: {} for name in columns}
    for span in spans:
        with store.local_file(span.content) as path:
            schema = pq.read_schema(path)
        for name in found.keys() & set(schema.names):
            kind = schema.field(name).type
            if "null" not in (str(kind), str(_item_type(kind))):
                found[name][kind] = None
    return {name: tuple(kinds) for name, kinds in found.items()}


def _wider(kinds: set[str | None]) -> str | None:
    """The type that has all values of some types; None if there is none."""
    items = {kind.removeprefix(LIST_OF) for kind in kinds if kind is not None and kind.startswith(LIST_OF)}
    if len(items) == len(kinds):
        kind = _WIDER.get(frozenset(items))
        return None if kind is None else f"{LIST_OF}{kind}"
    return _WIDER.get(frozenset(kinds))


def _item_type(kind: "pa.DataType") -> "pa.DataType | None":
    """The type of the items of lists; None of another type."""
    from pyarrow import types

    tests = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)
    return kind.value_type if any(test(kind) for test in tests) else None


def _type_name(kind: "pa.DataType") -> str | None:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _type_name(kind.value_type)
    if (item := _item_type(kind)) is not None:
        name = _type_name(item)
        return f"{LIST_OF}{name}" if name in _ITEMS else None
    tests = {
        "boolean": types.is_boolean,
        "integer": types.is_integer,
        "number": lambda kind: types.is_floating(kind) or types.is_decimal(kind),
        "string": lambda kind: types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind),
        "date": types.is_date,
        "datetime": types.is_timestamp,
    }
    return next((name for name, test in tests.items() if test(kind)), None)


def rows_of_file(path: "object", columns: list[str] | None = None) -> "pd.DataFrame":
    """The rows of one Parquet file as a DataFrame; see `read_rows`."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    present = [c for c in columns if c in file.schema_arrow.names] if columns is not None else None
    rows = rows_of_table(file.read(columns=present))
    return rows.reindex(columns=columns) if columns is not None else rows


def rows_of_table(table: "pa.Table") -> "pd.DataFrame":
    """The rows of an Arrow table as a DataFrame; see `read_rows`."""
    import pyarrow.compute as pc

    # The metadata of pandas would make a column the index, so that it is missing here and present elsewhere.
    try:
        rows: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except (ValueError, OverflowError) as error:
        raise DataError(
            f"{_dates_beyond_python(table)} dates that Python does not have ({error}); allowed: dates from 0001-01-01 to 9999-12-31. Correct "
            "them in the source, or write times (TIMESTAMP) instead"
        ) from error
    for name in table.column_names:
        column = table.column(name)
        if _item_type(column.type) is not None:
            if _would_lose_digits(pc.list_flatten(column)):
                rows[name] = column.to_pylist()
        elif _would_lose_digits(column):
            rows[name] = column.to_pandas(integer_object_nulls=True)
    return rows


def _dates_beyond_python(table: "pa.Table") -> str:
    """The first column that pandas cannot represent, as the subject of a sentence."""
    for name in table.column_names:
        try:
            table.select([name]).to_pandas(ignore_metadata=True)
        except (ValueError, OverflowError):
            return f"the column {name} has"
    return "the rows have"


def _would_lose_digits(column: Any) -> bool:
    """Whether pandas would convert the integers of this Arrow column to floats and round the largest."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.type) or not column.null_count:
        return False
    ends = pc.min_max(column).as_py()
    return any(end is not None and abs(end) > _LARGEST_EXACT for end in ends.values())


def _has_large_integers(values: "pd.Series[Any]") -> bool:
    return values.dtype.kind in "iu" and len(values) > 0 and max(-int(values.min()), int(values.max())) > _LARGEST_EXACT
