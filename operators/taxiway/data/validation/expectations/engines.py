"""The engines for expectations: DuckDB, or pandas with only the columns that are needed. Both give the same results.

Great Expectations takes a minute on pandas for what DuckDB does in seconds, but its SQL engine does not support DuckDB: it closes
each connection before the rows are read. Subclasses of its engine and its datasource keep the connection open.
"""

import atexit
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from taxiway.data.engine.connection import USE_UTC, restricting_settings, run
from taxiway.data.engine.duckdb_table import Column, Table
from taxiway.data.validation.inputs import CheckTarget
from taxiway.errors import ConfigError
from taxiway.store import temp_folder

if TYPE_CHECKING:
    import pandas as pd

Expectation = dict[str, Any]

# Expectations that give the same result on DuckDB as on pandas (compared in tests). Of the others, regular expressions and types do
# not run there, and quantiles have another definition.
_OF_ANY_TYPE = frozenset({
    "expect_column_to_exist", "expect_column_values_to_be_null", "expect_column_values_to_not_be_null",
    "expect_column_values_to_be_unique", "expect_column_unique_value_count_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between", "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_compound_columns_to_be_unique", "expect_table_row_count_to_equal", "expect_table_row_count_to_be_between",
    "expect_table_column_count_to_equal", "expect_table_column_count_to_be_between",
    "expect_table_columns_to_match_ordered_list", "expect_table_columns_to_match_set", "unexpected_rows_expectation",
})  # fmt: skip
_OF_NUMBERS = frozenset({
    "expect_column_values_to_be_between", "expect_column_min_to_be_between", "expect_column_max_to_be_between",
    "expect_column_mean_to_be_between", "expect_column_sum_to_be_between", "expect_column_stdev_to_be_between",
})  # fmt: skip
_AGGREGATED = frozenset({"expect_column_min_to_be_between", "expect_column_max_to_be_between"})
_OF_DATES = _AGGREGATED | {"expect_column_values_to_be_between"}
# Great Expectations has patterns of LIKE on SQL engines only.
_OF_PATTERNS = frozenset({
    "expect_column_values_to_match_like_pattern", "expect_column_values_to_match_like_pattern_list",
    "expect_column_values_to_not_match_like_pattern", "expect_column_values_to_not_match_like_pattern_list",
})  # fmt: skip
_OF_TEXT = _OF_PATTERNS | {"expect_column_value_lengths_to_be_between", "expect_column_value_lengths_to_equal"}
_OF_SETS = frozenset({
    "expect_column_values_to_be_in_set", "expect_column_values_to_not_be_in_set", "expect_column_distinct_values_to_be_in_set",
    "expect_column_distinct_values_to_contain_set", "expect_column_distinct_values_to_equal_set",
})  # fmt: skip
IN_SQL = _OF_PATTERNS | {"unexpected_rows_expectation"}
"""Expectations that pandas cannot compute."""
_BOUNDS = ("min_value", "max_value")
_NUMBERS, _DATES = ("integer", "number"), ("date", "datetime")


def on_duckdb(expectation: Expectation, columns: list[str], table: Table) -> bool:
    """Whether an expectation on `columns` of a table can run on DuckDB; if a column is missing, it runs on pandas."""
    kind, kwargs = expectation["type"], expectation["kwargs"]
    types = {column.name: column.type for column in table.columns}
    if "row_condition" in kwargs or any(name not in types for name in columns):
        return False
    if kind in _AGGREGATED and any(_has_zone(c) for c in table.columns if c.name in columns):
        return False  # it compares a time with a zone with one without
    if kind in _OF_ANY_TYPE:
        return all(types[name] != "list" for name in columns)
    if kind in _OF_NUMBERS | _OF_DATES:
        bounds = [kwargs[side] for side in _BOUNDS if kwargs.get(side) is not None]
        return any(
            kind in kinds and all(types[name] in of for name in columns) and all(map(fits, bounds))
            for kinds, of, fits in ((_OF_NUMBERS, _NUMBERS, _is_number), (_OF_DATES, _DATES, _is_moment))
        )
    if kind in _OF_TEXT:
        return all(types[name] == "string" for name in columns)
    if kind in _OF_SETS:
        wanted: tuple[type, ...] = {"string": (str,), "integer": (int,), "number": (int, float)}.get(types[columns[0]], ())
        values = kwargs.get("value_set") or ()
        if not isinstance(values, list | tuple):  # a parameter of the suite that has no value
            return False
        if types[columns[0]] in _DATES:
            return all(map(_is_moment, values))
        return bool(wanted) and all(isinstance(value, wanted) and not isinstance(value, bool) for value in values)
    return False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_moment(value: object) -> bool:
    """Whether a value is a date or a time in ISO 8601, as suites have them."""
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def in_utc(expectation: Expectation, table: Table) -> Expectation:
    """The expectation with bounds on times as its column has them: with a zone or without, in UTC."""
    kwargs = expectation["kwargs"]
    zoned = {column.name: _has_zone(column) for column in table.columns if column.type == "datetime"}
    name = kwargs.get("column")
    if expectation["type"] not in _OF_DATES or name not in zoned:
        return expectation
    moments = {side: datetime.fromisoformat(kwargs[side]) for side in _BOUNDS if _is_moment(kwargs.get(side))}
    in_zone = {side: at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC) for side, at in moments.items()}
    bounds = {side: (at if zoned[name] else at.replace(tzinfo=None)).isoformat() for side, at in in_zone.items()}
    return {**expectation, "kwargs": {**kwargs, **bounds}}


