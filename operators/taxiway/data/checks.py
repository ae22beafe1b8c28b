"""One span against the schema: its columns, their types and presence, and its label.

What the values may be is in `value_checks`; distributions are compared in `drift`.
"""

from taxiway.data.features import Feature, Schema
from taxiway.data.findings import Findings
from taxiway.data.profile import TEXT_KEPT, ColumnProfile
from taxiway.data.value_checks import CheckedSpan, anomaly_in, check_values, shown
from taxiway.data.words import SHOWN_VALUES, listed, percent, quoted, share
from taxiway.records import Anomaly, Severity
from taxiway.yaml_file import spelled


def check_span(span: CheckedSpan, schema: Schema, findings: Findings) -> None:
    """All checks of one span against the schema."""
    findings.add(_min_rows(span, schema))
    findings.add(*_new_columns(span, schema))
    for feature in schema.features:
        column = span.profile.column(feature.name)
        if feature.name == schema.label:
            _check_label(span, feature, column, findings)
        else:
            findings.add(_missing_column(span, feature, column))
            if column is not None:
                findings.add(_presence(span, feature, column))
        if column is None:
            continue
        findings.add(wrong := _type(span, feature, column))
        if wrong is None and column.present:
            check_values(span, feature, column, findings)


def fits(feature: Feature, column: ColumnProfile) -> bool:
    """Whether the column holds what the schema says. Whole numbers in a float column are integers: gaps make pandas write them so."""
    if column.type == feature.type or not column.present:
        return True
    if feature.type == "number":
        return column.type == "integer"
    whole = not (column.fractional or column.above or column.below)
    return feature.type == "integer" and column.type == "number" and whole


def _min_rows(span: CheckedSpan, schema: Schema) -> Anomaly | None:
    rows = span.profile.rows
    if rows >= schema.min_rows:
        return None
    return Anomaly(
        kind="min_rows",
        span=span.name,
        column="",
        severity=Severity.ERROR,
        observed=f"{rows:,} rows",
        expected=f"at least {schema.min_rows:,} rows",
        sentence=f"{span.name} has {rows:,} rows; at least {schema.min_rows:,} are expected.",
        proposal=f"min_rows: {rows}" if rows else "",
    )


def _new_columns(span: CheckedSpan, schema: Schema) -> list[Anomaly]:
    return [
        Anomaly(
            kind="new_column",
            span=span.name,
            column=column.name,
            severity=Severity.WARNING,
            observed=f"a column of type {column.type} ({column.storage})",
            expected="only the columns of the schema",
            sentence=f"{span.name} has a column {quoted(column.name)} of type {column.type} that the schema does not know.",
            examples=tuple(quoted(item.value) for item in column.values[:SHOWN_VALUES]),
            proposal=f"{spelled(('features', column.name))}: {{type: {column.type}}}" if column.type != "other" else "",
        )
        for column in span.profile.columns
        if schema.feature(column.name) is None
    ]


def _missing_column(span: CheckedSpan, feature: Feature, column: ColumnProfile | None) -> Anomaly | None:
    if column is not None or feature.presence == 0:
        return None
    near = [other.name for other in span.profile.columns if other.name.casefold() == feature.name.casefold()]
    hint = f", but one named {quoted(near[0])}" if near else ""
    sentence = f"is missing: the file has no such column{hint}"
    return anomaly_in("missing_column", span, feature, "no column", "a column", sentence, ".presence: optional", [])


def _presence(span: CheckedSpan, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    if column.present_fraction >= feature.presence:
        return None
    empty = column.missing + column.nan
    wanted = "a value in every row" if feature.presence == 1 else f"a value in at least {percent(feature.presence)} of the rows"
    return anomaly_in(
        "presence",
        span,
        feature,
        f"no value in {share(empty, column.rows)}",
        wanted,
        f"has no value in {share(empty, column.rows)}; expected is {wanted}",
        f".presence: {{min_fraction: {_rounded_down(column.present_fraction)}}}" if column.present else ".presence: optional",
        [],
    )


def _rounded_down(fraction: float) -> str:
    return f"{int(fraction * 1000) / 1000:g}"


def _check_label(span: CheckedSpan, feature: Feature, column: ColumnProfile | None, findings: Findings) -> None:
    empty = span.profile.rows if column is None else column.missing + column.nan
    if column is None or empty:
        words = "no such column" if column is None else f"no value in {share(empty, column.rows)}"
        sentence = f"is the label, and there is {words}; without it nothing can be learned or compared"
        findings.add(anomaly_in("label_missing", span, feature, words, "a label in every row", sentence, "", []))
    else:
        findings.add()
    if column is not None and column.present:
        findings.add(_label_constant(span, feature, column))


def _label_constant(span: CheckedSpan, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    if column.type in ("string", "boolean"):
        constant = column.values_complete and len(column.values) == 1
        value = column.values[0].value if column.values else ""
    else:
        constant = column.finite == column.present and column.minimum == column.maximum
        value = f"{column.minimum:g}" if column.minimum is not None else ""
    if not constant:
        return None
    sentence = f"is the label, and is {quoted(value)} in all {column.present:,} rows that have one; a model cannot be told from a constant"
    return anomaly_in(
        "label_constant", span, feature, f"only {quoted(value)}", "at least two values", sentence, "", [quoted(value)]
    )


def _type(span: CheckedSpan, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    if fits(feature, column):
        return None
    if feature.type == "integer" and column.fractional:
        observed = f"{share(column.fractional, column.rows)} hold a number that is not whole"
        examples = _examples(span, feature, "value <> floor(value)")
    else:
        observed = f"{column.type} ({column.storage})"
        examples = _examples(span, feature, "true")
    sentence = f"should be of type {feature.type}; got {observed}, such as {listed(examples)}"
    proposal = f".type: {column.type}" if column.type != "other" else ""
    return anomaly_in("type", span, feature, observed, feature.type, sentence, proposal, shown(examples))


def _examples(span: CheckedSpan, feature: Feature, where: str) -> list[str]:
    """The most frequent values of a column where a condition of our own on `value` holds, as text."""
    table = span.table()
    sql = table.column(feature.name).sql
    found = table.rows(
        f"""SELECT left(value::VARCHAR, {TEXT_KEPT}) AS text FROM (SELECT {sql} AS value FROM span)
        WHERE value IS NOT NULL AND {where} GROUP BY text ORDER BY count(*) DESC, text LIMIT {SHOWN_VALUES}"""  # noqa: S608
    )
    return [str(row[0]) for row in found]
