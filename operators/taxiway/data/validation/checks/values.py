"""Checks of one column's values: domain, range, pattern, lengths, distinct values, uniqueness and infinities.

Most checks decide by the profile alone; rows are read only for examples of what is wrong.
"""

from taxiway.data.profiling.profile import TEXT_KEPT, ColumnProfile
from taxiway.data.schema.constraints import SEMANTICS
from taxiway.data.schema.feature import Feature
from taxiway.data.validation.checks.examples import examples_where
from taxiway.data.validation.checks.ranges import outside_range
from taxiway.data.validation.inputs import CheckTarget
from taxiway.data.validation.results import CheckResults, anomaly_in
from taxiway.messages import SHOWN_VALUES, counted, listed, percent_limit, quoted, share, without_form
from taxiway.records import Anomaly


def check_values(span: CheckTarget, feature: Feature, column: ColumnProfile, results: CheckResults) -> None:
    """Run all value checks on a column that has values and the feature's type."""
    if feature.domain is not None:
        results.add(_outside_domain(span, feature, column, feature.domain))
    if feature.range is not None:
        results.add(outside_range(span, feature, column, feature.range))
    if feature.pattern is not None:
        results.add(_not_matching(span, feature, column, feature.pattern, f"the pattern {feature.pattern}"))
    if feature.semantic is not None:
        results.add(_not_matching(span, feature, column, SEMANTICS[feature.semantic], f"the form of {feature.semantic}"))
    if feature.valency is not None:
        results.add(_valency(span, feature, column))
    if feature.distinct is not None:
        results.add(_distinct(span, feature, column))
    if feature.unique:
        results.add(_not_unique(span, feature, column))
    if feature.type == "number":
        results.add(_infinite(span, feature, column))


def _outside_domain(
    span: CheckTarget, feature: Feature, column: ColumnProfile, domain: tuple[str | int, ...]
) -> Anomaly | None:
    found, values, rows = _values_outside(span, column, [str(value) for value in domain])
    if not rows or rows / column.present <= 1 - feature.min_in_domain + 1e-12:
        return None
    named = ", ".join(
        f"{quoted(value)} ({counted(count, 'row')}{_lookalike(value, domain)})" for value, count in found[:SHOWN_VALUES]
    )
    more = f" and {values - SHOWN_VALUES:,} more" if values > SHOWN_VALUES else ""
    at_least = f" in at least {percent_limit(feature.min_in_domain)} of the rows" if feature.min_in_domain < 1 else ""
    # A number beyond 128 bits is shown as a double is, such as 1e+300.
    whole = feature.type == "integer"
    add: list[str | int] = [int(float(value) if "e" in value else value) if whole else value for value, _ in found]
    return anomaly_in(
        "domain",
        span,
        feature,
        observed=f"{counted(values, 'other value')} in {share(rows, column.rows)}",
        expected=f"one of {listed(domain)}{at_least}",
        message=f"has values outside its domain in {share(rows, column.rows)}: {named}{more}; the domain has {counted(len(domain), 'value')}",
        # If there are very many values, not all are listed, and adding only some would not make the data pass.
        change=("domain", add) if len(found) == values else None,
        action="add",
        examples=[value for value, _ in found],
    )


def _lookalike(value: str, domain: tuple[str | int, ...]) -> str:
    """The allowed value that looks like a value that is not allowed."""
    near = next((known for known in domain if isinstance(known, str) and without_form(known) == without_form(value)), None)
    return "" if near is None else f", looks like {quoted(near)}"


def _values_outside(span: CheckTarget, column: ColumnProfile, domain: list[str]) -> tuple[list[tuple[str, int]], int, int]:
    """The values outside `domain` with their rows (the most frequent 1,000), the number of such values, and of their rows."""
    if column.values_complete and column.type in ("string", "integer"):
        allowed = set(domain)
        outside = [(item.value, item.rows) for item in column.values if item.value not in allowed]
        return outside, len(outside), sum(count for _, count in outside)
    table = span.table()
    sql = table.column(column.name).sql
    whole = f"coalesce(TRY_CAST({sql} AS HUGEINT)::VARCHAR, {sql}::VARCHAR)"  # whole numbers, as the schema's type is integer
    text = whole if column.type == "number" else f"left({sql}::VARCHAR, {TEXT_KEPT})"
    present = f"{sql} IS NOT NULL" + (f" AND NOT isnan({sql})" if column.type == "number" else "")
    found = table.rows(
        f"""SELECT {text} AS text, count(*) AS rows, count(*) OVER () AS total, sum(count(*)) OVER () AS all_rows FROM span
        WHERE {present} AND NOT list_contains($1::VARCHAR[], {text})
        GROUP BY text ORDER BY rows DESC, text LIMIT 1000""",
        [domain],
    )
    return [(str(row[0]), int(row[1])) for row in found], *((int(found[0][2]), int(found[0][3])) if found else (0, 0))


