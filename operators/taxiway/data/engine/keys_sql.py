"""Keys as SQL: columns of two tables made comparable, and the hash by which rows are drawn.

Whole numbers are the same in a float column, since gaps make pandas write them so. A number that is not whole is no key.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from taxiway.data.engine.duckdb_table import Column
from taxiway.errors import ConfigError

TEXT, WHOLE = "text", "whole number"
_LARGEST = "1e37"
_SPACES = "e' \\t\\r\\n'"


def kind_of(column: Column) -> str:
    """What a column's values are compared as."""
    if column.storage.startswith(("TIMESTAMP WITH", "TIMESTAMPTZ")):
        return "date and time with a time zone"
    kinds = {"string": TEXT, "integer": WHOLE, "number": WHOLE, "datetime": "date and time without a time zone"}
    return kinds.get(column.type, column.type)


def key_sql(column: Column, rewrites: Sequence[str | Mapping[str, Any]] = (), view: str = "") -> tuple[str, str]:
    """The column's values as keys, and what they are compared as. Raises ConfigError where the column cannot be a key."""
    kind = kind_of(column)
    if not rewrites:
        return _plain(column, view), kind
    if kind not in (TEXT, WHOLE, "boolean"):
        raise ConfigError(
            f"{column.name} is {kind} and is not recoded; allowed: columns of text, whole numbers or true and false"
        )
    text = f"({_plain(column, view)})::VARCHAR"
    for step in rewrites:
        text = _rewritten(text, step)
    return text, TEXT


def moment_sql(column: Column) -> tuple[str, str]:
    """The column's values as whole numbers that order as they do, times in nanoseconds; and what they are compared as."""
    kind = kind_of(column)
    if column.type not in ("integer", "date", "datetime"):
        raise ConfigError(f"{column.name} is {kind}; allowed in as_of: dates, dates with times, whole numbers without gaps")
    return _plain(column), kind


def hash_sql(column: Column, view: str, purpose: str) -> str:
    """A whole number from 0 to 2**64 - 1 for each value, the same for the same value in every file, run and version.

    No value is a value too. `purpose` makes hashes for one use independent of those for another.
    """
    plain = _plain(column, view)
    if column.type == "number":  # a number that is not whole has a text of its own here
        plain = f"coalesce(({plain})::VARCHAR, {view}.{column.sql}::VARCHAR)"
    return f"md5_number_upper('{purpose}:' || coalesce(({plain})::VARCHAR, ''))"


def threshold(fraction: float) -> str:
    """Hashes below this are `fraction` of all."""
    return f"{int(fraction * 2**64)}::UBIGINT"


def _plain(column: Column, view: str = "") -> str:
    name = f"{view}.{column.sql}" if view else column.sql
    if column.type == "integer":
        return f"{name}::HUGEINT"
    if column.type == "number":
        return f"CASE WHEN isfinite({name}::DOUBLE) AND abs({name}) < {_LARGEST} AND {name} = trunc({name}) THEN {name}::HUGEINT END"
    if column.type == "datetime":
        # Both sides as nanoseconds: DuckDB would cut off what a column in microseconds has no room for.
        return f"epoch_ns({name})::HUGEINT" if column.storage.endswith("_NS") else f"epoch_us({name})::HUGEINT * 1000"
    if column.type == "date":
        return f"epoch_us({name})::HUGEINT * 1000"
    if column.type in ("list", "other"):
        raise ConfigError(
            f"{column.name} is {column.storage} and cannot be a key; allowed: text, numbers, dates, true and false"
        )
    return name


def _rewritten(text: str, step: str | Mapping[str, Any]) -> str:
    if isinstance(step, str):
        return {"text": text, "strip": f"trim({text}, {_SPACES})", "upper": f"upper({text})", "lower": f"lower({text})"}[step]
    ((kind, given),) = step.items()
    if kind == "pad":  # lpad alone would cut what is longer
        return f"lpad({text}, greatest(length({text}), {given})::INTEGER, '0')"
    if kind == "remove_prefix":
        return f"CASE WHEN starts_with({text}, {literal(given)}) THEN substr({text}, {len(given) + 1}) ELSE {text} END"
    cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in given.items())
    return f"CASE {text} {cases} ELSE {text} END"


def literal(text: str) -> str:
    """A text from a pipeline file as SQL."""
    return "'" + text.replace("'", "''") + "'"
