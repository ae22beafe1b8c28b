"""Finds the mistakes in pipeline files, their schemas, suites and DAG files, without Airflow."""

import ast
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from taxiway.cli.lint.columns import column_mistakes
from taxiway.cli.lint.stubs import stub_mistakes
from taxiway.data.schema.file import load_schema
from taxiway.data.sources.find import check_source
from taxiway.errors import ConfigError, FitError, UntrustedModelError
from taxiway.evaluation.metrics.own import metric_function
from taxiway.features.weights import weight_function
from taxiway.registry.register import check_savable
from taxiway.spec.base import CONTINUOUS_TRAINING
from taxiway.spec.files.pipeline_file import SUFFIX, line_of, read_pipeline
from taxiway.spec.monitor.action import WARM_START, has_warm_start, model_for
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.python_refs import never_exiting
from taxiway.stages.monitor.windows.checks import check_function
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit_on_few
from taxiway.training.own.function import OwnFunction
from taxiway.training.own.training import OwnTraining
from taxiway.training.rows import TrainingRows
from taxiway.tuning.search_space import parameter_sets

STUB = """from taxiway.templates import load_pipeline  # an airflow dag

dag = load_pipeline(__file__)
"""


def pipeline_files(paths: Iterable[Path]) -> list[Path]:
    """Find the pipeline files among some files and folders, at any depth.

    Raises:
        ConfigError: A path is not a pipeline file and contains none.
    """
    found: list[Path] = []
    for path in paths:
        matching = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path] if path.name.endswith(SUFFIX) else []
        if not matching:
            got = "contains no pipeline file" if path.is_dir() else "is not a pipeline file"
            raise ConfigError(f"{path} {got}; allowed: a file whose name ends in {SUFFIX}, or a folder with such files")
        found.extend(matching)
    return found


@never_exiting()
def lint(files: Iterable[Path]) -> list[str]:
    """Find all mistakes in pipeline files.

    Returns:
        For each mistake `FILE:LINE: message`, with the allowed values on the next line. FILE has its folder if there are several.
    """
    given = list(files)
    several = len({file.parent for file in given}) > 1
    mistakes: list[str] = []
    names: dict[str, Path] = {}
    for file in given:
        folder = f"{file.parent}/" if several else ""
        mistakes += [f"{folder}{mistake.removeprefix(folder)}" for mistake in _mistakes(file, names)]
    return list(dict.fromkeys(mistakes))  # a team file is read again with each of its pipelines


def _mistakes(file: Path, names: dict[str, Path]) -> Iterator[str]:
    """The mistakes of one pipeline; `names` are those of the pipelines before it."""
    try:
        pipeline = read_pipeline(file)
    except ConfigError as error:
        yield str(error)
        return
    yield from _related_files(file, pipeline)
    if pipeline.name in names:
        yield (
            f"{file.name}:{line_of(file, ['pipeline'])}: pipeline {pipeline.name} is already defined in {names[pipeline.name]}\n"
            "    allowed: a name that no other pipeline of the team has"
        )
    names.setdefault(pipeline.name, file)


def _related_files(file: Path, pipeline: Pipeline) -> Iterator[str]:
    try:
        schema = load_schema(Path(pipeline.schema_file))
    except ConfigError as error:
        yield str(error)
    else:
        yield from column_mistakes(file, pipeline, schema)
    if pipeline.suite is not None:
        yield from _suite(Path(pipeline.suite))
    if pipeline.template != CONTINUOUS_TRAINING:
        yield from _template(Path(pipeline.template))
    yield from stub_mistakes(file, SUFFIX, "load_pipeline", STUB)
    yield from _source(file, pipeline)
    yield from _own_metrics(file, pipeline)
    yield from _weights(file, pipeline)
    yield from _checks(file, pipeline)
    try:
        estimator = build_estimator(pipeline.model, {}, pipeline.gate.problem)
        _check_savable(estimator, pipeline)
    except (ConfigError, UntrustedModelError) as error:
        yield f"{file.name}:{line_of(file, ['model'])}: {error}"
    else:
        yield from _swept(file, pipeline)
        yield from _warm_start(file, pipeline)


