"""Reading a pipeline file: YAML to Pipeline, with errors that name file, line, what was got, what is allowed.

libyaml's loader, because every task of a DAG parses its file again.
"""

from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from taxiway.errors import ConfigError, allowed_values
from taxiway.pipeline import Pipeline

SUFFIX = ".pipeline.yaml"


def read_pipeline(path: Path) -> Pipeline:
    """The pipeline that `path` describes, with the paths of its schema and suite made absolute.

    Raises ConfigError naming every mistake in the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        there = [p.name for p in path.parent.glob(f"*{SUFFIX}")]
        raise ConfigError(f"{path} does not exist; in its folder: {', '.join(sorted(there)) or 'no pipeline file'}") from None
    try:
        content = yaml.load(text, Loader=yaml.CSafeLoader)
        pipeline = Pipeline.model_validate(content)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path.name}:{line}: this is not YAML: {error.problem}") from error
    except ValidationError as error:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        found = [_describe(path.name, node, details) for details in error.errors()]
        raise ConfigError("\n".join(found)) from error
    return pipeline.model_copy(update=_beside(path, pipeline))


def line_of(path: Path, key: Sequence[int | str]) -> int:
    """The line on which a key of a pipeline file stands, or the nearest key above it."""
    return _line(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), list(key))


def _beside(path: Path, pipeline: Pipeline) -> dict[str, str]:
    found = {}
    for key, name in (("schema_file", pipeline.schema_file), ("suite", pipeline.suite)):
        if name is None:
            continue
        file = path.parent / name
        if not file.is_file():
            there = sorted(p.name for p in path.parent.iterdir() if p.is_file())
            raise ConfigError(
                f'{path.name}: {key.removesuffix("_file")} is "{name}", which is not beside it; {allowed_values(name, there)}'
            )
        found[key] = str(file.resolve())
    return found


def _describe(file: str, root: yaml.Node | None, details: ErrorDetails) -> str:
    path = [part for part in details["loc"] if not _is_type_tag(part)]
    where = ".".join(str(part) for part in path) or "the file"
    head = f"{file}:{_line(root, path)}: {where}"
    match details["type"]:
        case "extra_forbidden":
            return f"{head} is not a key here\n    {allowed_values(str(path[-1]), _keys_at(path[:-1]))}"
        case "missing":
            return f"{head} is missing; it must be given"
        case "literal_error":
            allowed = [word.strip().strip("'") for word in details["ctx"]["expected"].replace(" or ", ", ").split(",")]
            return f'{head} is "{details["input"]}"\n    {allowed_values(str(details["input"]), allowed)}'
        case _:
            return f"{head} is {details['input']!r}: {details['msg'].removeprefix('Value error, ')}"


def _line(root: yaml.Node | None, path: list[int | str]) -> int:
    """The line of the deepest node on `path` that the file has: keys' own lines, so that a bad value shows with its key."""
    node, line = root, 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == str(part)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _keys_at(path: list[int | str]) -> list[str]:
    """The keys that the model at `path` has."""
    model: type[BaseModel] = Pipeline
    for part in path:
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        model = _model_in(fields.get(str(part))) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return next((m for m in map(_model_in, get_args(annotation)) if m), None)
    return None


def _is_type_tag(part: int | str) -> bool:
    # pydantic names the branch of a union that it tried, such as `literal['auto']`; that is no key of the file.
    return isinstance(part, str) and (part.startswith(("literal[", "tuple[", "function-")) or part == "[key]")
