"""The text of a drafted schema file: the schema, and beside its columns what people should look at."""

from collections.abc import Iterable

import yaml

from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.file import feature_content, schema_to_yaml
from taxiway.data.schema.infer import remark
from taxiway.data.schema.model import Schema
from taxiway.data.schema.suggest import Suggestion
from taxiway.records import SchemaChange


def draft_text(schema: Schema, profile: Profile, name: str, suggestions: Iterable[Suggestion] = ()) -> str:
    """The schema of the data `name` as YAML; what `suggestions` ask for that it does not, in comments under their columns."""
    head = (
        f"# Drafted by `taxiway schema infer` from {profile.rows:,} rows of {_one_line(name)}: what was seen, not what is right.\n"
        "# Go through it: units and meanings are what people know, and a domain should be open where new values are normal.\n"
    )
    said: dict[str, list[str]] = {}
    for feature in schema.features:
        column = profile.column(feature.name)
        if column is not None and (words := remark(column)):
            said.setdefault(feature.name, []).append(words)
    bodies = {feature.name: feature_content(feature) for feature in schema.features}
    for suggestion in suggestions:
        body = bodies.get(suggestion.column)
        if body is not None and not all(_there(body, change) for change in suggestion.changes):
            said.setdefault(suggestion.column, []).append(f"suggested: {suggestion.describe()}")
    return head + _with_comments(schema_to_yaml(schema), said)


def _there(body: dict[str, object], change: SchemaChange) -> bool:
    key = change.path[-1]
    if key == "range" and isinstance(known := body.get(key), dict) and isinstance(change.value, dict):
        return set(change.value) <= set(known)
    return body.get(key) == change.value


def _with_comments(text: str, said: dict[str, list[str]]) -> str:
    """The comments of each column above it, indented as it is."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    features = next(value for key, value in root.value if key.value == "features")
    lines = text.split("\n")
    for key, _ in reversed(features.value):
        at, margin = key.start_mark.line, " " * key.start_mark.column
        lines[at:at] = [f"{margin}# {_one_line(words)}" for words in said.get(key.value, ())]
    return "\n".join(lines)


def _one_line(words: str) -> str:
    """Text as a comment holds it: what cannot be printed would make the file one that cannot be read."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(words.split()))
