"""Reading a pipeline file and the team file beside it, with errors that name file, line, what was got, what is allowed.

libyaml's loader, because every task of a DAG parses its file again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from taxiway.errors import ConfigError
from taxiway.spec.base import CONTINUOUS_TRAINING
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source import KINDS, FunctionSource
from taxiway.spec.team import Team, loosened
from taxiway.spec.yaml_document import KeyPath, YamlFile, explain, read_yaml, together

SUFFIX = ".pipeline.yaml"
TEAM_FILE = "team.yaml"
M = TypeVar("M", bound=BaseModel)


def read_pipeline(path: Path) -> Pipeline:
    """The pipeline that `path` describes; see `read_pipeline_and_team`."""
    return read_pipeline_and_team(path)[0]


def read_pipeline_and_team(path: Path) -> tuple[Pipeline, Team | None]:
    """The pipeline that `path` describes, with the paths of the files that it names made absolute, and its team.

    Raises ConfigError naming every mistake in either file, and where the pipeline is looser than its team allows.
    """
    file = read_yaml(path)
    pipeline = _parse(file, Pipeline, "a pipeline file")
    team = read_team(path.parent)
    looser = loosened(pipeline, team) if team else ()
    if looser:
        raise together([file.error(key, f"{said} ({TEAM_FILE})") for key, said in looser])
    return pipeline.model_copy(update=_beside(file, pipeline)), team


def read_team(folder: Path) -> Team | None:
    """The team whose pipelines lie in `folder`; None where it has no team file. Raises ConfigError naming every mistake in it."""
    path = folder / TEAM_FILE
    return _parse(read_yaml(path), Team, "a team file") if path.is_file() else None


def _parse(file: YamlFile, model: type[M], what: str) -> M:
    if not isinstance(file.content, dict):
        raise ConfigError(f"{file.path}:1: {what} is a mapping with the keys {', '.join(_fields_of(model))}")
    try:
        return model.model_validate(file.content)
    except ValidationError as error:
        raise explain(file, error.errors(), _key_of, lambda place: _fields_at(model, place)) from None


def line_of(path: Path, key: Sequence[int | str]) -> int:
    """The line on which a key of a pipeline file stands, or the nearest key above it."""
    return read_yaml(path).line(tuple(key))


def _beside(file: YamlFile, pipeline: Pipeline) -> dict[str, Any]:
    """The fields of `pipeline` that name files, with their absolute paths."""
    found: dict[str, Any] = {"schema_file": _find(file, ("schema",), pipeline.schema_file, ".yaml")}
    if pipeline.suite is not None:
        found["suite"] = _find(file, ("suite",), pipeline.suite, ".json")
    if pipeline.template != CONTINUOUS_TRAINING:
        found["template"] = _find(file, ("template",), pipeline.template, ".py")
    if pipeline.model.build is not None:
        build = _find_function(file, ("model", "build"), pipeline.model.build)
        found["model"] = pipeline.model.model_copy(update={"build": build})
    if isinstance(pipeline.source, FunctionSource):
        function = _find_function(file, ("source", "function"), pipeline.source.function)
        found["source"] = pipeline.source.model_copy(update={"function": function})
    return found


def _find_function(file: YamlFile, key: KeyPath, path: str) -> str:
    """`FILE.py:function` with the absolute path of the file; `package.module:function` as it is."""
    name, _, function = path.rpartition(":")
    return f"{_find(file, key, name, '.py')}:{function}" if name.endswith(".py") else path


def _find(file: YamlFile, key: KeyPath, name: str, suffix: str) -> str:
    beside = file.path.parent / name
    if Path(name).name != name or not beside.is_file():
        there = sorted(p.name for p in file.path.parent.iterdir() if p.suffix == suffix and p != file.path)
        raise file.error(key, f'is "{name}", which is no file beside it', got=name, allowed=there or ("none",))
    return str(beside.resolve())


def _key_of(place: KeyPath) -> KeyPath:
    """Where in the file pydantic's `place` is: it also names the branch of a union that it tried, which is no key."""
    return tuple(part for part in place if not (isinstance(part, str) and _is_branch(part)))


def _is_branch(part: str) -> bool:
    return part.startswith("function-") or part == "[key]" or part in {kind.__name__ for kind in KINDS}


def _fields_at(model: type[BaseModel], place: KeyPath) -> dict[str, FieldInfo]:
    """The keys that the part of a `model` at pydantic's `place` has; in a union, those of the branch that it chose, or of all."""
    models = [model]
    for part in place:
        chosen = [model for model in models if model.__name__ == part]
        annotations = [_fields_of(model)[str(part)].annotation for model in models if str(part) in _fields_of(model)]
        # The key that follows a mapping is a name of the file's own: it is no field, and the models stay.
        models = chosen or [found for annotation in annotations for found in _models_in(annotation)] or models
    return {key: field for model in models for key, field in _fields_of(model).items()}


def _fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by their keys in a file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    if origin in (Annotated, Union, UnionType) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []
