"""Training and serving rows of the same key, value by value: what a distribution cannot show.

A value that is computed otherwise on one side may move no histogram (feature skew, as TensorFlow Data Validation calls it).
"""

from dataclasses import dataclass

from taxiway.data.features import SERVING, Feature, Schema
from taxiway.data.findings import Findings
from taxiway.data.limits import RowSkew
from taxiway.data.table import Column, Table, add_view, connect, run
from taxiway.data.words import SHOWN_VALUES, quoted, share
from taxiway.records import Anomaly, SchemaChange, Severity

_BOTH = "training and serving"


@dataclass(frozen=True)
class ValueCounts:
    """Of the keys that both sides have once: in how many a column's values are equal, differ, or are there on one side only.

    Missing on both sides is equal. `examples` are key, training value and serving value of some that are not equal.
    """

    equal: int
    different: int
    training_only: int
    serving_only: int
    examples: tuple[tuple[str, str, str], ...] = ()

    @property
    def unequal(self) -> int:
        """All that are not equal."""
        return self.different + self.training_only + self.serving_only


def check_row_skew(training: Table, serving: Table, schema: Schema, findings: Findings) -> None:
    """Compare each feature that is expected in serving, row by row, where the schema has a key and a limit of row skew."""
    if schema.row_skew is None or not schema.key:
        return
    features = [f for f in schema.features if f.name not in schema.key and f.expected_in(SERVING)]
    found = compare_rows(training, serving, schema.key, [feature.name for feature in features], schema.row_skew.digits)
    findings.add(None if any(found.values()) else _nothing_joined(schema))
    for feature in features:
        if feature.name in found:
            findings.add(_skewed(feature, found[feature.name], schema.row_skew))


def compare_rows(
    training: Table, serving: Table, key: tuple[str, ...], names: list[str], digits: int | None = None
) -> dict[str, ValueCounts]:
    """Join two tables on `key` and compare the columns `names` that both have.

    Keys that a side has more than once, or not at all, are left out. Numbers are rounded to `digits` decimal places first.
    """
    with connect() as connection:
        columns = []
        for view, table in (("training", training), ("serving", serving)):
            columns.append({column.name: column for column in add_view(connection, view, table.paths, _BOTH)})
            if not set(key) <= set(columns[-1]):
                return {}
            keys = ", ".join(f"{columns[-1][name].sql}::VARCHAR AS k{at}" for at, name in enumerate(key))
            listing = ", ".join(f"k{at}" for at in range(len(key)))
            run(
                connection,
                f"""CREATE TEMP TABLE {view}_once AS SELECT * FROM (SELECT *, {keys} FROM {view})
                QUALIFY count(*) OVER (PARTITION BY {listing}) = 1""",
                _BOTH,
            )
        joined = f"training_once AS t JOIN serving_once AS s USING ({', '.join(f'k{at}' for at in range(len(key)))})"
        shown = " || ', ' || ".join(f"k{at}" for at in range(len(key)))
        found = {}
        for name in names:
            if name in columns[0] and name in columns[1]:
                one, other = (_value(side, columns[at][name], digits) for at, side in enumerate("ts"))
                counts = run(
                    connection,
                    f"""SELECT count(*), count_if({one} <> {other}), count_if({other} IS NULL AND {one} IS NOT NULL),
                    count_if({one} IS NULL AND {other} IS NOT NULL) FROM {joined}""",
                    _BOTH,
                )[0]
                examples = run(
                    connection,
                    f"SELECT {shown}, {one}::VARCHAR, {other}::VARCHAR FROM {joined} WHERE {one} IS DISTINCT FROM {other} "
                    f"ORDER BY 1 LIMIT {SHOWN_VALUES}",
                    _BOTH,
                )
                total, different, training_only, serving_only = (int(count) for count in counts)
                equal = total - different - training_only - serving_only
                texts = tuple((str(at), str(a), str(b)) for at, a, b in examples)
                found[name] = ValueCounts(equal, different, training_only, serving_only, texts)
        return found


def _value(side: str, column: Column, digits: int | None) -> str:
    """A value as it is compared: a number as such, whatever its width, all else as text."""
    sql = f"{side}.{column.sql}"
    if column.type not in ("integer", "number"):
        return f"{sql}::VARCHAR"
    number = f"CASE WHEN isnan({sql}::DOUBLE) THEN NULL ELSE {sql}::DOUBLE END"
    return f"({number})" if digits is None else f"round({number}, {digits})"


def _nothing_joined(schema: Schema) -> Anomaly:
    return Anomaly(
        kind="row_skew",
        span="serving",
        column=", ".join(schema.key),
        severity=schema.row_skew.severity if schema.row_skew else Severity.ERROR,
        observed="no key on both sides",
        expected="keys on both sides",
        sentence=f"training and serving rows cannot be compared one by one: no value of {', '.join(schema.key)} is on both sides.",
    )


def _skewed(feature: Feature, counts: ValueCounts, limits: RowSkew) -> Anomaly | None:
    total = counts.equal + counts.unequal
    if not total or counts.unequal / total <= limits.max_fraction:
        return None
    proposed = min(1.0, (int(counts.unequal / total * 1000) + 1) / 1000)
    fix = SchemaChange(path=("row_skew", "max_fraction"), value=proposed)
    such_as = "; ".join(f"{quoted(at)}: {quoted(a)} in training, {quoted(b)} in serving" for at, a, b in counts.examples)
    return Anomaly(
        kind="row_skew",
        span="serving",
        column=feature.name,
        severity=Severity.WARNING if feature.stage.warns else limits.severity,
        observed=f"unequal in {share(counts.unequal, total)}",
        expected=f"unequal in at most {100 * limits.max_fraction:g} % of the rows of the same key",
        sentence=f"{feature.name} is not the same in training and serving in {share(counts.unequal, total)} of the same key "
        f"({counts.different:,} differ, {counts.training_only:,} only in training, {counts.serving_only:,} only in serving), "
        f"such as {such_as}.",
        examples=tuple(quoted(f"{a} / {b}") for _, a, b in counts.examples),
        fix=fix,
        proposal=fix.words,
    )
