"""A source of rows from a SQL query for one period, on any database that SQLAlchemy supports."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.formats.python_rows import Batch, rows_to_parquet
from taxiway.data.sources.periods import PeriodReader, bounds_of
from taxiway.data.sources.reader import Connect, FoundSpan, Note, Read
from taxiway.errors import ConfigError, DataError, TransientError
from taxiway.spec.source import SqlSource
from taxiway.spec.source.period_query import BOUNDS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_BATCH_ROWS = 5_000
# Times without a time zone are then in UTC.
_IN_UTC = {"postgresql": "SET TIME ZONE 'UTC'", "mysql": "SET time_zone = '+00:00'", "mariadb": "SET time_zone = '+00:00'"}


@dataclass(frozen=True)
class SqlReader(PeriodReader):
    """Queries a database for the rows of a period."""

    source: SqlSource

    @property
    def _origin(self) -> str:
        return self.source.connection

    def with_versions(self, spans: tuple[FoundSpan, ...], connect: Connect) -> tuple[FoundSpan, ...]:
        """The same spans with their current versions by the query `source.version`."""
        query = self.source.version
        if query is None or not spans:
            return spans
        with connect(self.source.connection) as engine:
            return tuple(
                replace(span, version=query_number(engine, query, *bounds_of(span), f"source.version of {span.path}"))
                for span in spans
            )

    def read(
        self,
        connect: Connect,
        types: Callable[[], Mapping[str, str]],  # noqa: ARG002 a database has types
        note: Note,  # noqa: ARG002
    ) -> Read:
        """A function that writes the rows of a span's period to a Parquet file."""

        def rows_of(span: FoundSpan, folder: Path) -> Path:
            copy = folder / "rows.parquet"
            with connect(self.source.connection) as engine:
                query_to_parquet(engine, self.source.sql, *bounds_of(span), copy, f"source.sql of {span.path}")
            return copy

        return rows_of


def query_to_parquet(engine: "Engine", query: str, begins: datetime, ends: datetime, copy: Path, data_name: str) -> None:
    """Write the rows of a query for a period to a Parquet file; a few thousand rows at a time are in memory.

    Args:
        engine: The database.
        query: The query; {begin} and {end} in it are bound as times in UTC.
        begins: The begin of the period.
        ends: The end of the period, exclusive.
        copy: The file to write.
        data_name: The name of the query and the period in errors.

    Raises:
        TransientError: The database cannot be reached, or the connection was lost.
        ConfigError: The database rejects the query.
        DataError: There are no rows, or a value cannot be read.
    """
    with _errors(data_name), _connect(engine, data_name) as connection:
        rows_to_parquet(_batches(connection, query, (begins, ends), data_name), copy, data_name)


def whole_query_to_parquet(engine: "Engine", query: str, copy: Path, data_name: str) -> None:
    """Write all rows of a query, which has no period, to a Parquet file; a few thousand rows at a time are in memory.

    Args:
        engine: The database.
        query: The query.
        copy: The file to write.
        data_name: The name of the query in errors, which are those of `query_to_parquet`.
    """
    with _errors(data_name), _connect(engine, data_name) as connection:
        rows_to_parquet(_batches(connection, query, (), data_name), copy, data_name)


def query_number(engine: "Engine", query: str, begins: datetime, ends: datetime, data_name: str) -> int:
    """The one whole number, 0 or more, that a query returns for a period.

    Args and errors are those of `query_to_parquet`; any other result is a ConfigError.
    """
    with _errors(data_name), _connect(engine, data_name) as connection:
        rows = _execute(connection, query, (begins, ends)).fetchmany(2)
    values = [value for row in rows for value in row]
    if len(values) == 1 and _is_whole(values[0]):
        return int(values[0])
    got = "no row" if not rows else f"{values[0]!r}" if len(values) == 1 else "more than one value"
    raise ConfigError(f"{data_name} returned {got}; allowed: one whole number, 0 or more, as from SELECT count(*) ...")


def _batches(connection: "Connection", query: str, bounds: Sequence[datetime], data_name: str) -> Iterator[Batch]:
    result = _execute(connection, query, bounds)
    names = list(result.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{data_name} returned more than one column named {', '.join(twice)}; rename them with AS")
    while rows := result.fetchmany(_BATCH_ROWS):
        yield Batch(len(rows), dict(zip(names, map(_plain, zip(*rows, strict=True)), strict=True)))


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return isfinite(value) and value >= 0 and value == int(value)


def _plain(values: tuple[Any, ...]) -> list[Any]:
    """A column's values, with memoryviews, which some drivers reuse, copied to bytes."""
    if memoryview in set(map(type, values)):
        return [bytes(value) if isinstance(value, memoryview) else value for value in values]
    return list(values)


def _execute(connection: "Connection", query: str, bounds: Sequence[datetime]) -> Any:
    """The result of a query; `bounds` are the begin and the end of the period, or nothing if it has none."""
    from sqlalchemy import DateTime, bindparam, text

    # Other colons of the query, as in a time or a cast, are not parameters.
    clause = query.rstrip().rstrip(";").replace(":", r"\:")
    bound = []
    for placeholder, value in zip(BOUNDS if bounds else (), bounds, strict=True):
        name = placeholder.strip("{}")
        clause = clause.replace(placeholder, f":{name}")
        bound.append(bindparam(name, value, DateTime(timezone=True)))
    return connection.execution_options(stream_results=True).execute(text(clause).bindparams(*bound))


@contextmanager
def _connect(engine: "Engine", data_name: str) -> "Iterator[Connection]":
    from sqlalchemy.exc import DBAPIError

    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise TransientError(
            f"{data_name}: cannot connect to the database: {_text_of(error)}; check the connection. A retry connects again"
        ) from None
    with connection:
        if engine.dialect.name in _IN_UTC:
            connection.exec_driver_sql(_IN_UTC[engine.dialect.name])
        yield connection


@contextmanager
def _errors(data_name: str) -> Iterator[None]:
    """Raise the database's errors as Taxiway errors, without the address or the password."""
    from sqlalchemy import exc

    try:
        yield
    except (exc.DataError, ValueError, OverflowError) as error:
        raise DataError(f"{data_name}: a value cannot be read: {_text_of(error)}; convert it in the query") from None
    except exc.ProgrammingError as error:
        raise ConfigError(f"{data_name}: the database rejects the query: {_text_of(error)}; correct the query") from None
    except exc.OperationalError as error:
        raise TransientError(
            f"{data_name}: the connection to the database was lost: {_text_of(error)}; a retry runs the query again"
        ) from None
    except exc.DBAPIError as error:
        raise DataError(f"{data_name}: the query failed: {_text_of(error)}") from None
    except exc.SQLAlchemyError as error:
        raise ConfigError(f"{data_name}: the query cannot be executed: {_text_of(error)}; correct the query") from None


def _text_of(error: BaseException) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())
