"""SQL for keys: comparable forms of columns from two tables, and the hash for samples and splits.

A whole number is the same key in a float column, because pandas writes integers with missing values as floats. A fractional number
is not a key.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from taxiway.data.engine.duckdb_table import Column
from taxiway.errors import ConfigError
from taxiway.records.digests import digest_of_bytes

TEXT, WHOLE = "text", "whole number"
_NO_KEYS = ("list", "other")
_LARGEST = "1e37"
_SPACES = "e' \\t\\r\\n'"


def kind_of(column: Column) -> str:
    """The name of the form in which a column's values are compared."""
    if column.storage.startswith(("TIMESTAMP WITH", "TIMESTAMPTZ")):
        return "date and time with a time zone"
    kinds = {"string": TEXT, "integer": WHOLE, "number": WHOLE, "datetime": "date and time without a time zone"}
    return kinds.get(column.type, column.type)


def key_sql(column: Column, rewrites: Sequence[str | Mapping[str, Any]] = (), view: str = "") -> tuple[str, str]:
    """The column's values as keys, and the name of their form.

    Args:
        column: The column.
        rewrites: The steps of `recode`, in order.
        view: The view of the column; needed if several views are joined.

    Raises:
        ConfigError: The column cannot be a key.
    """
    kind = kind_of(column)
    if not rewrites:
        return _plain(column, view), kind
    if kind not in (TEXT, WHOLE, "boolean"):
        raise ConfigError(f"{column.name} is {kind} and cannot be recoded; allowed: text, whole numbers, booleans")
    text = f"({_plain(column, view)})::VARCHAR"
    for step in rewrites:
        text = _rewritten(text, step)
    return text, TEXT


def key_text(column: Column, view: str = "") -> str:
    """SQL for the column's values as text: the same for equal values of any type, null for missing values and NaN."""
    name = f"{view}.{column.sql}" if view else column.sql
    if column.type in _NO_KEYS:
        return f"{name}::VARCHAR"
    plain = f"({_plain(column, view)})::VARCHAR"
    if column.type != "number":
        return plain
    # By way of its text: a FLOAT of 1.1 is another number than a DOUBLE of 1.1, although both were written as 1.1.
    return f"coalesce({plain}, CASE WHEN NOT isnan({name}::DOUBLE) THEN {name}::VARCHAR::DOUBLE::VARCHAR END)"


def moment_sql(column: Column) -> tuple[str, str]:
    """The column's values as whole numbers in the same order (times in nanoseconds), and the name of their form.

    Raises:
        ConfigError: The column is not a date, a time or an integer.
    """
    kind = kind_of(column)
    if column.type not in ("integer", "date", "datetime"):
        raise ConfigError(f"{column.name} is {kind}; allowed in as_of: dates, dates with times, integers")
    return _plain(column), kind


def hash_sql(column: Column, view: str, salt: str) -> str:
    """A hash from 0 to 2**64 - 1 for each value, the same in every file, format, run and version; also for null, and the same for NaN.

    Equal numbers and moments of different types have the same hash.

    Args:
        column: The column.
        view: The view of the column.
        salt: A text that makes the hashes of one use independent of those of another.

    Raises:
        ConfigError: The column cannot be a key.
    """
    if column.type in _NO_KEYS:
        raise _no_key(column)
    return f"md5_number_upper('{salt}:' || coalesce({_value_text(column, view)}, ''))"


def row_hash_sql(columns: Sequence[Column], view: str, salt: str) -> str:
    """A hash from 0 to 2**64 - 1 of all values of a row, the same in every file, format, run and version.

    Equal numbers and moments of different types have the same hash. The order of the columns does not matter, nor does a column
    without a value: a null, NaN or empty text.

    Args:
        columns: The columns.
        view: The view of the columns.
        salt: A text that makes the hashes of one use independent of those of another.
    """
    # Names from the data do not get into SQL, so a name is its digest.
    named = sorted((digest_of_bytes(column.name.encode()), _value_text(column, view)) for column in columns)
    values = ", ".join(f"'{name}' || nullif({text}, '')" for name, text in named)
    return f"md5_number_upper('{salt}:' || concat_ws(chr(31), {values}))"


def _value_text(column: Column, view: str) -> str:
    """The value as text, null for null and NaN; the text is the same for equal values of different types."""
    name = f"{view}.{column.sql}"
    if column.type in _NO_KEYS:
        return f"{name}::VARCHAR"
    plain = f"({_plain(column, view)})::VARCHAR"
    if column.type == "number":
        number = f"{name}::DOUBLE" if column.storage.startswith("DECIMAL") else name
        return f"CASE WHEN NOT isnan({number}) THEN coalesce({plain}, ({number})::VARCHAR) END"
    if column.type in ("date", "datetime"):  # infinite ones, and those beyond 64 bits of microseconds
        return f"coalesce(TRY({plain}), {name}::VARCHAR)"
    return plain


def threshold(fraction: float) -> str:
    """The SQL number below which `fraction` of all hashes are."""
    return f"{int(fraction * 2**64)}::UBIGINT"


def _plain(column: Column, view: str = "") -> str:
    name = f"{view}.{column.sql}" if view else column.sql
    if column.type == "integer":
        return f"{name}::HUGEINT"
    if column.type == "number":
        return f"CASE WHEN isfinite({name}::DOUBLE) AND abs({name}) < {_LARGEST} AND {name} = trunc({name}) THEN {name}::HUGEINT END"
    if column.type == "datetime":
        # Nanoseconds on both sides: DuckDB would truncate them to microseconds.
        return f"epoch_ns({name})::HUGEINT" if column.storage.endswith("_NS") else f"epoch_us({name})::HUGEINT * 1000"
    if column.type == "date":
        return f"epoch_us({name})::HUGEINT * 1000"
    if column.type in _NO_KEYS:
        raise _no_key(column)
    return name


def _no_key(column: Column) -> ConfigError:
    return ConfigError(f"{column.name} is {column.storage} and cannot be a key; allowed: text, numbers, dates, booleans")


def _rewritten(text: str, step: str | Mapping[str, Any]) -> str:
    if isinstance(step, str):
        return {"text": text, "strip": f"trim({text}, {_SPACES})", "upper": f"upper({text})", "lower": f"lower({text})"}[step]
    ((kind, given),) = step.items()
    if kind == "pad":  # lpad alone would truncate longer text
        return f"lpad({text}, greatest(length({text}), {given})::INTEGER, '0')"
    if kind == "remove_prefix":
        return f"CASE WHEN starts_with({text}, {literal(given)}) THEN substr({text}, {len(given) + 1}) ELSE {text} END"
    cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in given.items())
    return f"CASE {text} {cases} ELSE {text} END"


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
