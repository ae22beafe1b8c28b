"""Match the rows of a span with the rows of a joined table, and count the matches.

A match is a pair of row numbers, so no row is lost, duplicated or moved. `materialize` adds the columns to the rows.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.connection import run
from taxiway.data.engine.duckdb_table import Column, add_view
from taxiway.data.engine.keys_sql import WHOLE, key_sql, moment_sql
from taxiway.data.sources.join_inputs import JoinTable
from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.messages import SHOWN_VALUES, counted
from taxiway.records import JoinMatch

if TYPE_CHECKING:
    import duckdb

_KEY_CHARACTERS = 60
_NANOSECONDS = 1000


@dataclass(frozen=True)
class JoinedTable:
    """A checked copy of a file that is joined to a span.

    Attributes:
        right: The table that the file belongs to.
        path: The copy, as Parquet.
        label: The name of the file in messages.
        content: Its digest.
    """

    right: JoinTable
    path: Path
    label: str
    content: str

    @property
    def full_label(self) -> str:
        """The name of the table in errors."""
        return f"join {self.right.name}, {self.label}"


@dataclass(frozen=True)
class _Keys:
    """The key columns of both sides as SQL, named k0, k1, ..., and m for the time of an as-of join."""

    left: str
    right: str
    names: tuple[str, ...]
    originals: tuple[Column, ...]
    moment: Column | None


def match(
    connection: "duckdb.DuckDBPyConnection", number: int, table: JoinedTable, columns: dict[str, Column], label: str
) -> tuple[dict[str, Column], JoinMatch]:
    """Match the rows of the view `span` with a joined table.

    Creates the view `right{number}` of the table, and the table `match{number}` with the columns `row_number` and `partner`: the
    number of a row in the span, and of the row that it matches.

    Args:
        connection: The connection with the view `span`.
        number: The number of the join.
        table: The table.
        columns: The columns of the span by name.
        label: The name of the span in errors.

    Returns:
        The columns of the joined table by name, and the match rate. The `span` of the latter is still empty.

    Raises:
        ConfigError: A column is missing, or two key columns have types whose values are never equal.
        DataError: A key of the joined table occurs in more than one row.
    """
    join, view = table.right.join, f"right{number}"
    right_columns = {column.name: column for column in add_view(connection, view, table.path, table.full_label, numbered=True)}
    keys = _keys(table, columns, right_columns, label)
    _create_index(connection, number, keys, table)
    partners = _partner_query(number, keys, join.within)
    run(connection, f"CREATE TABLE match{number} AS {partners}", label)
    run(connection, f"DROP TABLE index{number}", label)
    return right_columns, _count_matches(connection, number, table, keys, label)


def _partner_query(number: int, keys: _Keys, within: timedelta | None) -> str:
    equal = " AND ".join(f"l.{name} = i.{name}" for name in keys.names)
    asof, order = ("", "") if keys.moment is None else ("ASOF", "AND l.m >= i.m")
    latest = "" if within is None else f"WHERE l.m - i.m <= {within // timedelta(microseconds=1) * _NANOSECONDS}::HUGEINT"
    return (
        f"SELECT l.row_number, i.row_number AS partner FROM (SELECT row_number, {keys.left} FROM span) l "
        f"{asof} JOIN index{number} i ON {equal} {order} {latest}"
    )


def _keys(table: JoinedTable, left_columns: dict[str, Column], right_columns: dict[str, Column], label: str) -> _Keys:
    join, name = table.right.join, table.right.name
    left, right, originals = [], [], []
    for number, (left_name, right_name) in enumerate(join.on.items()):
        left_column = _column(name, left_name, left_columns, label)
        right_column = _column(name, right_name, right_columns, table.full_label)
        left_sql, left_kind = _with_join_in_errors(name, key_sql, left_column, join.recode.get(left_name, ()))
        right_sql, right_kind = _with_join_in_errors(name, key_sql, right_column, join.recode_right.get(right_name, ()))
        if left_kind != right_kind:
            raise ConfigError(_never_equal(name, (left_name, left_kind, label), (right_name, right_kind, table.full_label)))
        left.append(f"{left_sql} AS k{number}")
        right.append(f"{right_sql} AS k{number}")
        originals.append(left_column)
    moment = None
    for left_name, right_name in (join.as_of or {}).items():
        moment = _column(name, left_name, left_columns, label)
        right_column = _column(name, right_name, right_columns, table.full_label)
        left_sql, left_kind = _with_join_in_errors(name, moment_sql, moment)
        right_sql, right_kind = _with_join_in_errors(name, moment_sql, right_column)
        if left_kind != right_kind or (left_kind == WHOLE and join.within is not None):
            allowed = "the same type in both" + (", dates or times with within" if join.within else "")
            raise ConfigError(
                f"join {name}: as_of compares {left_name} of {label} ({left_kind}) with {right_name} of {table.label} ({right_kind}); "
                f"allowed: {allowed}. Convert one of them in its source"
            )
        left.append(f"{left_sql} AS m")
        right.append(f"{right_sql} AS m")
    names = tuple(f"k{number}" for number in range(len(originals)))
    return _Keys(", ".join(left), ", ".join(right), names, tuple(originals), moment)


def _with_join_in_errors(join: str, make: Any, *arguments: Any) -> Any:
    try:
        return make(*arguments)
    except ConfigError as error:
        raise ConfigError(f"join {join}: {error}") from None


def _column(join: str, name: str, columns: dict[str, Column], label: str) -> Column:
    if name not in columns:
        raise ConfigError(f'join {join}: {label} has no column "{name}"\n    {allowed_values(name, columns)}')
    return columns[name]


def _never_equal(join: str, one: tuple[str, str, str], two: tuple[str, str, str]) -> str:
    (left, left_kind, label), (right, right_kind, table) = one, two
    key, column = ("recode", left) if left_kind == WHOLE else ("recode_right", right)
    proposal = f"Add {key}: {{{column}: [text]}}, and {{pad: DIGITS}} to it if the other column has leading zeros"
    if {left_kind, right_kind} != {WHOLE, "text"}:
        proposal = "Convert one of them in its source"
    return (
        f"join {join}: {left} of {label} is {left_kind} and {right} of {table} is {right_kind}, so they are never equal; allowed: the "
        f"same type in both. {proposal}"
    )


def _create_index(connection: "duckdb.DuckDBPyConnection", number: int, keys: _Keys, table: JoinedTable) -> None:
    """Create a table with one row for each key of the joined table; of rows with the same key and time, the last in the file."""
    names = (*keys.names, *(("m",) if keys.moment else ()))
    whole = " AND ".join(f"{name} IS NOT NULL" for name in names)
    run(
        connection,
        f"CREATE TABLE index{number} AS SELECT {', '.join(names)}, max(row_number) AS row_number, count(*) AS rows "
        f"FROM (SELECT row_number, {keys.right} FROM right{number}) WHERE {whole} GROUP BY ALL",
        table.full_label,
    )
    if keys.moment is not None:
        return
    texts = ", ".join(f"{name}::VARCHAR" for name in keys.names)
    query = (
        f"SELECT array_to_string([{texts}], ', ') AS key, rows, count(*) OVER () FROM index{number} WHERE rows > 1 "
        f"ORDER BY rows DESC, key LIMIT {SHOWN_VALUES}"
    )
    duplicates = run(connection, query, table.full_label)
    if duplicates:
        join = table.right.join
        examples = ", ".join(f'"{key[:_KEY_CHARACTERS]}" in {rows:,} rows' for key, rows, _ in duplicates)
        raise DataError(
            f"{table.full_label}: {counted(duplicates[0][2], 'key')} of {', '.join(join.on.values())} in more than one row: {examples}; allowed: each key "
            "once. Remove the duplicates in the source, add columns to on, or use as_of"
        )


def _count_matches(
    connection: "duckdb.DuckDBPyConnection", number: int, table: JoinedTable, keys: _Keys, label: str
) -> JoinMatch:
    names = (*keys.names, *(("m",) if keys.moment else ()))
    whole = " AND ".join(f"{name} IS NOT NULL" for name in names)
    counts = f"SELECT count(*), count(*) FILTER (NOT ({whole})) FROM (SELECT {keys.left} FROM span)"
    ((rows, without_key),) = run(connection, counts, label)
    ((matched,),) = run(connection, f"SELECT count(*) FROM match{number}", label)
    shown = " || ', ' || ".join(f"left({column.sql}::VARCHAR, {_KEY_CHARACTERS})" for column in keys.originals)
    if keys.moment is not None:
        shown += f" || ', first at ' || min({keys.moment.sql}::VARCHAR)"
    groups = ", ".join(column.sql for column in keys.originals)
    unmatched = (
        f"SELECT {shown} AS key, count(*) AS n, count(*) OVER () FROM (SELECT *, {keys.left} FROM span) s "
        f"ANTI JOIN match{number} m ON s.row_number = m.row_number WHERE {whole} "
        f"GROUP BY {groups} ORDER BY n DESC, key LIMIT {SHOWN_VALUES}"
    )
    found = run(connection, unmatched, label) if matched + without_key < rows else []
    return JoinMatch(
        name=table.right.name,
        span="",
        table=table.label,
        content=table.content,
        keys=tuple(table.right.join.on),
        rows=rows,
        matched=matched,
        min_match_rate=table.right.join.min_match_rate,
        without_key=without_key,
        unmatched_keys=found[0][2] if found else 0,
        examples=tuple(key for key, _, _ in found),
    )


def joined_columns(table: JoinedTable, columns: dict[str, Column]) -> dict[str, Column]:
    """The columns that a join adds, by their new names.

    Raises:
        ConfigError: The joined table does not have one of them.
    """
    right = table.right
    return {new: _column(right.name, old, columns, table.full_label) for old, new in right.join.joined_columns.items()}
