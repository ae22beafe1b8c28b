"""Finding the mistakes in pipeline files without Airflow: each file, its schema, its suite, its stub, and the files together."""

import ast
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from taxiway.data.schema.file import Schema, label_text, load_schema
from taxiway.data.schema.model import NUMERIC_TYPES
from taxiway.data.sources.find import check_source
from taxiway.data.validation.checks.lifecycle import stage_anomaly
from taxiway.errors import ConfigError, allowed_values
from taxiway.features.transform import choose_columns
from taxiway.spec.base import CONTINUOUS_TRAINING
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.pipeline_file import SUFFIX, line_of, read_pipeline
from taxiway.spec.selection import Split
from taxiway.spec.source import Source
from taxiway.training.estimator import build_estimator
from taxiway.tuning.search_space import parameter_sets

STUB = """from taxiway.templates import load_pipeline  # an airflow dag

dag = load_pipeline(__file__)
"""


def pipeline_files(paths: Iterable[Path]) -> list[Path]:
    """The pipeline files that `paths` are, or hold at any depth. Raises ConfigError where a path holds none."""
    found: list[Path] = []
    for path in paths:
        here = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path] if path.name.endswith(SUFFIX) else []
        if not here:
            raise ConfigError(f"{path} is no pipeline file and holds none; their names end in {SUFFIX}")
        found.extend(here)
    return found


def lint(files: Iterable[Path]) -> list[str]:
    """Every mistake in `files`, as `FILE:LINE: what it is`, with what is allowed on a line of its own."""
    mistakes: list[str] = []
    names: dict[str, Path] = {}
    for file in files:
        try:
            pipeline = read_pipeline(file)
        except ConfigError as error:
            mistakes.append(str(error))
            continue
        mistakes.extend(_beside(file, pipeline))
        if pipeline.name in names:
            mistakes.append(
                f"{file.name}:{line_of(file, ['pipeline'])}: pipeline {pipeline.name} is already that of {names[pipeline.name]}\n"
                "    allowed: one pipeline for each model"
            )
        names.setdefault(pipeline.name, file)
    return list(dict.fromkeys(mistakes))  # one team file is read with each pipeline beside it


def _beside(file: Path, pipeline: Pipeline) -> Iterator[str]:
    try:
        schema = load_schema(Path(pipeline.schema_file))
    except ConfigError as error:
        yield str(error)
    else:
        yield from _columns(file, pipeline, schema)
    if pipeline.suite is not None:
        yield from _suite(Path(pipeline.suite))
    if pipeline.template != CONTINUOUS_TRAINING:
        yield from _template(Path(pipeline.template))
    yield from _stub(file)
    yield from _source(file, pipeline)
    try:
        build_estimator(pipeline.model, {}, pipeline.gate.problem)
    except ConfigError as error:
        yield f"{file.name}:{line_of(file, ['model'])}: {error}"
    else:
        yield from _swept(file, pipeline)


def _columns(file: Path, pipeline: Pipeline, schema: Schema) -> Iterator[str]:
    known = [feature.name for feature in schema.features]
    asked = list(_of_source(pipeline.source))
    if pipeline.gate.slices is not None:
        asked += [(["gate", "slices", "by"], column) for column in pipeline.gate.slices.by]
    for path, column in asked:
        if column not in known:
            yield f'{file.name}:{line_of(file, path)}: {".".join(path)} is "{column}", no column of the schema\n    {allowed_values(column, known)}'
    if pipeline.source.label in known:
        if pipeline.source.label != schema.label:
            yield (
                f'{file.name}:{line_of(file, ["source", "label"])}: source.label is "{pipeline.source.label}", the schema '
                f"{label_text(schema)}\n    allowed: the same in both"
            )
        yield from _label(file, pipeline, schema)
        try:
            choose_columns(schema, pipeline.features, pipeline.source.label)
        except ConfigError as error:
            yield f"{file.name}:{line_of(file, ['features'])}: {error}"
        yield from _immature(file, pipeline, schema)


