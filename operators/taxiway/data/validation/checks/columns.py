"""Checks of one span against the schema: the number of rows, columns, types, presence and the label.

Values are checked in `values`, conditions over several columns in `rules`, and distributions in `drift`.
"""

from pydantic import JsonValue

from taxiway.data.formats.text_types import MISSING, pattern_of
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.schema.remarks import look_of
from taxiway.data.validation.checks.examples import Examples, examples_where
from taxiway.data.validation.checks.values import check_values
from taxiway.data.validation.inputs import CheckInput, CheckTarget
from taxiway.data.validation.results import CheckResults, anomaly_in
from taxiway.messages import SHOWN_VALUES, counted, listed, number_text, percent_limit, quoted, share, without_form
from taxiway.records import Anomaly, SchemaChange, Severity

# The types whose values are also values of another type.
_ALSO = {"number": "integer", "datetime": "date"}


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Check the rows and columns of each span against what the schema expects in the environment of the data."""
    common = merge_profiles([span.profile for span in check_input.targets])
    for span in check_input.targets:
        _check_span(span, common, check_input.schema, check_input.environment, results)


def _check_span(span: CheckTarget, common: Profile, schema: Schema, environment: str, results: CheckResults) -> None:
    results.add(_row_count(span, schema))
    results.add(*_new_columns(span, common, schema))
    for feature in schema.features:
        column = span.profile.column(feature.name)
        if not feature.expected_in(environment):
            continue
        if feature.name == schema.label:
            _check_label(span, feature, column, results)
        else:
            results.add(_missing_column(span, feature, column))
            if column is not None:
                results.add(_presence(span, feature, column))
        if column is None:
            continue
        results.add(wrong := _type(span, feature, column))
        if wrong is None and column.present:
            check_values(span, feature, column, results)


def fits(feature: Feature, column: ColumnProfile) -> bool:
    """Whether the column holds values of the feature's type.

    Whole numbers in a float column count as integers: pandas writes integers with missing values as floats. Dates count as times,
    because in a text file a month that has only midnights has dates.
    """
    if column.type == feature.type or not column.present:
        return True
    if feature.type in _ALSO:
        return column.type == _ALSO[feature.type]
    whole = not (column.fractional or column.above or column.below)
    return feature.type == "integer" and column.type == "number" and whole


def _row_count(span: CheckTarget, schema: Schema) -> Anomaly | None:
    rows, most = span.profile.rows, schema.max_rows
    if rows < schema.min_rows:
        kind, bound, word = "min_rows", schema.min_rows, "at least"
    elif most is not None and rows > most:
        kind, bound, word = "max_rows", most, "at most"
    else:
        return None
    fix = SchemaChange(path=(kind,), value=rows) if rows else None
    return Anomaly(
        kind=kind,
        span=span.name,
        column=None,
        severity=Severity.ERROR,
        observed=counted(rows, "row"),
        expected=f"{word} {counted(bound, 'row')}",
        message=f"{span.title} has {counted(rows, 'row')}; required: {word} {bound:,}.",
        fix=fix,
        proposal=fix.describe() if fix else None,
    )


def _new_columns(span: CheckTarget, common: Profile, schema: Schema) -> list[Anomaly]:
    """The columns that are not in the schema; they would get the type that fits all spans, which `common` has."""
    found = []
    for column in span.profile.columns:
        if schema.feature(column.name) is not None:
            continue
        together = common.column(column.name) or column
        # Text files are typed one by one here, so a column may be text in only some of them.
        type_ = "string" if together.type == "other" and "VARCHAR" in together.storage.split(" or ") else together.type
        # Optional, because the spans before it, which are in the window too, do not have it.
        body: dict[str, JsonValue] = {"type": type_, "presence": "optional"}
        fix = SchemaChange(path=("features", column.name), value=body) if type_ != "other" else None
        found.append(
            Anomaly(
                kind="new_column",
                span=span.name,
                column=column.name,
                severity=Severity.WARNING,
                observed=f"a column of type {column.type} ({column.storage})",
                expected="only columns that are in the schema",
                message=f"{span.title} has the column {quoted(column.name)} of type {column.type}, which is not in the schema.",
                examples=tuple(quoted(item.value) for item in column.values[:SHOWN_VALUES]),
                fix=fix,
                proposal=fix.describe() if fix else None,
            )
        )
    return found


def _missing_column(span: CheckTarget, feature: Feature, column: ColumnProfile | None) -> Anomaly | None:
    if column is not None or feature.presence == 0 or feature.stage.may_be_missing:
        return None
    near = [other.name for other in span.profile.columns if without_form(other.name) == without_form(feature.name)]
    hint = f"; there is a column {quoted(near[0])}" if near else ""
    return anomaly_in(
        "missing_column",
        span,
        feature,
        observed="no column",
        expected="a column",
        message=f"is missing: the data has no such column{hint}",
        change=("stage", "deprecated"),
    )


def _presence(span: CheckTarget, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    if column.present_fraction >= feature.presence or (feature.stage.may_be_missing and not column.present):
        return None
    empty = column.missing + column.nan
    required = (
        "a value in every row"
        if feature.presence == 1
        else f"a value in at least {percent_limit(feature.presence)} of the rows"
    )
    rounded_down = int(column.present_fraction * 1000) / 1000
    meaning = f" ({feature.missing_means})" if feature.missing_means else ""
    return anomaly_in(
        "presence",
        span,
        feature,
        observed=f"no value in {share(empty, column.rows)}",
        expected=required,
        message=f"has no value{meaning} in {share(empty, column.rows)}; required: {required}",
        change=("presence", {"min_fraction": rounded_down} if column.present else "optional"),
        places=examples_where(span, feature, "value IS NULL" + (" OR isnan(value)" if column.nan else "")).places,
    )


def _check_label(span: CheckTarget, feature: Feature, column: ColumnProfile | None, results: CheckResults) -> None:
    empty = span.profile.rows if column is None else column.missing + column.nan
    if column is None or empty:
        problem = "no such column" if column is None else f"no value in {share(empty, column.rows)}"
        some = column is not None and column.present
        keys = "drop leaves such rows out, and wait decides a span when" if some else "wait decides a span when"
        other = "" if some else "; source.exclude leaves the span out. If no span has labels, check source.label"
        message = (
            f"is the label, and there is {problem}; training and evaluation need a label in every row. In the pipeline file, "
            f"source.unlabelled: {keys} all of its labels are known{other}"
        )
        results.add(
            anomaly_in("label_missing", span, feature, observed=problem, expected="a label in every row", message=message)
        )
    else:
        results.add()
    if column is not None and column.present:
        results.add(_label_constant(span, feature, column))


def _label_constant(span: CheckTarget, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    if column.type in ("string", "boolean"):
        constant = column.values_complete and len(column.values) == 1
        value = column.values[0].value if column.values else ""
    else:
        constant = column.finite == column.present and column.minimum == column.maximum
        value = number_text(column.minimum) if column.minimum is not None else ""
    if not constant:
        return None
    return anomaly_in(
        "label_constant",
        span,
        feature,
        observed=f"only {quoted(value)}",
        expected="at least two values",
        message=f"is the label, and is {quoted(value)} in all {column.present:,} rows that have a label; no model can be trained or "
        "evaluated on a constant label. Check source.label, and whether source.rows or the source itself leaves only one value; "
        "source.exclude leaves the span out",
        examples=[value],
    )


def _type(span: CheckTarget, feature: Feature, column: ColumnProfile) -> Anomaly | None:
    if fits(feature, column):
        return None
    if feature.type == "integer" and column.fractional:
        look = ""
        observed = f"a fractional number in {share(column.fractional, column.rows)}"
        found = examples_where(span, feature, "value <> floor(value)")
    else:
        observed = f"{column.type} ({column.storage})"
        found = _of_another_type(span, feature, column)
        look = look_of(found.values)
    return anomaly_in(
        "type",
        span,
        feature,
        observed=observed,
        expected=feature.type,
        message=f"must be of type {feature.type}; got {observed}, such as {listed(found.values)}{f' ({look})' if look else ''}",
        change=("type", column.type) if column.type != "other" else None,
        examples=found.values,
        places=found.places,
    )


def _of_another_type(span: CheckTarget, feature: Feature, column: ColumnProfile) -> Examples:
    """The values that are not written as values of the feature's type are; all values, if that cannot be said of text."""
    pattern = pattern_of(feature.type)
    if column.type == "string" and pattern is not None:
        text = "trim(value::VARCHAR)"
        missing = f"list_contains($2::VARCHAR[], {text})"
        impossible = f"regexp_full_match({text}, $1) AND TRY_CAST(left({text}, 10) AS DATE) IS NULL"
        wrong = f"NOT regexp_full_match({text}, $1)" + (f" OR ({impossible})" if feature.type in ("date", "datetime") else "")
        found = examples_where(span, feature, f"value IS NOT NULL AND NOT {missing} AND ({wrong})", [pattern, list(MISSING)])
        if found.total:
            return found
    return examples_where(span, feature, "value IS NOT NULL")
