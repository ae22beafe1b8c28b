"""The differences between two schemas, as text."""

import json
from typing import Any

from taxiway.data.schema.constraints import Range
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.messages import percent_limit
from taxiway.records import Record

_LISTED = ("features", "rules", "metric_checks", "waivers")


def schema_changes(old: Schema, new: Schema) -> list[str]:
    """Every difference, as a line that starts with its key: first those of the table, then those of each feature."""
    found = [
        f"{key}: {_change(getattr(old, key), getattr(new, key))}"
        for key in Schema.model_fields
        if key not in _LISTED and getattr(old, key) != getattr(new, key)
    ]
    before, now = ({feature.name: feature for feature in schema.features} for schema in (old, new))
    for name in dict.fromkeys([*before, *now]):
        if name not in now:
            found.append(f"features.{name}: removed ({_body(before[name])})")
        elif name not in before:
            found.append(f"features.{name}: added ({_body(now[name])})")
        else:
            found += [f"features.{name}.{line}" for line in _feature_changes(before[name], now[name])]
    rules, new_rules = ({rule.name: rule for rule in schema.rules} for schema in (old, new))
    for name in dict.fromkeys([*rules, *new_rules]):
        if rules.get(name) != new_rules.get(name):
            found.append(f"rules.{name}: {_change(rules.get(name), new_rules.get(name))}")
    for key in ("metric_checks", "waivers"):
        were, are = getattr(old, key), getattr(new, key)
        found += [f"{key}: removed {_body(item)}" for item in were if item not in are]
        found += [f"{key}: added {_body(item)}" for item in are if item not in were]
    return found


def _feature_changes(old: Feature, new: Feature) -> list[str]:
    found = []
    for key in Feature.model_fields:
        before, now = getattr(old, key), getattr(new, key)
        if before == now:
            continue
        if key == "domain" and before and now and (set(before) != set(now)):
            added, removed = [v for v in now if v not in before], [v for v in before if v not in now]
            parts = [f"added {_text(added)}"] * bool(added) + [f"removed {_text(removed)}"] * bool(removed)
            found.append(f"domain: {', '.join(parts)}")
        elif key == "domain":
            found.append(f"domain: {'order changed' if before and now else _change(before or 'open', now or 'open')}")
        elif key == "presence":
            found.append(f"presence: {presence_text(before)} -> {presence_text(now)}")
        else:
            found.append(f"{key}: {_change(before, now)}")
    return found


def presence_text(fraction: float) -> str:
    """`required`, `optional`, or `90.0% of the rows`."""
    return {1.0: "required", 0.0: "optional"}.get(fraction) or f"{percent_limit(fraction)} of the rows"


def _change(old: Any, new: Any) -> str:
    return f"{_text(old)} -> {_text(new)}"


def _text(value: Any) -> str:
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, Range):
        return value.describe()
    if isinstance(value, Record):
        return _body(value)
    if isinstance(value, list | tuple):
        return ", ".join(json.dumps(item, ensure_ascii=False) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body(record: Record) -> str:
    """The fields that are not at their default, in one line: `min: 0, max: 75`."""
    body = record.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    return ", ".join(f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in body.items()) or "{}"
