"""Feature skew: training and serving rows of the same key, compared value by value.

A value that is computed differently in serving may not change any distribution. The term is TensorFlow Data Validation's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.data.engine.connection import connect, run
from taxiway.data.engine.duckdb_table import Column, Table, add_view
from taxiway.data.engine.keys_sql import key_text
from taxiway.data.schema.constraints import FeatureSkew
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import SERVING, Schema
from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults, limit_above
from taxiway.messages import SHOWN_VALUES, percent_limit, quoted, share
from taxiway.records import Anomaly, SchemaChange

if TYPE_CHECKING:
    import duckdb

_BOTH = "training and serving"
_SIDES = ("training", "serving")
_NUMERIC = ("integer", "number")


@dataclass(frozen=True)
class ValueCounts:
    """How a column's values compare, over the keys that occur exactly once in training and exactly once in serving.

    Attributes:
        equal: Keys with equal values, or with none on both sides.
        different: Keys with different values.
        training_only: Keys with a value in training only.
        serving_only: Keys with a value in serving only.
        examples: Key, training value and serving value of some keys whose values are not equal.
    """

    equal: int
    different: int
    training_only: int
    serving_only: int
    examples: tuple[tuple[str, str, str], ...] = ()

    @property
    def unequal(self) -> int:
        """Keys whose values are not equal."""
        return self.different + self.training_only + self.serving_only


@dataclass(frozen=True)
class RowComparison:
    """The number of keys that occur once on both sides, and the comparison of each column that both sides have."""

    rows: int
    columns: dict[str, ValueCounts]


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Compare serving data with the newest span, row by row."""
    schema, newest, serving, requests = check_input.schema, check_input.newest, check_input.serving, check_input.requests
    if schema.feature_skew is None or not schema.key:
        return
    if serving is not None:
        compare_with_serving(newest.table(), serving.table(), schema, results)
    if requests is not None:
        compare_with_serving(newest.table(), requests.table(), check_input.request_schema, results, same_rows=False)


def compare_with_serving(
    training: Table, serving: Table, schema: Schema, results: CheckResults, *, same_rows: bool = True
) -> None:
    """Compare each feature that is expected in serving, row by row, if the schema has a key and `feature_skew`.

    A feature that only one side has is an anomaly too, except the label, which is not known yet when a model serves.

    Args:
        training: The training rows.
        serving: The serving rows.
        schema: The schema.
        results: Where anomalies are added.
        same_rows: Whether both sides should have the same keys. If they should, it is an anomaly if they have none in common, and a note
            otherwise.
    """
    limits = schema.feature_skew
    if limits is None or not schema.key:
        return
    features = [f for f in schema.features if f.name not in schema.key and f.expected_in(SERVING)]
    columns = [{column.name for column in table.columns} for table in (training, serving)]
    problem = _key_problem(schema.key, columns)
    found = None
    if problem is None:
        found = compare_rows(training, serving, schema.key, [feature.name for feature in features], limits.digits)
        problem = None if found.rows else f"no value of {', '.join(schema.key)} occurs exactly once on both sides"
    if found is None or problem is not None:
        if same_rows:
            results.add(_not_compared_anomaly(schema.key, limits, problem or ""))
        else:
            results.add_note(f"feature skew was not checked: {problem}")
        return
    results.add()
    for feature in features:
        if feature.name in found.columns:
            results.add(_skew_anomaly(feature, found.columns[feature.name], limits))
        elif feature.name != schema.label and feature.name in columns[0] | columns[1]:
            results.add(_one_side_anomaly(feature, limits, *(_SIDES if feature.name in columns[0] else _SIDES[::-1])))


def _key_problem(key: Sequence[str], columns: Sequence[set[str]]) -> str | None:
    """Why rows cannot be joined on their key; None if they can."""
    for side, names in zip(_SIDES, columns, strict=True):
        absent = [name for name in key if name not in names]
        if absent:
            return f"{side} data has no column {', '.join(absent)}"
    return None


def compare_rows(
    training: Table, serving: Table, key: tuple[str, ...], names: Sequence[str], digits: int | None = None
) -> RowComparison:
    """Join two tables on their key and compare their columns.

    Keys that do not occur exactly once on both sides are left out.

    Args:
        training: The training rows.
        serving: The serving rows.
        key: The key columns, which both tables have.
        names: The columns to compare; those that only one table has are left out.
        digits: The decimal places that numbers are rounded to first; None compares them as they are.
    """
    with connect() as connection:
        sides = [_once(connection, side, table, key) for side, table in zip(_SIDES, (training, serving), strict=True)]
        listing = ", ".join(f"k{at}" for at in range(len(key)))
        joined = f"training_once AS t JOIN serving_once AS s USING ({listing})"
        rows = int(run(connection, f"SELECT count(*) FROM {joined}", _BOTH)[0][0])
        shown = " || ', ' || ".join(f"t.{sides[0][name].sql}::VARCHAR" for name in key)
        both = [name for name in names if name in sides[0] and name in sides[1]] if rows else []
        return RowComparison(
            rows, {name: _counts(connection, joined, shown, sides[0][name], sides[1][name], digits) for name in both}
        )