def _has_zone(column: Column) -> bool:
    return column.storage.startswith("TIMESTAMP") and ("TZ" in column.storage or "TIME ZONE" in column.storage)


def import_gx(path: Path) -> Any:
    """Import Great Expectations with its telemetry and its info logs switched off.

    Raises:
        ConfigError: It is not installed; the message names the suite at `path`.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import
    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # else it logs a line for each metric at import
    try:
        import great_expectations
    except ImportError:
        raise ConfigError(f"{path} needs Great Expectations where the tasks run: pip install 'taxiway[gx]'") from None
    return great_expectations


@cache
def mute_the_end() -> None:
    """Silence stderr when this process exits; only for a command that runs a suite in its own process.

    If Great Expectations and duckdb-engine are both loaded, DuckDB's binding lists leaked objects when Python exits.
    """
    atexit.register(_mute)


def _mute() -> None:
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 a descriptor is wanted
        os.dup2(nowhere.fileno(), 2)


def new_context(gx: Any) -> Any:
    """A Great Expectations context that writes nothing to disk."""
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def pandas_batch(context: Any, rows: "pd.DataFrame") -> Any:
    """The rows as a Great Expectations batch on pandas."""
    asset = context.data_sources.add_or_update_pandas("rows").add_dataframe_asset("rows")
    return asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": rows})


@contextmanager
def duckdb_batch(context: Any, span: CheckTarget) -> Iterator[Any]:
    """The rows of a span as a Great Expectations batch on DuckDB: a view of its files with the original column names.

    SQL in a suite can read only these files.
    """
    with temp_folder("suite") as folder:
        database = folder / "suite.duckdb"
        _make_view(database, span.table())
        source = _datasource_type()(name="span", connection_string=f"duckdb:///{database}")
        source._data_context = context
        try:
            with source.get_execution_engine().get_connection() as connection:
                for setting in (USE_UTC, *(f"SET {setting}" for setting in restricting_settings(span.table().paths))):
                    connection.exec_driver_sql(setting)
            asset = source.add_table_asset("rows", table_name="rows")
            yield asset.add_batch_definition_whole_table("all").get_batch()
        finally:
            source.get_execution_engine().close()


def _make_view(database: Path, table: Table) -> None:
    import duckdb

    listing = []
    for column in table.columns:
        value = f"CASE WHEN isnan({column.sql}) THEN NULL ELSE {column.sql} END" if column.type == "number" else column.sql
        listing.append('{} AS "{}"'.format(value, column.name.replace('"', '""')))
    with duckdb.connect(str(database)) as connection:
        run(connection, f"CREATE VIEW rows AS SELECT {', '.join(listing)} FROM {table.source}", "the rows of the suite")


def _end_transaction(failed: Any) -> None:
    import duckdb

    with suppress(duckdb.TransactionException):  # there is none after a syntax error
        failed.connection.connection.rollback()


@cache
def _datasource_type() -> Any:
    """Great Expectations' SQL datasource with an engine that keeps its connection."""
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from sqlalchemy import event
    from sqlalchemy.dialects import postgresql

    class OneConnectionEngine(SqlAlchemyExecutionEngine):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            # DuckDB's SQL is that of PostgreSQL; without a dialect that it knows, Great Expectations refuses LIKE.
            self.dialect_module = postgresql

        @contextmanager
        def get_connection(self) -> Generator[Any, None, None]:
            if not self._connection:
                self._connection = self.engine.connect()
                # Within the transaction that SQLAlchemy begins, all queries after one that fails would fail.
                event.listen(self.engine, "handle_error", _end_transaction)
            yield self._connection

        def close(self) -> None:
            if self._connection:
                self._connection.close()
            self.engine.dispose()

    class DuckDBDatasource(SQLDatasource):
        # Great Expectations keeps a register of the types.
        type: Literal["taxiway_duckdb"] = "taxiway_duckdb"  # type: ignore[assignment]

        @property
        def execution_engine_type(self) -> Any:
            return OneConnectionEngine

    return DuckDBDatasource
