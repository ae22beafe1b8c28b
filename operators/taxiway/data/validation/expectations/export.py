"""Export a schema as a Great Expectations suite, with a list of what the suite cannot express."""

import json
import re
from collections.abc import Iterator
from typing import Any

from taxiway.data.schema.constraints import SEMANTICS, Range, Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import TRAINING, Schema
from taxiway.records import Severity


def schema_to_suite(schema: Schema, name: str) -> tuple[str, tuple[str, ...]]:
    """The JSON text of a suite called `name`, and a description of each part of the schema that it leaves out.

    Training data that passes the schema passes the suite. Left out are types, whose names depend on the engine, distances, metric
    checks and row comparisons, which Great Expectations does not have, and columns that may be absent, on which its expectations
    would fail.
    """
    expectations = list(_of_the_table(schema))
    for feature in schema.features:
        if feature.expected_in(TRAINING) and not _may_be_absent(feature, schema):
            expectations += _of_a_feature(feature, schema)
    expectations += [_of_a_rule(rule) for rule in schema.rules if not _why_excluded(rule, schema)]
    body = {"name": name, "expectations": expectations, "meta": {"taxiway_schema_version": schema.digest}}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n", tuple(_left_out(schema))


def _may_be_absent(feature: Feature, schema: Schema) -> bool:
    return feature.name != schema.label and (feature.presence == 0 or feature.stage.may_be_missing)


def _left_out(schema: Schema) -> Iterator[str]:
    yield "column types, whose names depend on Great Expectations' engine"
    yield "columns that are not in the schema"
    for feature in schema.features:
        yield from _left_out_of(feature, schema)
    if schema.label is not None:
        yield f"whether the label {schema.label} is constant"
    if schema.key:
        yield f"keys of {', '.join(schema.key)} that occur in more than one span"
    for rule in schema.rules:
        if why := _why_excluded(rule, schema):
            yield f"the rule {rule.name}, which {why}"
    others = [environment for environment in schema.environments if environment != TRAINING]
    if others:
        yield f"expectations of the environments {', '.join(others)}"
    if schema.waivers:
        yield "waivers"
    yield from (key for key in ("metric_checks", "feature_skew", "rows_ratio") if getattr(schema, key))


def _left_out_of(feature: Feature, schema: Schema) -> list[str]:
    if not feature.expected_in(TRAINING):
        return [f"{feature.name}, which is not expected in {TRAINING}"]
    if _may_be_absent(feature, schema):
        return [f"all checks of {feature.name}, which may be absent"]
    found = [f"{key} of {feature.name}" for key in ("drift", "skew", "valency") if getattr(feature, key) is not None]
    return [*found, f"infinite values of {feature.name}"] if feature.type == "number" else found


def _why_excluded(rule: Rule, schema: Schema) -> str:
    """Why a rule is left out; empty if it is not."""
    if rule.min_fraction < 1:
        return "allows exceptions"
    sql = rule.sql.casefold()
    optional = [f.name for f in schema.features if not f.expected_in(TRAINING) or _may_be_absent(f, schema)]
    named = [name for name in optional if re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", sql)]
    return f"uses {named[0]}, which may be absent" if named else ""


def _of_a_rule(rule: Rule) -> dict[str, Any]:
    # Great Expectations formats single braces; the line break ends a comment in the rule.
    condition = rule.sql.replace("{", "{{").replace("}", "}}")
    return _expectation(
        "unexpected_rows_expectation",
        rule.severity,
        unexpected_rows_query=f"SELECT * FROM {{batch}} WHERE NOT ({condition}\n)",
        description=rule.description or rule.name,
    )


def _of_the_table(schema: Schema) -> list[dict[str, Any]]:
    found = [
        _expectation(
            "expect_table_row_count_to_be_between", Severity.ERROR, min_value=schema.min_rows, max_value=schema.max_rows
        )
    ]
    if len(schema.key) == 1:
        found.append(_expectation("expect_column_values_to_be_unique", Severity.ERROR, column=schema.key[0]))
    elif schema.key:
        found.append(_expectation("expect_compound_columns_to_be_unique", Severity.ERROR, column_list=list(schema.key)))
    return found


def _of_a_feature(feature: Feature, schema: Schema) -> list[dict[str, Any]]:
    name = feature.name
    label = name == schema.label
    severity = Severity.ERROR if label else feature.found_severity
    presence = 1.0 if label else feature.presence
    found = []
    found.append(_expectation("expect_column_to_exist", severity, column=name))
    found.append(_expectation("expect_column_values_to_not_be_null", severity, column=name, mostly=presence))
    if feature.range is not None:
        found.append(_expectation("expect_column_values_to_be_between", severity, column=name, **_sides(feature.range)))
    if feature.domain is not None:
        kwargs = {"column": name, "value_set": list(feature.domain), "mostly": feature.min_in_domain}
        found.append(_expectation("expect_column_values_to_be_in_set", severity, **kwargs))
    patterns = [feature.pattern, SEMANTICS[feature.semantic] if feature.semantic else None]
    found += [
        _expectation("expect_column_values_to_match_regex", severity, column=name, regex=f"^(?:{pattern})$")
        for pattern in patterns
        if pattern is not None
    ]
    if feature.distinct is not None:
        found.append(
            _expectation("expect_column_unique_value_count_to_be_between", severity, column=name, **_sides(feature.distinct))
        )
    if feature.unique and (name,) != schema.key:
        found.append(_expectation("expect_column_values_to_be_unique", severity, column=name))
    return found


def _sides(limits: Range) -> dict[str, float | None]:
    return {"min_value": limits.min, "max_value": limits.max}


def _expectation(kind: str, severity: Severity, **kwargs: Any) -> dict[str, Any]:
    given = {key: value for key, value in kwargs.items() if value is not None and (key, value) != ("mostly", 1.0)}
    words = {"critical": Severity.ERROR, "warning": Severity.WARNING}
    return {"type": kind, "kwargs": given, "severity": next(word for word, known in words.items() if known is severity)}
