"""Read and write schema files (YAML), with errors that name file, line and key."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from taxiway.data.schema.constraints import Counts, Drift, FeatureSkew, Range, Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.infer import infer_schema
from taxiway.data.schema.model import KINDS, Schema
from taxiway.data.schema.watch import MetricMonitor
from taxiway.errors import ConfigError
from taxiway.records import Waiver
from taxiway.spec.yaml_files.document import KeyPath, YamlFile, explain, read_yaml

_NAMED = {"features": "at least type, as in {type: number}", "rules": "at least sql, as in {sql: arrives > departs}"}

__all__ = [
    "Drift",
    "Feature",
    "Range",
    "Schema",
    "feature_content",
    "infer_schema",
    "label_text",
    "load_schema",
    "schema_of",
    "schema_to_yaml",
]


def load_schema(path: Path | str) -> Schema:
    """The schema in a YAML file.

    Raises:
        ConfigError: The file is not a valid schema; the message lists every mistake.
    """
    return schema_of(read_yaml(Path(path)))


def schema_of(file: YamlFile) -> Schema:
    """The schema in the content of a file; see `load_schema`."""
    if not isinstance(file.content, dict):
        raise ConfigError(f"{file.path}: a schema must be a mapping with the keys {', '.join(_keys(Schema))}")
    content = dict(file.content)
    names: dict[str, list[str]] = {}
    for section in _NAMED:
        if isinstance(content.get(section), dict):
            for name in content[section]:
                if isinstance(name, bool) or not isinstance(name, str | int | float):
                    raise file.error((section,), f": YAML reads a name in it as {name!r}; put it in quotes", got=name)
            names[section] = [str(name) for name in content[section]]
            content[section] = [_with_name(file, section, str(name), body) for name, body in content[section].items()]
        elif section in content:
            raise file.error((section,), f"is a {type(content[section]).__name__}; allowed: a mapping of names to their keys")
    try:
        schema = Schema.model_validate(content)
    except ValidationError as error:
        raise explain(
            file, _first_causes(error.errors()), lambda place: _key(place, names), lambda place: _keys(_model_at(place))
        ) from None
    _check_names(schema, file)
    return schema


def label_text(schema: Schema) -> str:
    """`has the label "late"`, or `has no label`."""
    return "has no label" if schema.label is None else f'has the label "{schema.label}"'


def _first_causes(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """The errors without "too short" for a list whose items have other errors."""
    wrong = {error["loc"][0] for error in errors if len(error["loc"]) > 1}
    return [error for error in errors if error["type"] != "too_short" or error["loc"][:1] == () or error["loc"][0] not in wrong]


def _with_name(file: YamlFile, section: str, name: str, body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise file.error((section, name), f"is {body!r}; allowed: a mapping with {_NAMED[section]}", got=body)
    if "name" in body:
        raise file.error((section, name, "name"), "is not allowed; the name is the key above it")
    return {**{str(key): value for key, value in body.items()}, "name": name}


def _check_names(schema: Schema, file: YamlFile) -> None:
    """Check that columns and kinds that are named in other sections exist."""
    names = [feature.name for feature in schema.features]
    for where, named in [("label", () if schema.label is None else (schema.label,)), ("key", schema.key)]:
        for name in named:
            if name not in names:
                raise file.error((where,), f'is "{name}", which is not in features', got=name, allowed=names)
    for index, waiver in enumerate(schema.waivers):
        if waiver.kind not in KINDS and not waiver.kind.startswith("gx:"):
            options = (*KINDS, "gx:EXPECTATION_TYPE")
            raise file.error(("waivers", index, "kind"), f'is "{waiver.kind}"', got=waiver.kind, allowed=options)
        if waiver.column is None or waiver.kind in ("new_column", "join_match"):
            continue
        known = [rule.name for rule in schema.rules] if waiver.kind == "rule" else names
        # An anomaly in several columns, such as a key of two, names them all: `carrier, flight`.
        several = all(name in known for name in waiver.column.split(", "))
        if waiver.column not in known and not several:
            problem = f'is "{waiver.column}", which is not in the schema'
            raise file.error(("waivers", index, "column"), problem, got=waiver.column, allowed=known)
    for index, monitor in enumerate(schema.metric_checks):
        if monitor.column is not None and monitor.column not in names:
            problem = f'is "{monitor.column}", which is not in features'
            raise file.error(("metric_checks", index, "column"), problem, got=monitor.column, allowed=names)


def _key(place: KeyPath, names: dict[str, list[str]]) -> KeyPath:
    """The key in the file for pydantic's `place`: features and rules are lists in the model, but mappings in the file."""
    if len(place) > 1 and place[0] in names and isinstance(place[1], int):
        return (place[0], names[str(place[0])][place[1]], *place[2:])
    return place


def _model_at(place: KeyPath) -> type[BaseModel]:
    """The model whose keys are allowed at `place`."""
    if place[:1] == ("features",) and len(place) > 2:
        parts: dict[str | int, type[BaseModel]] = {
            "range": Range, "drift": Drift, "skew": Drift, "valency": Counts, "distinct": Counts,
        }  # fmt: skip
        return parts.get(place[2], Feature)
    sections: dict[str | int, type[BaseModel]] = {
        "features": Feature, "waivers": Waiver, "rules": Rule, "metric_checks": MetricMonitor, "feature_skew": FeatureSkew, "rows_ratio": Range,
    }  # fmt: skip
    return sections.get(place[0], Schema) if place else Schema


def _keys(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {name: field for name, field in model.model_fields.items() if name != "name" or model not in (Feature, Rule)}


def schema_to_yaml(schema: Schema) -> str:
    """The YAML text that `load_schema` reads as `schema`; defaults are left out, except presence and domain."""
    import yaml

    from taxiway.spec.yaml_files.dialect import Dumper

    content: dict[str, Any] = {} if schema.label is None else {"label": schema.label}
    if schema.key:
        content["key"] = schema.key[0] if len(schema.key) == 1 else list(schema.key)
    content["min_rows"] = schema.min_rows
    content |= schema.model_dump(mode="json", exclude_defaults=True, include={"environments", "max_rows", "rows_ratio"})
    content["features"] = {feature.name: feature_content(feature) for feature in schema.features}
    if schema.rules:
        content["rules"] = {
            rule.name: rule.model_dump(mode="json", exclude_defaults=True, exclude={"name"}) for rule in schema.rules
        }
    content |= schema.model_dump(mode="json", exclude_defaults=True, include={"metric_checks", "feature_skew"})
    if schema.waivers:
        content["waivers"] = [waiver.model_dump() for waiver in schema.waivers]
    # PyYAML writes these line breaks unescaped and reads them back as spaces, so all characters outside ASCII are escaped.
    plain = not set(schema.to_json()) & {"\x85", "\u2028", "\u2029", "\ufeff"}
    return str(yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=plain, width=120, default_flow_style=None))


def feature_content(feature: Feature) -> dict[str, Any]:
    """The keys of a feature in a schema file."""
    content = feature.model_dump(mode="json", exclude_defaults=True, exclude={"name", "presence", "domain"})
    for key in ("range", "valency", "distinct"):
        if key in content:  # 0 reads better than 0.0
            content[key] = {
                side: int(number) if float(number).is_integer() and abs(number) < 2**53 else number
                for side, number in content[key].items()
            }
    names = {1.0: "required", 0.0: "optional"}
    content["presence"] = names.get(feature.presence) or {"min_fraction": feature.presence}
    if feature.type == "string":
        content["domain"] = "open" if feature.domain is None else list(feature.domain)
    elif feature.domain is not None:
        content["domain"] = list(feature.domain)
    return content