def _warm_start(file: Path, pipeline: Pipeline) -> Iterator[str]:
    """Whether the model can do the action `warm_start`, if monitoring may start it."""
    actions = pipeline.monitor.actions if pipeline.monitor is not None else ()
    if not has_warm_start(actions):
        return
    try:
        trained = build_estimator(model_for(pipeline.model, WARM_START, actions), {}, pipeline.gate.problem)
        if isinstance(trained, OwnFunction):
            trained.require_previous()
    except ConfigError as error:
        yield f"{file.name}:{line_of(file, ['monitor', 'retrain', 'actions'])}: {error}"


def _check_savable(estimator: Any, pipeline: Pipeline) -> None:
    """Fit the estimator on made-up rows, and check that it can be saved; nothing if it cannot be fitted to such rows."""
    if isinstance(estimator, OwnTraining):
        return
    made_up = TrainingRows.made_up(pipeline.gate.problem, weighted=pipeline.model.weight is not None)
    try:
        fit_on_few(estimator, made_up, pipeline.model.early_stopping)
    except FitError:
        return
    check_savable(estimator)


def _source(file: Path, pipeline: Pipeline) -> Iterator[str]:
    try:
        check_source(pipeline.source)
    except ConfigError as error:
        yield f"{file.name}:{line_of(file, ['source', pipeline.source.key])}: {error}"


def _own_metrics(file: Path, pipeline: Pipeline) -> Iterator[str]:
    for name, metric in pipeline.gate.metrics.items():
        if metric.function is None:
            continue
        try:
            metric_function(name, metric)
        except ConfigError as error:
            yield f"{file.name}:{line_of(file, ['gate', 'metrics', name, 'function'])}: {error}"


def _checks(file: Path, pipeline: Pipeline) -> Iterator[str]:
    for number, check in enumerate(pipeline.monitor.checks if pipeline.monitor is not None else ()):
        try:
            check_function(check)
        except ConfigError as error:
            yield f"{file.name}:{line_of(file, ['monitor', 'checks', number])}: {error}"


def _weights(file: Path, pipeline: Pipeline) -> Iterator[str]:
    if pipeline.model.weight_function is None:
        return
    try:
        weight_function(pipeline.model.weight_function)
    except ConfigError as error:
        yield f"{file.name}:{line_of(file, ['model', 'weight'])}: {error}"


def _suite(path: Path) -> Iterator[str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        yield f"{path.name}:{getattr(error, 'lineno', 1)}: not valid JSON: {error}"
        return
    if not isinstance(content, dict) or not isinstance(content.get("expectations"), list):
        yield f'{path.name}:1: not a Great Expectations suite; allowed: a JSON object with a list "expectations"'


def _template(path: Path) -> Iterator[str]:
    """Check the team's template without importing it, because Airflow may not be installed."""
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (SyntaxError, UnicodeDecodeError) as error:
        yield f"{path.name}:{getattr(error, 'lineno', 1)}: not valid Python: {error}"
        return
    found = [part for part in body if isinstance(part, ast.FunctionDef) and part.name == "template"]
    if not found:
        yield f"{path.name}:1: it has no function template\n    allowed: template(pipeline, team), which returns a DAG"
    for function in found:
        taken = function.args
        if taken.vararg is None and len(taken.posonlyargs) + len(taken.args) != 2:
            count = len(taken.args)
            yield (
                f"{path.name}:{function.lineno}: template() takes {count} argument{'' if count == 1 else 's'}\n"
                "    allowed: two arguments, pipeline and team"
            )


def _swept(file: Path, pipeline: Pipeline) -> Iterator[str]:
    """Check the first parameter set of the sweep; all sets have the same names."""
    if pipeline.sweep is None:
        return
    try:
        build_estimator(pipeline.model, parameter_sets(pipeline.sweep)[0], pipeline.gate.problem)
    except ConfigError as error:
        yield f"{file.name}:{line_of(file, ['sweep', 'space'])}: sweep.space: {error}"
