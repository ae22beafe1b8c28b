"""One column's values against the schema: domain, range, infinities.

Statistics decide; the rows are only read for evidence where something is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass

from taxiway.data.features import Feature
from taxiway.data.findings import Findings
from taxiway.data.profile import TEXT_KEPT, ColumnProfile, Profile
from taxiway.data.table import Table
from taxiway.data.words import SHOWN_VALUES, listed, quoted, share
from taxiway.records import Anomaly, Severity
from taxiway.yaml_file import spelled


@dataclass(frozen=True)
class CheckedSpan:
    """A span as the checks see it: its name, its statistics, and its rows where they are asked for."""

    name: str
    profile: Profile
    table: Callable[[], Table]


def anomaly_in(
    kind: str,
    span: CheckedSpan,
    feature: Feature,
    observed: str,
    expected: str,
    sentence: str,
    proposal: str,
    examples: list[str],
) -> Anomaly:
    """An anomaly in one column; `sentence` follows the names of column and span, `proposal` the feature's path in the schema."""
    return Anomaly(
        kind=kind,
        span=span.name,
        column=feature.name,
        severity=Severity.ERROR if kind.startswith("label_") else feature.severity,
        observed=observed,
        expected=expected,
        sentence=f"{feature.name} in {span.name} {sentence}.",
        examples=tuple(examples),
        proposal=f"{spelled(('features', feature.name))}{proposal}" if proposal else "",
    )


def shown(values: list[str]) -> list[str]:
    """The first few values as examples."""
    return [quoted(value) for value in values[:SHOWN_VALUES]]


def check_values(span: CheckedSpan, feature: Feature, column: ColumnProfile, findings: Findings) -> None:
    if feature.domain is not None:
        findings.add(_outside_domain(span, feature, column, feature.domain))
    if feature.range is not None:
        findings.add(_outside_range(span, feature, column))
    if feature.type == "number":
        findings.add(_infinite(span, feature, column))


def _outside_domain(
    span: CheckedSpan, feature: Feature, column: ColumnProfile, domain: tuple[str | int, ...]
) -> Anomaly | None:
    found, values, rows = _values_outside(span, column, [str(value) for value in domain])
    if not rows:
        return None
    named = ", ".join(f"{quoted(value)} ({count:,} rows)" for value, count in found[:SHOWN_VALUES])
    more = f" and {values - SHOWN_VALUES:,} more" if values > SHOWN_VALUES else ""
    verb = "are" if rows > 1 else "is"
    return anomaly_in(
        "domain",
        span,
        feature,
        f"{values:,} other values in {share(rows, column.rows)}",
        f"one of {listed(domain)}",
        f"has values outside its domain in {share(rows, column.rows)}: {named}{more} {verb} none of the {len(domain):,} allowed",
        f".domain: add {listed([value for value, _ in found], values)}",
        shown([value for value, _ in found]),
    )


def _values_outside(span: CheckedSpan, column: ColumnProfile, domain: list[str]) -> tuple[list[tuple[str, int]], int, int]:
    """The most frequent values outside `domain` with their rows, how many such values there are, and in how many rows."""
    if column.type == "string" and column.values_complete:
        allowed = set(domain)
        outside = [(item.value, item.count) for item in column.values if item.value not in allowed]
        return outside, len(outside), sum(count for _, count in outside)
    table = span.table()
    sql = table.column(column.name).sql
    text = f"{sql}::BIGINT::VARCHAR" if column.type == "number" else f"left({sql}::VARCHAR, {TEXT_KEPT})"
    found = table.rows(
        f"""SELECT {text} AS text, count(*) AS rows, count(*) OVER () AS total, sum(count(*)) OVER () AS all_rows FROM span
        WHERE {sql} IS NOT NULL AND NOT list_contains($1::VARCHAR[], {text})
        GROUP BY text ORDER BY rows DESC, text LIMIT {SHOWN_VALUES}""",  # noqa: S608
        [domain],
    )
    return [(str(row[0]), int(row[1])) for row in found], *((int(found[0][2]), int(found[0][3])) if found else (0, 0))


def _outside_range(span: CheckedSpan, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    limits = feature.range
    assert limits is not None
    low, high = column.minimum, column.maximum
    below = limits.min is not None and ((low is not None and low < limits.min) or column.below > 0)
    above = limits.max is not None and ((high is not None and high > limits.max) or column.above > 0)
    if not below and not above:
        return None
    table = span.table()
    sql = f"{table.column(feature.name).sql}::DOUBLE"
    sides = [f"{sql} < {limits.min!r}"] * below + [f"{sql} > {limits.max!r}"] * above
    where = f"({' OR '.join(sides)}) AND NOT isnan({sql})"
    rows = int(table.rows(f"SELECT count(*) FROM span WHERE {where}")[0][0])  # noqa: S608
    middle = (limits.max if above else limits.min) or 0.0
    found = table.rows(
        f"SELECT DISTINCT {sql} AS value FROM span WHERE {where} ORDER BY abs(value - {middle!r}) DESC, value LIMIT {SHOWN_VALUES}"  # noqa: S608
    )
    examples = [f"{row[0]:g}" for row in found]
    unit = f" {feature.unit}" if feature.unit else ""
    return anomaly_in(
        "range",
        span,
        feature,
        f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}{unit}",
        f"{limits.words}{unit}",
        f"is outside {limits.words}{unit} in {share(rows, column.rows)}, furthest at {', '.join(examples)}",
        f".range: {_wider(feature, column)}",
        examples,
    )


def _wider(feature: Feature, column: ColumnProfile) -> str:
    """The range that the finite values would need."""
    limits = feature.range
    assert limits is not None
    sides = {}
    if limits.min is not None:
        sides["min"] = min(limits.min, column.minimum if column.minimum is not None else limits.min)
    if limits.max is not None:
        sides["max"] = max(limits.max, column.maximum if column.maximum is not None else limits.max)
    return f"{{{', '.join(f'{side}: {value!r}' for side, value in sides.items())}}}"


def _infinite(span: CheckedSpan, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    rows = column.above + column.below
    if not rows:
        return None
    observed = f"{share(rows, column.rows)} infinite or beyond 1e100"
    sentence = f"is infinite, or beyond 1e100, in {share(rows, column.rows)}"
    return anomaly_in("infinite", span, feature, observed, "finite numbers", sentence, "", [])
