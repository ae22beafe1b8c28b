"""The rows of a query for one period as Parquet, from any database that SQLAlchemy speaks to. Which database is not decided here."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.formats.python_rows import Batch, rows_to_parquet
from taxiway.data.sources.periods import PeriodReader, bounds_of
from taxiway.data.sources.reader import Connect, FoundSpan, Read
from taxiway.errors import ConfigError, DataError, TransientError
from taxiway.spec.period_query import BOUNDS
from taxiway.spec.source import SqlSource

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_BATCH_ROWS = 5_000
# So that a time without a zone, in the database or in its answer, is one of UTC.
_IN_UTC = {"postgresql": "SET TIME ZONE 'UTC'", "mysql": "SET time_zone = '+00:00'", "mariadb": "SET time_zone = '+00:00'"}


@dataclass(frozen=True)
class SqlReader(PeriodReader):
    """Asks a database for the rows of a period."""

    source: SqlSource

    @property
    def _asked(self) -> str:
        return self.source.connection

    def with_versions(self, spans: tuple[FoundSpan, ...], connect: Connect) -> tuple[FoundSpan, ...]:
        """The spans in the versions that the query `version` gives for them now."""
        query = self.source.version
        if query is None or not spans:
            return spans
        with connect(self.source.connection) as engine:
            return tuple(
                replace(span, version=query_number(engine, query, *bounds_of(span), f"source.version of {span.path}"))
                for span in spans
            )

    def read(self, connect: Connect, text_columns: Callable[[], Collection[str]]) -> Read:  # noqa: ARG002 a database tells types
        """What writes the rows of a span's period."""

        def rows_of(span: FoundSpan, folder: Path) -> Path:
            copy = folder / "rows.parquet"
            with connect(self.source.connection) as engine:
                query_to_parquet(engine, self.source.sql, *bounds_of(span), copy, f"source.sql of {span.path}")
            return copy

        return rows_of


def query_to_parquet(engine: "Engine", query: str, begins: datetime, ends: datetime, copy: Path, what: str) -> None:
    """Write the rows that `query` gives for a period to `copy`, in the memory that some thousand rows take.

    {begin} and {end} in the query are bound, as times in UTC. `what` is how errors name the query and its period.

    Raises TransientError where the database does not answer, ConfigError where it does not understand the query, and DataError
    where there are no rows, or a value that cannot be read.
    """
    with _errors(what), _connected(engine, what) as connection:
        rows_to_parquet(_batches(connection, query, begins, ends, what), copy, what)


def query_number(engine: "Engine", query: str, begins: datetime, ends: datetime, what: str) -> int:
    """The one whole number, 0 or more, that `query` gives for a period. Raises as `query_to_parquet` does, and for another answer."""
    with _errors(what), _connected(engine, what) as connection:
        rows = _answer(connection, query, begins, ends).fetchmany(2)
    values = [value for row in rows for value in row]
    if len(values) == 1 and _is_whole(values[0]):
        return int(values[0])
    got = "no row" if not rows else f"{values[0]!r}" if len(values) == 1 else "more than one value"
    raise ConfigError(f"{what} gave {got}; allowed: one whole number, 0 or more, such as SELECT count(*) ...")


def _batches(connection: "Connection", query: str, begins: datetime, ends: datetime, what: str) -> Iterator[Batch]:
    answer = _answer(connection, query, begins, ends)
    names = list(answer.keys())
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{what} gives more than one column named {', '.join(twice)}; name each with AS")
    while rows := answer.fetchmany(_BATCH_ROWS):
        yield Batch(len(rows), dict(zip(names, map(_plain, zip(*rows, strict=True)), strict=True)))


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return isfinite(value) and value >= 0 and value == int(value)


def _plain(values: tuple[Any, ...]) -> list[Any]:
    """A column's values; bytes that some drivers lend are bytes of our own."""
    if memoryview in set(map(type, values)):
        return [bytes(value) if isinstance(value, memoryview) else value for value in values]
    return list(values)


def _answer(connection: "Connection", query: str, begins: datetime, ends: datetime) -> Any:
    from sqlalchemy import DateTime, bindparam, text

    # A colon of the query's own, as in a time or a cast, is no parameter.
    clause = query.rstrip().rstrip(";").replace(":", r"\:")
    bound = []
    for placeholder, value in zip(BOUNDS, (begins, ends), strict=True):
        name = placeholder.strip("{}")
        clause = clause.replace(placeholder, f":{name}")
        bound.append(bindparam(name, value, DateTime(timezone=True)))
    return connection.execution_options(stream_results=True).execute(text(clause).bindparams(*bound))


@contextmanager
def _connected(engine: "Engine", what: str) -> "Iterator[Connection]":
    from sqlalchemy.exc import DBAPIError

    try:
        connection = engine.connect()
    except DBAPIError as error:
        raise TransientError(
            f"{what}: the database does not let us in: {_said(error)}; check the connection in Airflow. A retry asks again"
        ) from None
    with connection:
        if engine.dialect.name in _IN_UTC:
            connection.exec_driver_sql(_IN_UTC[engine.dialect.name])
        yield connection


@contextmanager
def _errors(what: str) -> Iterator[None]:
    """What the database says against a query, as our errors; never with the address or the password."""
    from sqlalchemy import exc

    try:
        yield
    except (exc.DataError, ValueError, OverflowError) as error:
        raise DataError(f"{what}: a value cannot be read: {_said(error)}; convert it in the query") from None
    except exc.ProgrammingError as error:
        raise ConfigError(f"{what}: the database refuses the query: {_said(error)}; correct it in the pipeline file") from None
    except exc.OperationalError as error:
        raise TransientError(f"{what}: the database broke off: {_said(error)}; a retry asks again") from None
    except exc.DBAPIError as error:
        raise DataError(f"{what}: the database could not answer: {_said(error)}") from None
    except exc.SQLAlchemyError as error:
        raise ConfigError(f"{what}: the query cannot be asked: {_said(error)}; correct it in the pipeline file") from None


def _said(error: BaseException) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())
