"""A source of rows from a user's Python function, which is called with the begin and the end of a period."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.sources.periods import PeriodReader, bounds_of
from taxiway.data.sources.reader import Connect, FoundSpan, Note, Read
from taxiway.errors import ConfigError, DataError, TransientError
from taxiway.messages import counted
from taxiway.spec.python_refs import look_up
from taxiway.spec.source import FunctionSource

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = "source.function"
_ALLOWED = "allowed: a pandas DataFrame, a pyarrow Table or RecordBatch, or an iterator of these"


@dataclass(frozen=True)
class FunctionReader(PeriodReader):
    """Calls a function for the rows of a period."""

    source: FunctionSource

    @property
    def _origin(self) -> str:
        return self.source.text

    def read(
        self,
        connect: Connect,  # noqa: ARG002 functions connect themselves
        types: Callable[[], Mapping[str, str]],  # noqa: ARG002 a DataFrame has types
        note: Note,  # noqa: ARG002
    ) -> Read:
        """A function that writes the rows of a span's period to a Parquet file."""

        def rows_of(span: FoundSpan, folder: Path) -> Path:
            copy = folder / "rows.parquet"
            function_to_parquet(self.source.function, *bounds_of(span), copy, f"{_KEY} {span.path}")
            return copy

        return rows_of

    def check(self) -> None:
        """Raise ConfigError if the function does not exist, or does not take `begin` and `end`."""
        load_function(self.source.function)


def load_function(path: str) -> Callable[..., Any]:
    """The function at `FILE.py:name` or `package.module:name`.

    Raises:
        ConfigError: The function does not exist, or does not take `begin` and `end`.
    """
    function = look_up(path, ":", _KEY)
    try:
        inspect.signature(function).bind(begin=None, end=None)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{_KEY}: {path} cannot be called with begin and end: {error}; allowed: def {path.rpartition(':')[2]}(begin, end): ..."
        ) from None
    return function  # type: ignore[no-any-return]


def function_to_parquet(path: str, begins: datetime, ends: datetime, copy: Path, data_name: str) -> None:
    """Call a function for the rows of a period, and write them to a Parquet file.

    If it returns an iterator, only one table at a time is in memory, and each column gets a type that fits all tables.

    Args:
        path: The function, as `FILE.py:name` or `package.module:name`.
        begins: The begin of the period, in UTC, passed as `begin`.
        ends: The end of the period, in UTC and exclusive, passed as `end`.
        copy: The file to write.
        data_name: The name of the function and the period in errors.

    Raises:
        ConfigError: The function does not exist, raises an error, or returns something else.
        DataError: There are no rows, or the tables have columns that do not fit together.
        TransientError: The function raised TransientError, ConnectionError or TimeoutError.
    """
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet as pq

    function, schemas, rows = load_function(path), [], 0
    waiting = copy.with_suffix(".waiting")
    with pa.OSFile(str(waiting), "wb") as stream:
        for table in _tables(function, begins, ends, data_name):
            with pyarrow.ipc.new_stream(stream, table.schema) as writer:
                writer.write_table(table)
            schemas.append(table.schema)
            rows += table.num_rows
    if not rows:
        raise DataError(f"{data_name} returned {counted(len(schemas), 'table')} and no rows")
    schema = _common(schemas, data_name)
    with pa.OSFile(str(waiting), "rb") as stream, pq.ParquetWriter(copy, schema) as out:
        for _ in schemas:
            out.write_table(_fit_to_schema(pyarrow.ipc.open_stream(stream).read_all(), schema, data_name))
    waiting.unlink()


def _tables(function: Callable[..., Any], begins: datetime, ends: datetime, data_name: str) -> "Iterator[pa.Table]":
    """The returned tables. A generator raises its errors only while it is read."""
    try:
        returned = function(begin=begins, end=ends)
        for part in returned if _is_iterator(returned) else [returned]:
            yield _table(part, data_name)
    except (ConfigError, DataError, TransientError):
        raise
    except (ConnectionError, TimeoutError) as error:
        raise TransientError(f"{data_name} raised {type(error).__name__}: {error}; a retry calls it again") from error
    except (Exception, SystemExit) as error:  # user code may raise anything
        raise ConfigError(f"{data_name} raised {type(error).__name__}: {error}{_line(error, function)}") from error


def _is_iterator(returned: Any) -> bool:
    import pandas as pd
    import pyarrow as pa

    return isinstance(returned, Iterable) and not isinstance(
        returned, pd.DataFrame | pa.Table | pa.RecordBatch | str | bytes | dict
    )


def _table(part: Any, data_name: str) -> "pa.Table":
    import pandas as pd
    import pyarrow as pa

    if isinstance(part, pa.RecordBatch):
        part = pa.Table.from_batches([part])
    if isinstance(part, pd.DataFrame):
        try:
            part = pa.Table.from_pandas(part, preserve_index=False)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise DataError(
                f"{data_name} returned a DataFrame that cannot be converted: {error}; convert the column to one type"
            ) from None
    if not isinstance(part, pa.Table):
        raise ConfigError(f"{data_name} returned a {type(part).__name__}; {_ALLOWED}")
    twice = sorted({name for name in part.column_names if part.column_names.count(name) > 1})
    if twice:
        raise DataError(f"{data_name} returned more than one column named {', '.join(twice)}; name each column once")
    return part.replace_schema_metadata(None)


def _common(schemas: "list[pa.Schema]", data_name: str) -> "pa.Schema":
    import pyarrow as pa

    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(
            f"{data_name} returned tables whose columns do not fit together: {error}; convert them to one type"
        ) from None


def _fit_to_schema(table: "pa.Table", schema: "pa.Schema", data_name: str) -> "pa.Table":
    """The table with the columns and types of `schema`; a column that it does not have is null."""
    import pyarrow as pa

    try:
        columns = [
            table.column(field.name).cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
            for field in schema
        ]
    except pa.ArrowException as error:
        raise DataError(
            f"{data_name} returned tables whose columns do not fit together: {error}; convert them to one type"
        ) from None
    return pa.table(columns, schema=schema)


def _line(error: BaseException, function: Callable[..., Any]) -> str:
    """The last line of the function's file in the traceback: ` (FILE:LINE)`."""
    code, line, trace = getattr(inspect.unwrap(function), "__code__", None), 0, error.__traceback__
    file = code.co_filename if code is not None else ""
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == file else line
        trace = trace.tb_next
    return f" ({Path(file).name}:{line})" if line else ""
