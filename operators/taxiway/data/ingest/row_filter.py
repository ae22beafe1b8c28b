"""The filter of a source, `source.rows`: a condition in SQL that keeps the rows of a file for which it is true.

The condition is evaluated for each row by itself, on a connection that can read only this file. Its result depends on nothing
else, so the same file and condition give the same rows in every run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.conditions import (
    CLOCK_WORDS,
    PARSE,
    UNSTABLE_FUNCTIONS,
    Parsed,
    named_rows,
    same_but_case,
    typed_nulls,
    unused_name,
)
from taxiway.data.engine.connection import connect, memory_errors, read_batches, restricting_settings, stream, streamed_file
from taxiway.data.engine.duckdb_table import add_view
from taxiway.data.engine.writing import BATCH_ROWS, RowWriter, rechunked
from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.messages import counted, listed

if TYPE_CHECKING:
    import duckdb

_KEY = "source.rows"
_ALLOWED = (
    "allowed: a condition in DuckDB's SQL over the columns of a row, such as amount > 0; names with spaces or other signs are put in "
    "double quotes"
)
_NOT_BY_ROW = {
    "SUBQUERY": "a subquery",
    "WINDOW": "a window function",
    "STAR": "*",
    "POSITIONAL_REFERENCE": "a column by its position",
    "PARAMETER": "a parameter",
}


def filter_rows(file: Path, condition: str, copy: Path, *, label: str, types: Callable[[], Mapping[str, str]]) -> int:
    """Write the rows of a Parquet file for which a condition is true, in their order.

    Args:
        file: The file.
        condition: The condition. A row for which it is null is left out.
        copy: The file to write.
        label: The name of the file in errors.
        types: Returns the known columns with their types; called only if the condition names a column that the file lacks. Such a
            column is null in all rows.

    Returns:
        The number of rows that were kept.

    Raises:
        ConfigError: The condition is not valid.
        DataError: The file cannot be read, or no row is left.
        TransientError: Memory and disk are not sufficient.
    """

    with connect() as connection, streamed_file(file) as original:
        columns = add_view(connection, "numbered", file, label, numbered=True)
        names = [column.name for column in columns]
        present = set(map(str.casefold, names))
        absent = {}
        if not present.issuperset(map(str.casefold, _parse_condition(connection, condition).columns)):
            absent = {name: kind for name, kind in types().items() if name.casefold() not in present}
        names += absent
        number = unused_name("row_number_", names)
        rows = named_rows(columns, absent, f"row_number AS {number}")
        for setting in restricting_settings([file]):
            connection.execute(f"SET {setting}")
        _check(connection, condition, rows, names, number, label)
        kept, total = _kept(condition, rows, number), original.metadata.num_rows
        if not _count(connection, condition, kept, total, label):
            raise DataError(
                f"{_KEY} keeps none of {counted(total, 'row')} of {label}: {condition}; correct the condition, or leave the span out "
                "with source.exclude",
                key=_KEY,
                got=condition,
            )
        schema, flags = stream(connection, f"SELECT kept FROM ({kept}) ORDER BY {number}", label, BATCH_ROWS)
        with RowWriter(copy, original.schema_arrow) as writer:
            batches = rechunked(read_batches(original.iter_batches(BATCH_ROWS), label), original.schema_arrow)
            for rows_read, keep in zip(batches, rechunked(flags, schema), strict=True):
                writer.add(rows_read.filter(keep["kept"]))
        return writer.rows


def check_filter(condition: str, types: Mapping[str, str]) -> None:
    """Check a condition against the columns of a schema, without data.

    Args:
        condition: The condition.
        types: The columns of the schema, with their types.

    Raises:
        ConfigError: The condition is not valid.
    """
    with connect() as connection:
        for setting in restricting_settings([]):
            connection.execute(f"SET {setting}")
        number = unused_name("row_number_", types)
        rows = f"(SELECT *, 0 AS {number} FROM {typed_nulls(types)})"
        _check(connection, condition, rows, list(types), number, "the schema")
        _count(connection, condition, _kept(condition, rows, number), 1, "the schema")


def _kept(condition: str, rows: str, number: str) -> str:
    return f"SELECT coalesce(({condition}\n), false) AS kept, {number} FROM {rows}"


def _count(connection: "duckdb.DuckDBPyConnection", condition: str, kept: str, total: int, label: str) -> int:
    """The number of rows that a condition keeps of `total` rows."""
    with _condition_errors(condition, label):
        ((kept_rows, all_rows),) = connection.execute(f"SELECT count_if(kept), count(*) FROM ({kept})").fetchall()
    if all_rows != total:
        raise _invalid(condition, "does not have one value for each row")
    return int(kept_rows)


def _parse_condition(connection: "duckdb.DuckDBPyConnection", condition: str) -> Parsed:
    # The line ends before the parenthesis: a comment at the end of the condition would take it in.
    (found,) = connection.execute(PARSE, [f"SELECT ({condition}\n)"]).fetchall()
    return Parsed(found[0])


def _check(
    connection: "duckdb.DuckDBPyConnection", condition: str, rows: str, names: list[str], number: str, label: str
) -> None:
    """Check that a condition is true, false or null for a row, by its own columns alone."""
    import duckdb

    parsed = _parse_condition(connection, condition)
    try:
        duckdb.SQLExpression(condition)  # the parser of a query would also take a condition that closes the parenthesis
    except duckdb.Error as error:
        raise _invalid(condition, f"is not a valid condition: {_first_line(error)}") from None
    if parsed.error is not None:
        raise _invalid(condition, f"is not a valid condition: {parsed.error}")
    for part, description in _NOT_BY_ROW.items():
        if part in parsed.parts:
            raise _invalid(condition, f"has {description}, but a condition is evaluated for each row by itself")
    _check_names(parsed.columns, condition, names, label)
    _check_functions(connection, parsed, condition)
    with _condition_errors(condition, label):
        kinds = connection.execute(f"DESCRIBE SELECT ({condition}\n) AS kept, {number} FROM {rows}").fetchall()
    if kinds[0][1] != "BOOLEAN":
        raise _invalid(condition, f"is of type {kinds[0][1]}; required: a condition that is true or false")


def _check_names(named: Iterable[str], condition: str, names: list[str], label: str) -> None:
    pair = same_but_case(names)
    if pair:
        raise ConfigError(
            f'{label} has the columns "{pair[0]}" and "{pair[1]}"; column names in {_KEY} are not case-sensitive. Rename one in the '
            f"source, or remove {_KEY}",
            key=_KEY,
            got=condition,
        )
    known = set(map(str.casefold, names))
    for name in named:
        if name.casefold() not in known and name.casefold() in CLOCK_WORDS:
            raise _invalid(condition, f"calls {name}, so it could keep different rows in each run; compare with a fixed value")
        if name.casefold() not in known:
            raise ConfigError(
                f'{_KEY} names the column "{name}", but {label} has no such column before joins: {condition}\n'
                f"    {allowed_values(name, names)}",
                key=_KEY,
                got=condition,
                allowed=names,
            )


def _check_functions(connection: "duckdb.DuckDBPyConnection", parsed: Parsed, condition: str) -> None:
    if "unnest" in parsed.functions:
        raise _invalid(condition, "calls unnest, which does not give one value for each row")
    unstable = {str(name) for (name,) in connection.execute(UNSTABLE_FUNCTIONS).fetchall()} & parsed.functions
    if unstable:
        raise _invalid(
            condition,
            f"calls {listed(sorted(unstable))}, so it could keep different rows in each run; compare with a fixed value",
        )


@contextmanager
def _condition_errors(condition: str, label: str) -> Iterator[None]:
    """Raise DuckDB's errors about a condition as ConfigError, but for memory."""
    import duckdb

    try:
        with memory_errors(label):
            yield
    except duckdb.Error as error:
        raise _invalid(condition, f"cannot be computed for {label}: {_first_line(error)}") from None


def _invalid(condition: str, problem: str) -> ConfigError:
    return ConfigError(f"{_KEY} {problem}: {condition}\n    {_ALLOWED}", key=_KEY, got=condition)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
