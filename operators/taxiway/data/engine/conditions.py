"""Conditions in SQL that people write over the columns of a table: the rules of a schema, and the filter of a source.

They run on a connection that is restricted to the files of the table, under the names that the columns have in the file.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from taxiway.data.engine.columns import Column

_NULLS = {
    "boolean": "BOOLEAN", "date": "DATE", "datetime": "TIMESTAMP", "integer": "BIGINT", "list": "VARCHAR[]", "number": "DOUBLE",
    "string": "VARCHAR",
}  # fmt: skip
CLOCK_WORDS = (
    *("current_date", "current_time", "current_timestamp", "current_localtime", "current_localtimestamp"),
    *("localtime", "localtimestamp"),
)
"""Words that SQL reads as the time of the query; the parser takes some of them for columns."""
_MISLABELED = (*CLOCK_WORDS, "age", "version")
# Functions of DuckDB whose values depend on the time, the connection or chance: by their stability, by what a macro calls, or those
# that it labels as stable although they are not.
UNSTABLE_FUNCTIONS = f"""
SELECT function_name FROM duckdb_functions() WHERE function_type = 'scalar' AND stability <> 'CONSISTENT'
UNION SELECT function_name FROM duckdb_functions() WHERE macro_definition SIMILAR TO '.*(current_|now\\(|today\\(|random\\().*'
UNION SELECT unnest({list(_MISLABELED)})
"""


def named_rows(columns: Sequence[Column], absent: Mapping[str, str], *extra: str) -> str:
    """A subquery of the view `numbered`, in which the columns have the names that they have in the file, and NaN is null.

    DuckDB takes NaN for the largest number, but it is a missing value, as everywhere else.

    Args:
        columns: The columns of the view.
        absent: Names of further columns, with their types in a schema; they are null in all rows.
        extra: Further expressions to select.
    """
    present = {column.name.casefold() for column in columns}
    values = [(_value(column), column.name) for column in columns]
    values += [(f"NULL::{_NULLS[kind]}", name) for name, kind in absent.items() if name.casefold() not in present]
    return f"(SELECT {', '.join([*(f'{sql} AS {quoted_name(name)}' for sql, name in values), *extra])} FROM numbered)"


def _value(column: Column) -> str:
    may_be_nan = column.storage in ("FLOAT", "DOUBLE")
    return f"CASE WHEN NOT isnan({column.sql}) THEN {column.sql} END" if may_be_nan else column.sql


def typed_nulls(types: Mapping[str, str]) -> str:
    """A subquery of one row of nulls, with columns of these types in a schema."""
    return f"(SELECT {', '.join(f'NULL::{_NULLS[kind]} AS {quoted_name(name)}' for name, kind in types.items())})"


def quoted_name(name: str) -> str:
    """The name of a column in SQL."""
    return '"{}"'.format(name.replace('"', '""'))


def unused_name(name: str, taken: Iterable[str]) -> str:
    """The name, with underscores until no column has it."""
    names = {other.casefold() for other in taken}
    while name in names:
        name += "_"
    return name


def same_but_case(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that differ only in case, which DuckDB's SQL ignores; None if there are none."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            return other, name
    return None


class Parsed:
    """The parts of a condition, as DuckDB's parser reads it.

    Attributes:
        error: Why it is not a condition; None if it is.
        columns: The columns that it names; of a nested value, the outer column.
        functions: The functions that it calls, in lower case.
        parts: The classes of its expressions, such as `SUBQUERY` or `WINDOW`.
    """

    def __init__(self, serialized: str) -> None:
        tree = json.loads(serialized)
        self.error: str | None = tree.get("error_message") if tree["error"] else None
        selected = [] if tree["error"] else [statement["node"].get("select_list") for statement in tree["statements"]]
        if selected and (len(selected) > 1 or selected[0] is None):
            self.error, selected = "it is a whole query", []
        nodes = list(_nodes(selected))
        self.columns = list(_columns(selected, frozenset()))
        self.functions = {str(node["function_name"]).casefold() for node in nodes if "function_name" in node}
        self.parts = {str(node["class"]) for node in nodes}


PARSE = "SELECT json_serialize_sql($1::VARCHAR)"
"""The query whose result for `SELECT (condition)` is read by `Parsed`."""


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict) and "class" in tree:
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(inner)


def _columns(tree: Any, variables: frozenset[str]) -> Iterator[str]:
    """The columns that an expression names, without the variables of the lambda functions that it is in."""
    if isinstance(tree, list):
        for inner in tree:
            yield from _columns(inner, variables)
        return
    if not isinstance(tree, dict):
        return
    if tree.get("class") == "COLUMN_REF":
        if (name := str(tree["column_names"][0])) not in variables:
            yield name
        return
    # The parser takes the arrow of `document -> 'key'` for that of a lambda function, which DuckDB no longer runs.
    is_lambda = tree.get("class") == "LAMBDA" and tree.get("syntax_type") != "SINGLE_ARROW"
    inside = variables | frozenset(_columns(tree["lhs"], frozenset()) if is_lambda else ())
    for inner in tree.values():
        yield from _columns(inner, inside)