def _not_matching(span: CheckTarget, feature: Feature, column: ColumnProfile, pattern: str, name: str) -> Anomaly | None:
    found = examples_where(span, feature, "NOT regexp_full_match(value::VARCHAR, $1)", [pattern])
    if not found.total:
        return None
    return anomaly_in(
        "pattern",
        span,
        feature,
        observed=f"no match in {share(found.total, column.rows)}",
        expected=f"text that matches {name}",
        message=f"does not match {name} in {share(found.total, column.rows)}, such as {listed(found.values)}",
        examples=found.values,
        places=found.places,
    )


def _valency(span: CheckTarget, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    limits, lengths = feature.valency, column.lengths
    if limits is None or lengths is None or (limits.holds(lengths.minimum) and limits.holds(lengths.maximum)):
        return None
    sides = [f"len(value) < {limits.min!r}"] * (limits.min is not None) + [f"len(value) > {limits.max!r}"] * (
        limits.max is not None
    )
    found = examples_where(span, feature, f"({' OR '.join(sides)})")
    observed = f"{lengths.minimum} to {lengths.maximum} items"
    return anomaly_in(
        "valency",
        span,
        feature,
        observed=observed,
        expected=f"{limits.describe()} items",
        message=f"has lists of {observed}; required: {limits.describe()} items; {share(found.total, column.rows)} have another number",
        change=("valency", {"min": lengths.minimum, "max": lengths.maximum}),
        examples=found.values,
        places=found.places,
    )


def _distinct(span: CheckTarget, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    """An anomaly if the number is outside the limits by more than three standard errors of its estimate."""
    limits, (number, error) = feature.distinct, column.distinct
    if limits is None:
        return None
    too_few = limits.min is not None and number + 3 * error < limits.min
    too_many = limits.max is not None and number - 3 * error > limits.max
    if not too_few and not too_many:
        return None
    about = f"about {number:,.0f} distinct values" if error else counted(round(number), "distinct value")
    sides = {"min": limits.min, "max": limits.max}
    needed = {side: value for side, value in sides.items() if value is not None}
    needed["min" if too_few else "max"] = round(number)
    return anomaly_in(
        "distinct",
        span,
        feature,
        observed=about,
        expected=f"{limits.describe()}",
        message=f"has {about}; required: {limits.describe()}",
        change=("distinct", needed),
        examples=[item.value for item in column.values],
    )


def _not_unique(span: CheckTarget, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    table = span.table()
    sql = table.column(feature.name).sql
    present = f"{sql} IS NOT NULL" + (f" AND NOT isnan({sql})" if column.type == "number" else "")
    found = table.rows(
        f"""SELECT left({sql}::VARCHAR, {TEXT_KEPT}), count(*) AS rows, count(*) OVER (), sum(count(*)) OVER () FROM span
        WHERE {present} GROUP BY {sql} HAVING count(*) > 1 ORDER BY rows DESC, 1 LIMIT {SHOWN_VALUES}"""
    )
    if not found:
        return None
    values, rows = int(found[0][2]), int(found[0][3])
    examples = [str(row[0]) for row in found]
    return anomaly_in(
        "not_unique",
        span,
        feature,
        observed=f"{counted(values, 'value')} more than once",
        expected="each value once",
        message=f"has {counted(values, 'value')} more than once, in {share(rows, column.rows)}, such as {listed(examples, values)}",
        change=("unique", False),
        examples=examples,
    )


def _infinite(span: CheckTarget, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    rows = column.above + column.below
    if not rows:
        return None
    return anomaly_in(
        "infinite",
        span,
        feature,
        observed=f"{share(rows, column.rows)} infinite or beyond 1e100",
        expected="finite numbers",
        message=f"is infinite or beyond 1e100 in {share(rows, column.rows)}",
    )
