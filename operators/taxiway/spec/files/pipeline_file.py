"""Read a pipeline file and the team file in its folder, with errors that name the file and the line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from taxiway.errors import ConfigError, similar_files
from taxiway.spec.base import CONTINUOUS_TRAINING
from taxiway.spec.model.command import beside
from taxiway.spec.model.section import Model
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source import KINDS, FunctionSource
from taxiway.spec.team import Team, loosened
from taxiway.spec.yaml_files.document import KeyPath, YamlFile, explain, read_yaml, together

SUFFIX = ".pipeline.yaml"
TEAM_FILE = "team.yaml"
M = TypeVar("M", bound=BaseModel)


def read_pipeline(path: Path) -> Pipeline:
    """The pipeline in a file; see `read_pipeline_and_team`."""
    return read_pipeline_and_team(path)[0]


def read_pipeline_and_team(path: Path) -> tuple[Pipeline, Team | None]:
    """The pipeline in a file, with absolute paths to the other files, and its team.

    Returns:
        The pipeline, and its team; None without a team file.

    Raises:
        ConfigError: One of the files is not valid, or the pipeline does not meet the team's requirements. The message lists every
            mistake.
    """
    file = read_yaml(path)
    pipeline = parse_file(file, Pipeline, "a pipeline file")
    team = read_team(path.parent)
    looser = loosened(pipeline, team) if team else ()
    if looser:
        raise together([file.error(key, f"{problem} ({TEAM_FILE})") for key, problem in looser])
    return pipeline.model_copy(update=_beside(file, pipeline)), team


def read_team(folder: Path) -> Team | None:
    """The team of the pipelines in a folder; None if there is no team file.

    Raises:
        ConfigError: The team file is not valid; the message lists every mistake.
    """
    path = folder / TEAM_FILE
    return parse_file(read_yaml(path), Team, "a team file") if path.is_file() else None


def parse_file(file: YamlFile, model: type[M], what: str) -> M:
    """What a file describes; `what` is the kind of file in errors.

    Raises:
        ConfigError: The file is not valid; the message lists every mistake.
    """
    if not isinstance(file.content, dict):
        raise ConfigError(f"{file.path}:1: {what} must be a mapping with the keys {', '.join(_fields_of(model))}")
    try:
        return model.model_validate(file.content)
    except ValidationError as error:
        raise explain(file, error.errors(), _key_of, lambda place: _fields_at(model, place)) from None


def line_of(path: Path, key: Sequence[int | str]) -> int:
    """The line of a key in a pipeline file, or of the nearest key above it that is in the file."""
    return read_yaml(path).line(tuple(key))


def _beside(file: YamlFile, pipeline: Pipeline) -> dict[str, Any]:
    """The fields of `pipeline` that name files, with their absolute paths."""
    found: dict[str, Any] = {"schema_file": find_beside(file, ("schema",), pipeline.schema_file, ".yaml")}
    if pipeline.suite is not None:
        found["suite"] = find_beside(file, ("suite",), pipeline.suite, ".json")
    if pipeline.template != CONTINUOUS_TRAINING:
        found["template"] = find_beside(file, ("template",), pipeline.template, ".py")
    if pipeline.features.build is not None:
        build = _find_function(file, ("features", "build"), pipeline.features.build)
        found["features"] = pipeline.features.model_copy(update={"build": build})
    found["model"] = pipeline.model.model_copy(update=_of_model(file, pipeline.model))
    functions = {name: metric.function for name, metric in pipeline.gate.metrics.items() if metric.function is not None}
    if functions:
        metrics = {
            name: pipeline.gate.metrics[name].model_copy(
                update={"function": _find_function(file, ("gate", "metrics", name, "function"), function)}
            )
            for name, function in functions.items()
        }
        found["gate"] = pipeline.gate.model_copy(update={"metrics": {**pipeline.gate.metrics, **metrics}})
    if pipeline.monitor is not None and pipeline.monitor.checks:
        checks = (
            _find_function(file, ("monitor", "checks", number), check) for number, check in enumerate(pipeline.monitor.checks)
        )
        found["monitor"] = pipeline.monitor.model_copy(update={"checks": tuple(checks)})
    if isinstance(pipeline.source, FunctionSource):
        function = _find_function(file, ("source", "function"), pipeline.source.function)
        found["source"] = pipeline.source.model_copy(update={"function": function})
    return found


def _of_model(file: YamlFile, model: Model) -> dict[str, Any]:
    """The fields of the section `model` that name files, with their absolute paths."""
    functions = {"build": model.build, "train": model.train, "weight": model.weight_function}
    found: dict[str, Any] = {
        key: _find_function(file, ("model", key), function) for key, function in functions.items() if function is not None
    }
    if model.command is not None:
        found["command"] = beside(model.command, file.path.parent)
    return found


def _find_function(file: YamlFile, key: KeyPath, path: str) -> str:
    """`FILE.py:function` with the absolute path of the file; `package.module:function` as it is."""
    name, _, function = path.rpartition(":")
    return f"{find_beside(file, key, name, '.py')}:{function}" if name.endswith(".py") else path


def find_beside(file: YamlFile, key: KeyPath, name: str, suffix: str) -> str:
    """The absolute path of a file that a key names, in the folder of `file`.

    Raises:
        ConfigError: The file does not exist.
    """
    beside = file.path.parent / name
    if Path(name).name != name or not beside.is_file():
        similar = similar_files(file.path.parent, Path(name).name, suffix, exclude=file.path)
        raise file.error(key, f'is "{name}", which is not a file in the folder of the pipeline file; {similar}', got=name)
    return str(beside.resolve())


def _key_of(place: KeyPath) -> KeyPath:
    """The key in the file for pydantic's `place`, without the branches of unions, which are not keys."""
    return tuple(part for part in place if not (isinstance(part, str) and _is_branch(part)))


def _is_branch(part: str) -> bool:
    return part.startswith("function-") or part == "[key]" or part in {kind.__name__ for kind in KINDS}


def _fields_at(model: type[BaseModel], place: KeyPath) -> dict[str, FieldInfo]:
    """The allowed keys at pydantic's `place`; in a union, those of the chosen branch, or of all branches."""
    models = [model]
    for part in place:
        chosen = [model for model in models if model.__name__ == part]
        annotations = [_fields_of(model)[str(part)].annotation for model in models if str(part) in _fields_of(model)]
        # The key of a mapping is a free name, not a field: keep the models.
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
