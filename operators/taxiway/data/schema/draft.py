"""The text of a drafted schema file: the schema, with comments on what to review."""

from collections.abc import Iterable, Mapping

import yaml

from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.file import feature_content, schema_to_yaml
from taxiway.data.schema.model import Schema
from taxiway.data.schema.suggest import Suggestion
from taxiway.messages import counted
from taxiway.records import SchemaChange


def render_draft(
    schema: Schema, profile: Profile, data_name: str, remarks: Mapping[str, str], suggestions: Iterable[Suggestion] = ()
) -> str:
    """A drafted schema as YAML, with comments above its features.

    Args:
        schema: The schema.
        profile: The profile that it was inferred from.
        data_name: The file name of the data.
        remarks: What to look at in a column; see `remarks_of`.
        suggestions: Constraints to propose in comments, if the schema does not have them.
    """
    header = (
        f"# Drafted by `taxiway schema infer` from {counted(profile.rows, 'row')} of {_one_line(data_name)}. It describes the data that was read, not what is correct.\n"
        "# Review it: add `unit` and `description`, and set `domain: open` where new values are expected.\n"
    )
    comments: dict[str, list[str]] = {}
    for feature in schema.features:
        if feature.name in remarks:
            comments.setdefault(feature.name, []).append(remarks[feature.name])
    contents = {feature.name: feature_content(feature) for feature in schema.features}
    for suggestion in suggestions:
        body = contents.get(suggestion.column)
        if body is not None and not all(_has(body, change) for change in suggestion.changes):
            comments.setdefault(suggestion.column, []).append(f"suggested: {suggestion.describe()}")
    return header + with_comments(schema_to_yaml(schema), comments)


def _has(body: dict[str, object], change: SchemaChange) -> bool:
    key = change.path[-1]
    if key == "range" and isinstance(known := body.get(key), dict) and isinstance(change.value, dict):
        return set(change.value) <= set(known)
    return body.get(key) == change.value


def with_comments(text: str, comments: Mapping[str, Iterable[str]]) -> str:
    """The text of a schema file with the comments of each column above it."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    features = next(value for key, value in root.value if key.value == "features")
    lines = text.split("\n")
    for key, _ in reversed(features.value):
        line, indent = key.start_mark.line, " " * key.start_mark.column
        lines[line:line] = [f"{indent}# {_one_line(comment)}" for comment in comments.get(key.value, ())]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    """Text for a YAML comment, in which characters that cannot be printed are not allowed."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))
