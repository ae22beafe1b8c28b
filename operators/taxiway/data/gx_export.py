"""A schema as a suite of Great Expectations, for tools that speak it; what has no counterpart there is named."""

import json
from typing import Any

from taxiway.data.features import TRAINING, Feature, Schema
from taxiway.data.limits import SEMANTICS, Range
from taxiway.records import Severity


def schema_to_suite(schema: Schema, name: str) -> tuple[str, tuple[str, ...]]:
    """The JSON of a suite called `name` that training data pass where they pass the schema, and what it leaves out, in words.

    Types are left out, because Great Expectations names them by engine; so are distances, histories and comparisons of rows, which
    it does not know.
    """
    expectations = list(_of_the_table(schema))
    left_out: list[str] = ["types of columns, which Great Expectations names by engine"]
    for feature in schema.features:
        if not feature.expected_in(TRAINING):
            continue
        expectations += _of_a_feature(feature, schema)
        left_out += [f"{key} of {feature.name}" for key in ("drift", "skew", "valency") if getattr(feature, key) is not None]
    for rule in schema.rules:
        if rule.min_fraction < 1:
            left_out.append(f"the rule {rule.name}, which allows exceptions")
            continue
        query = f"SELECT * FROM {{batch}} WHERE NOT ({rule.sql})"
        expectations.append(
            _asked(
                "unexpected_rows_expectation",
                rule.severity,
                unexpected_rows_query=query,
                description=rule.description or rule.name,
            )
        )
    left_out += [key for key in ("history", "row_skew", "rows_ratio") if getattr(schema, key)]
    body = {"name": name, "expectations": expectations, "meta": {"taxiway_schema_version": schema.digest}}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n", tuple(left_out)


def _of_the_table(schema: Schema) -> list[dict[str, Any]]:
    found = [
        _asked("expect_table_row_count_to_be_between", Severity.ERROR, min_value=schema.min_rows, max_value=schema.max_rows)
    ]
    if len(schema.key) == 1:
        found.append(_asked("expect_column_values_to_be_unique", Severity.ERROR, column=schema.key[0]))
    elif schema.key:
        found.append(_asked("expect_compound_columns_to_be_unique", Severity.ERROR, column_list=list(schema.key)))
    return found


def _of_a_feature(feature: Feature, schema: Schema) -> list[dict[str, Any]]:
    name = feature.name
    label = name == schema.label
    severity = Severity.ERROR if label else feature.found_severity
    presence = 1.0 if label else feature.presence
    found = []
    if presence > 0 and not feature.stage.may_be_missing:
        found.append(_asked("expect_column_to_exist", severity, column=name))
        found.append(_asked("expect_column_values_to_not_be_null", severity, column=name, mostly=presence))
    if feature.range is not None:
        found.append(_asked("expect_column_values_to_be_between", severity, column=name, **_sides(feature.range)))
    if feature.domain is not None:
        kwargs = {"column": name, "value_set": list(feature.domain), "mostly": feature.min_in_domain}
        found.append(_asked("expect_column_values_to_be_in_set", severity, **kwargs))
    patterns = [feature.pattern, SEMANTICS[feature.semantic] if feature.semantic else None]
    found += [
        _asked("expect_column_values_to_match_regex", severity, column=name, regex=f"^(?:{pattern})$")
        for pattern in patterns
        if pattern is not None
    ]
    if feature.distinct is not None:
        found.append(
            _asked("expect_column_unique_value_count_to_be_between", severity, column=name, **_sides(feature.distinct))
        )
    if feature.unique and (name,) != schema.key:
        found.append(_asked("expect_column_values_to_be_unique", severity, column=name))
    return found


def _sides(limits: Range) -> dict[str, float | None]:
    return {"min_value": limits.min, "max_value": limits.max}


def _asked(kind: str, severity: Severity, **kwargs: Any) -> dict[str, Any]:
    given = {key: value for key, value in kwargs.items() if value is not None and (key, value) != ("mostly", 1.0)}
    words = {"critical": Severity.ERROR, "warning": Severity.WARNING}
    return {"type": kind, "kwargs": given, "severity": next(word for word, known in words.items() if known is severity)}
