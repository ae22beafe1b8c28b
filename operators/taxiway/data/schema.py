"""The schema that a team keeps in git: YAML to Schema and back, with errors that name file, line and key.

A first draft is made from data by `infer_schema`; from then on people decide.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from taxiway.data.features import KINDS, Drift, Feature, Range, Schema
from taxiway.data.infer import infer_schema
from taxiway.errors import ConfigError, allowed_values
from taxiway.records import Waiver
from taxiway.yaml_file import KeyPath, YamlFile, explain, read_yaml

__all__ = ["Drift", "Feature", "Range", "Schema", "infer_schema", "load_schema", "schema_to_yaml"]


def load_schema(path: Path | str) -> Schema:
    """The schema in a YAML file. Raises ConfigError naming every mistake in it."""
    file = read_yaml(Path(path))
    if not isinstance(file.content, dict):
        raise ConfigError(f"{path}: a schema is a mapping with the keys {', '.join(_keys(Schema))}")
    content = dict(file.content)
    names: list[str] = []
    if isinstance(content.get("features"), dict):
        names = [str(name) for name in content["features"]]
        content["features"] = [_named(file, str(name), body) for name, body in content["features"].items()]
    elif "features" in content:
        raise ConfigError(
            f"{file.where(('features',))} is a {type(content['features']).__name__}; allowed: column names, each with its type"
        )
    try:
        schema = Schema.model_validate(content)
    except ValidationError as error:
        raise explain(file, error.errors(), lambda place: _key(place, names), lambda place: _keys(_model_at(place))) from None
    _check_names(schema, file)
    return schema


def _named(file: YamlFile, name: str, body: Any) -> dict[str, Any]:
    where = file.where(("features", name))
    if not isinstance(body, dict):
        raise ConfigError(f"{where} is {body!r}; allowed: keys of its own, at least type, as in {{type: number}}")
    if "name" in body:
        raise ConfigError(f"{where}.name is not a key here: the name is the key above it")
    return {**{str(key): value for key, value in body.items()}, "name": name}


def _check_names(schema: Schema, file: YamlFile) -> None:
    """Columns and kinds that are named elsewhere in the schema have to be there."""
    names = [feature.name for feature in schema.features]
    for where, named in [("label", (schema.label,)), ("key", schema.key)]:
        for name in named:
            if name not in names:
                raise ConfigError(
                    f'{file.where((where,))} is "{name}", which features does not list\n    {allowed_values(name, names)}'
                )
    for at, waiver in enumerate(schema.waivers):
        if waiver.kind not in KINDS and not waiver.kind.startswith("gx:"):
            raise ConfigError(
                f'{file.where(("waivers", at, "kind"))} is "{waiver.kind}"\n    {allowed_values(waiver.kind, (*KINDS, "gx:EXPECTATION_TYPE"))}'
            )
        if waiver.column not in ("", *names) and waiver.kind != "new_column":
            raise ConfigError(
                f'{file.where(("waivers", at, "column"))} is "{waiver.column}", which features does not list\n    '
                f"{allowed_values(waiver.column, names)}"
            )


def _key(place: KeyPath, names: list[str]) -> KeyPath:
    """Where in the file pydantic's `place` is: features are a list to it, and a mapping in the file."""
    if len(place) > 1 and place[0] == "features" and isinstance(place[1], int):
        return ("features", names[place[1]], *place[2:])
    return place


def _model_at(place: KeyPath) -> type[BaseModel]:
    """The record whose keys stand at `place`."""
    if place[:1] == ("waivers",):
        return Waiver
    if place[:1] == ("features",):
        parts: dict[str | int, type[BaseModel]] = {"range": Range, "drift": Drift}
        return parts.get(place[2], Feature) if len(place) > 2 else Feature
    return Schema


def _keys(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if (model, name) != (Feature, "name")]


def schema_to_yaml(schema: Schema) -> str:
    """The YAML that `load_schema` reads as `schema`; what is at its default is left out, but for presence and domain."""
    import yaml

    content: dict[str, Any] = {"label": schema.label}
    if schema.key:
        content["key"] = schema.key[0] if len(schema.key) == 1 else list(schema.key)
    content["min_rows"] = schema.min_rows
    content["features"] = {feature.name: _feature_content(feature) for feature in schema.features}
    if schema.waivers:
        content["waivers"] = [waiver.model_dump() for waiver in schema.waivers]
    # PyYAML writes these line ends as they are, and reads them back as spaces; escaped, with all that is not ASCII, they last.
    plain = not set(schema.to_json()) & {"\x85", "\u2028", "\u2029", "\ufeff"}
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=plain, width=120, default_flow_style=None))


def _feature_content(feature: Feature) -> dict[str, Any]:
    content = feature.model_dump(mode="json", exclude_defaults=True, exclude={"name", "presence", "domain"})
    words = {1.0: "required", 0.0: "optional"}
    content["presence"] = words.get(feature.presence) or {"min_fraction": feature.presence}
    if feature.type == "string":
        content["domain"] = "open" if feature.domain is None else list(feature.domain)
    elif feature.domain is not None:
        content["domain"] = list(feature.domain)
    return content
