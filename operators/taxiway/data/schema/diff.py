"""What differs between two schemas, in words."""

import json
from typing import Any

from taxiway.data.schema.constraints import Range
from taxiway.data.schema.model import Feature, Schema
from taxiway.records import Record

_LISTED = ("features", "rules", "metric_checks", "waivers")


def schema_changes(old: Schema, new: Schema) -> list[str]:
    """Every difference, as a message that starts with the key: what holds for the table first, then feature by feature."""
    found = [
        f"{key}: {_change(getattr(old, key), getattr(new, key))}"
        for key in Schema.model_fields
        if key not in _LISTED and getattr(old, key) != getattr(new, key)
    ]
    before, now = ({feature.name: feature for feature in schema.features} for schema in (old, new))
    for name in dict.fromkeys([*before, *now]):
        if name not in now:
            found.append(f"features.{name}: is gone ({_body(before[name])})")
        elif name not in before:
            found.append(f"features.{name}: is new ({_body(now[name])})")
        else:
            found += [f"features.{name}.{line}" for line in _feature_changes(before[name], now[name])]
    rules, new_rules = ({rule.name: rule for rule in schema.rules} for schema in (old, new))
    for name in dict.fromkeys([*rules, *new_rules]):
        if rules.get(name) != new_rules.get(name):
            found.append(f"rules.{name}: {_change(rules.get(name), new_rules.get(name))}")
    for key in ("metric_checks", "waivers"):
        were, are = getattr(old, key), getattr(new, key)
        found += [f"{key}: no longer {_body(item)}" for item in were if item not in are]
        found += [f"{key}: now {_body(item)}" for item in are if item not in were]
    return found


def _feature_changes(old: Feature, new: Feature) -> list[str]:
    found = []
    for key in Feature.model_fields:
        before, now = getattr(old, key), getattr(new, key)
        if before == now:
            continue
        if key == "domain" and before and now and (set(before) != set(now)):
            came, went = [v for v in now if v not in before], [v for v in before if v not in now]
            parts = [f"adds {_words(came)}"] * bool(came) + [f"takes out {_words(went)}"] * bool(went)
            found.append(f"domain: {', '.join(parts)}")
        elif key == "domain":
            found.append(f"domain: {'another order' if before and now else _change(before or 'open', now or 'open')}")
        elif key == "presence":
            found.append(f"presence: {presence_words(before)} -> {presence_words(now)}")
        else:
            found.append(f"{key}: {_change(before, now)}")
    return found


def presence_words(fraction: float) -> str:
    """`required`, `optional`, or `90 % of the rows`."""
    return {1.0: "required", 0.0: "optional"}.get(fraction) or f"{100 * fraction:.10g} % of the rows"


def _change(old: Any, new: Any) -> str:
    return f"{_words(old)} -> {_words(new)}"


def _words(value: Any) -> str:
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
    """`min: 0, max: 75`: what is not at its default, in one line."""
    body = record.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    return ", ".join(f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in body.items()) or "{}"