def _once(connection: "duckdb.DuckDBPyConnection", side: str, table: Table, key: tuple[str, ...]) -> dict[str, Column]:
    """Make a table of the rows of a side whose key it has once, with the key in a form that compares; returns its columns."""
    columns = {column.name: column for column in add_view(connection, side, table.paths, _BOTH)}
    keys = ", ".join(f"{key_text(columns[name])} AS k{at}" for at, name in enumerate(key))
    listing = ", ".join(f"k{at}" for at in range(len(key)))
    run(
        connection,
        f"""CREATE TEMP TABLE {side}_once AS SELECT * FROM (SELECT *, {keys} FROM {side})
        QUALIFY count(*) OVER (PARTITION BY {listing}) = 1""",
        _BOTH,
    )
    return columns


def _counts(
    connection: "duckdb.DuckDBPyConnection", joined: str, key: str, training: Column, serving: Column, digits: int | None
) -> ValueCounts:
    one, other = _value("t", training, serving, digits), _value("s", serving, training, digits)
    counts = run(
        connection,
        f"""SELECT count(*), count_if({one} <> {other}), count_if({other} IS NULL AND {one} IS NOT NULL),
        count_if({one} IS NULL AND {other} IS NOT NULL) FROM {joined}""",
        _BOTH,
    )[0]
    shown = [
        value if column.type in _NUMERIC else f"{side}.{column.sql}"
        for side, column, value in (("t", training, one), ("s", serving, other))
    ]
    examples = run(
        connection,
        f"SELECT {key}, {shown[0]}::VARCHAR, {shown[1]}::VARCHAR FROM {joined} WHERE {one} IS DISTINCT FROM {other} "
        f"ORDER BY 1 LIMIT {SHOWN_VALUES}",
        _BOTH,
    )
    total, different, training_only, serving_only = (int(count) for count in counts)
    equal = total - different - training_only - serving_only
    return ValueCounts(equal, different, training_only, serving_only, tuple((str(at), str(a), str(b)) for at, a, b in examples))


def _value(side: str, column: Column, other: Column, digits: int | None) -> str:
    """A value as it is compared with `other`: numbers and moments as such, whatever their types, all else as text.

    If one side has FLOATs, both are compared as FLOATs: the DOUBLE 0.1 is another number than the FLOAT 0.1.
    """
    sql = f"{side}.{column.sql}"
    types = {column.type, other.type}
    if types == {"integer"} and digits is None:
        return f"{sql}::HUGEINT"
    if types <= {*_NUMERIC}:
        kind = "FLOAT" if "FLOAT" in (column.storage, other.storage) else "DOUBLE"
        number = f"CASE WHEN isnan({sql}::DOUBLE) THEN NULL ELSE {sql}::{kind} END"
        return f"({number})" if digits is None else f"round({number}, {digits})"
    return key_text(column, side) if column.type in _NUMERIC or types <= {"date", "datetime"} else f"{sql}::VARCHAR"


def _not_compared_anomaly(key: tuple[str, ...], limits: FeatureSkew, why: str) -> Anomaly:
    return Anomaly(
        kind="feature_skew",
        span="serving",
        column=", ".join(key),
        severity=limits.severity,
        observed="no key on both sides",
        expected="keys on both sides",
        message=f"training and serving rows cannot be compared row by row: {why}.",
    )


def _one_side_anomaly(feature: Feature, limits: FeatureSkew, has: str, lacks: str) -> Anomaly:
    return Anomaly(
        kind="feature_skew",
        span="serving",
        column=feature.name,
        severity=feature.lowered_severity(limits.severity),
        observed=f"no column in {lacks}",
        expected="a column on both sides",
        message=f"{feature.name} is in {has} data, but {lacks} data has no such column.",
    )


def _skew_anomaly(feature: Feature, counts: ValueCounts, limits: FeatureSkew) -> Anomaly | None:
    total = counts.equal + counts.unequal
    if not total or counts.unequal / total <= limits.max_fraction:
        return None
    fix = SchemaChange(path=("feature_skew", "max_fraction"), value=limit_above(counts.unequal / total))
    such_as = "; ".join(f"{quoted(at)}: {quoted(a)} in training, {quoted(b)} in serving" for at, a, b in counts.examples)
    return Anomaly(
        kind="feature_skew",
        span="serving",
        column=feature.name,
        severity=feature.lowered_severity(limits.severity),
        observed=f"different in {share(counts.unequal, total)}",
        expected=f"different in at most {percent_limit(limits.max_fraction)} of the rows with the same key",
        message=f"{feature.name} differs between training and serving in {share(counts.unequal, total)} with the same key "
        f"({counts.different:,} with different values, {counts.training_only:,} with a value in training only, "
        f"{counts.serving_only:,} in serving only), "
        f"such as {such_as}.",
        examples=tuple(quoted(f"{a} / {b}") for _, a, b in counts.examples),
        fix=fix,
        proposal=fix.describe(),
    )