def _immature(file: Path, pipeline: Pipeline, schema: Schema) -> Iterator[str]:
    """Columns that the pipeline names, and whose stage keeps them from production models; `auto` leaves them out."""
    today = datetime.now(UTC).date()
    for side in ("numeric", "categorical"):
        asked = getattr(pipeline.features, side)
        for feature in schema.features if asked != "auto" else ():
            if feature.name not in asked or feature.name in pipeline.features.drop:
                continue
            found = stage_anomaly(feature, [pipeline.name], "")
            if found is None or feature.stage.usable or any(waiver.covers(found, today) for waiver in schema.waivers):
                continue
            yield f"{file.name}:{line_of(file, ['features', side])}: {found.message}"


def _of_source(source: Source) -> Iterator[tuple[list[str], str]]:
    """Every column of the rows that the section `source` names, and where."""
    yield ["source", "label"], source.label
    if source.sample is not None:
        yield ["source", "sample", "by"], source.sample.by
        if source.sample.stratify is not None:
            yield ["source", "sample", "stratify"], source.sample.stratify
    if isinstance(source.split, Split):
        yield ["source", "split", "by"], source.split.by
    for name, join in source.join.items():
        at = ["source", "join", name]
        yield from (([*at, "on"], column) for column in join.on)
        yield from (([*at, "as_of"], column) for column in join.as_of or {})
        yield from (([*at, "columns"], column) for column in join.brings.values())


def _label(file: Path, pipeline: Pipeline, schema: Schema) -> Iterator[str]:
    feature = schema.feature(pipeline.source.label)
    if pipeline.gate.problem == "regression" and feature is not None and feature.type not in NUMERIC_TYPES:
        yield (
            f'{file.name}:{line_of(file, ["gate"])}: the metrics of gate are of numbers, and the schema has "{feature.name}" as '
            f"{feature.type}\n    allowed: a label of type {' or '.join(NUMERIC_TYPES)}; or metrics of classes, such as roc_auc"
        )


def _source(file: Path, pipeline: Pipeline) -> Iterator[str]:
    try:
        check_source(pipeline.source)
    except ConfigError as error:
        yield f"{file.name}:{line_of(file, ['source', pipeline.source.key])}: {error}"


def _suite(path: Path) -> Iterator[str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        yield f"{path.name}:{getattr(error, 'lineno', 1)}: this is not JSON: {error}"
        return
    if not isinstance(content, dict) or not isinstance(content.get("expectations"), list):
        yield f"{path.name}:1: this is no suite of Great Expectations; allowed: an object with a list of expectations"


def _template(path: Path) -> Iterator[str]:
    """It imports Airflow, which need not be here, so it is read and not run."""
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (SyntaxError, UnicodeDecodeError) as error:
        yield f"{path.name}:{getattr(error, 'lineno', 1)}: this is not Python: {error}"
        return
    found = [part for part in body if isinstance(part, ast.FunctionDef) and part.name == "template"]
    if not found:
        yield f"{path.name}:1: there is no function template\n    allowed: def template(pipeline, team): ... that gives back a DAG"
    for function in found:
        taken = function.args
        if taken.vararg is None and len(taken.posonlyargs) + len(taken.args) != 2:
            yield f"{path.name}:{function.lineno}: template takes {len(taken.args)} arguments\n    allowed: two, pipeline and team"


def _stub(file: Path) -> Iterator[str]:
    stub = file.with_name(file.name.removesuffix(SUFFIX) + ".py")
    if not stub.is_file():
        yield f"{file.name}:1: there is no {stub.name} beside it, so Airflow does not see it; its content:\n{_indented(STUB)}"
        return
    text = stub.read_text(encoding="utf-8")
    if "load_pipeline(" not in text:
        yield f"{stub.name}:1: it does not load the pipeline beside it; its content should be:\n{_indented(STUB)}"
    if "load_pipeline(__file__)" in text and not ("airflow" in text.lower() and "dag" in text.lower()):
        yield f'{stub.name}:1: Airflow skips files without the words "airflow" and "dag"; its content should be:\n{_indented(STUB)}'


def _swept(file: Path, pipeline: Pipeline) -> Iterator[str]:
    """The first parameter set that the estimator refuses; all sets have the same names."""
    if pipeline.sweep is None:
        return
    try:
        build_estimator(pipeline.model, parameter_sets(pipeline.sweep)[0], pipeline.gate.problem)
    except ConfigError as error:
        yield f"{file.name}:{line_of(file, ['sweep', 'space'])}: sweep.space: {error}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
