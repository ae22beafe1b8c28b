"""Which row of a joined table belongs to which row of a span, and how many found one; and the gate on that share.

Everything is found by the places of rows in their files, so no row is lost, doubled or moved. The columns are put beside the
rows in `parts`.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.duckdb_table import Column, add_view, run
from taxiway.data.engine.keys_sql import WHOLE, key_sql, moment_sql
from taxiway.data.sources.join_inputs import JoinTable
from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.messages import SHOWN_VALUES
from taxiway.records import JoinMatch

if TYPE_CHECKING:
    import duckdb

_KEY_CHARACTERS = 60
_NANOSECONDS = 1000


@dataclass(frozen=True)
class JoinedTable:
    """A checked copy of the file that is joined to a span; `label` is how people name it, `content` its digest."""

    right: JoinTable
    path: Path
    label: str
    content: str

    @property
    def what(self) -> str:
        """How errors name it."""
        return f"join {self.right.name}, {self.label}"


@dataclass(frozen=True)
class _Keys:
    """The keys of both sides as SQL, with names of our own: k0, k1, ..., and m where the newest row before a moment is asked for."""

    left: str
    right: str
    names: tuple[str, ...]
    originals: tuple[Column, ...]
    moment: Column | None


def match(
    connection: "duckdb.DuckDBPyConnection", number: int, table: JoinedTable, columns: dict[str, Column], what: str
) -> tuple[dict[str, Column], JoinMatch]:
    """Find the partners of the rows of the view `span`, whose columns are given, and whom errors know as `what`.

    Makes the view `right{number}` of the table and the table `match{number}` with the the rows and their partners, `place` and `partner`.
    Returns the columns of the joined table, and the measured match; its `span` is still empty.

    Raises ConfigError where a column is missing, or two keys are never equal because of their types, and DataError where a row has
    two partners.
    """
    join, view = table.right.join, f"right{number}"
    theirs = {column.name: column for column in add_view(connection, view, table.path, table.what, numbered=True)}
    keys = _keys(table, columns, theirs, what)
    _index(connection, number, keys, table)
    partners = _partners(number, keys, join.within)
    run(connection, f"CREATE TABLE match{number} AS {partners}", what)
    run(connection, f"DROP TABLE index{number}", what)
    return theirs, _measured(connection, number, table, keys, what)


def _partners(number: int, keys: _Keys, within: timedelta | None) -> str:
    equal = " AND ".join(f"l.{name} = i.{name}" for name in keys.names)
    asof, order = ("", "") if keys.moment is None else ("ASOF", "AND l.m >= i.m")
    latest = "" if within is None else f"WHERE l.m - i.m <= {within // timedelta(microseconds=1) * _NANOSECONDS}::HUGEINT"
    return (
        f"SELECT l.place, i.place AS partner FROM (SELECT place, {keys.left} FROM span) l "
        f"{asof} JOIN index{number} i ON {equal} {order} {latest}"
    )


def _keys(table: JoinedTable, ours: dict[str, Column], theirs: dict[str, Column], what: str) -> _Keys:
    join, name = table.right.join, table.right.name
    left, right, originals = [], [], []
    for at, (own, other) in enumerate(join.on.items()):
        one, two = _column(name, own, ours, what), _column(name, other, theirs, table.what)
        one_sql, one_kind = _said(name, key_sql, one, join.recode.get(own, ()))
        two_sql, two_kind = _said(name, key_sql, two, join.recode_right.get(other, ()))
        if one_kind != two_kind:
            raise ConfigError(_never_equal(name, (own, one_kind, what), (other, two_kind, table.what)))
        left.append(f"{one_sql} AS k{at}")
        right.append(f"{two_sql} AS k{at}")
        originals.append(one)
    moment = None
    for own, other in (join.as_of or {}).items():
        moment, two = _column(name, own, ours, what), _column(name, other, theirs, table.what)
        (one_sql, one_kind), (two_sql, two_kind) = _said(name, moment_sql, moment), _said(name, moment_sql, two)
        if one_kind != two_kind or (one_kind == WHOLE and join.within is not None):
            least = "both of one kind" + (", dates or times where within is given" if join.within else "")
            raise ConfigError(
                f"join {name}: as_of compares {own} of {what}, {one_kind}, with {other} of {table.label}, {two_kind}; allowed: {least}; "
                "have the source write them so"
            )
        left.append(f"{one_sql} AS m")
        right.append(f"{two_sql} AS m")
    names = tuple(f"k{at}" for at in range(len(originals)))
    return _Keys(", ".join(left), ", ".join(right), names, tuple(originals), moment)


def _said(join: str, make: Any, *arguments: Any) -> Any:
    try:
        return make(*arguments)
    except ConfigError as error:
        raise ConfigError(f"join {join}: {error}") from None


def _column(join: str, name: str, columns: dict[str, Column], what: str) -> Column:
    if name not in columns:
        raise ConfigError(f'join {join}: {what} has no column "{name}"\n    {allowed_values(name, columns)}')
    return columns[name]


def _never_equal(join: str, one: tuple[str, str, str], two: tuple[str, str, str]) -> str:
    (own, kind, what), (other, other_kind, table) = one, two
    numbers = ("recode", own) if kind == WHOLE else ("recode_right", other)
    proposal = f"write {numbers[0]}: {{{numbers[1]}: [text]}}, with {{pad: DIGITS}} where the other has zeros in front"
    if {kind, other_kind} != {WHOLE, "text"}:
        proposal = "have one of the sources write the other's type"
    return (
        f"join {join}: {own} of {what} is {kind} and {other} of {table} is {other_kind}, so they are never equal; allowed: the same "
        f"type in both. {proposal[0].upper()}{proposal[1:]}"
    )


def _index(connection: "duckdb.DuckDBPyConnection", number: int, keys: _Keys, table: JoinedTable) -> None:
    """One row for each key of the joined table, with the place of its row; of rows of one key and moment, the last in the file."""
    names = (*keys.names, *(("m",) if keys.moment else ()))
    whole = " AND ".join(f"{name} IS NOT NULL" for name in names)
    run(
        connection,
        f"CREATE TABLE index{number} AS SELECT {', '.join(names)}, max(place) AS place, count(*) AS rows "
        f"FROM (SELECT place, {keys.right} FROM right{number}) WHERE {whole} GROUP BY ALL",
        table.what,
    )
    if keys.moment is not None:
        return
    texts = ", ".join(f"{name}::VARCHAR" for name in keys.names)
    query = (
        f"SELECT array_to_string([{texts}], ', ') AS key, rows, count(*) OVER () FROM index{number} WHERE rows > 1 "
        f"ORDER BY rows DESC, key LIMIT {SHOWN_VALUES}"
    )
    twice = run(connection, query, table.what)
    if twice:
        join = table.right.join
        examples = ", ".join(f'"{key[:_KEY_CHARACTERS]}" in {rows:,} rows' for key, rows, _ in twice)
        raise DataError(
            f"{table.what}: {twice[0][2]:,} keys of {', '.join(join.on.values())} are in more than one row: {examples}; a row can have one "
            "partner only. Have the source write each key once, name more columns in on, or join as_of a moment"
        )


def _measured(connection: "duckdb.DuckDBPyConnection", number: int, table: JoinedTable, keys: _Keys, what: str) -> JoinMatch:
    names = (*keys.names, *(("m",) if keys.moment else ()))
    whole = " AND ".join(f"{name} IS NOT NULL" for name in names)
    counts = f"SELECT count(*), count(*) FILTER (NOT ({whole})) FROM (SELECT {keys.left} FROM span)"
    ((rows, without_key),) = run(connection, counts, what)
    ((matched,),) = run(connection, f"SELECT count(*) FROM match{number}", what)
    shown = " || ', ' || ".join(f"left({column.sql}::VARCHAR, {_KEY_CHARACTERS})" for column in keys.originals)
    if keys.moment is not None:
        shown += f" || ', first at ' || min({keys.moment.sql}::VARCHAR)"
    groups = ", ".join(column.sql for column in keys.originals)
    alone = (
        f"SELECT {shown} AS key, count(*) AS n, count(*) OVER () FROM (SELECT *, {keys.left} FROM span) s "
        f"ANTI JOIN match{number} m ON s.place = m.place WHERE {whole} GROUP BY {groups} ORDER BY n DESC, key LIMIT {SHOWN_VALUES}"
    )
    found = run(connection, alone, what) if matched + without_key < rows else []
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


def brought(table: JoinedTable, columns: dict[str, Column]) -> dict[str, Column]:
    """The columns that a join brings, by the names that they get. Raises ConfigError where the table does not have one."""
    right = table.right
    return {new: _column(right.name, old, columns, table.what) for old, new in right.join.brings.items()}
