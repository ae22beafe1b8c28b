"""The mistakes in pipeline files about columns: those that the schema does not have, or has with another type."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from taxiway.data.ingest.row_filter import check_filter
from taxiway.data.ingest.sampling import TIMES
from taxiway.data.schema.feature import LIST_TYPES, NUMERIC_TYPES, TYPES
from taxiway.data.schema.file import Schema, label_text
from taxiway.data.validation.checks.lifecycle import stage_anomaly
from taxiway.errors import ConfigError, UntrustedModelError, allowed_values
from taxiway.features.columns import FeatureColumns, choose_columns
from taxiway.features.own_transform import OwnTransform
from taxiway.registry.register import check_savable
from taxiway.spec.files.pipeline_file import line_of
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.python_refs import function_hint
from taxiway.spec.source import Source, TableSource
from taxiway.spec.source.selection import Split

NUMBERS = (*NUMERIC_TYPES, "boolean")


def column_mistakes(file: Path, pipeline: Pipeline, schema: Schema) -> Iterator[str]:
    """Columns that a pipeline file names, and that the schema does not have, or has with a type that cannot be used so."""
    known = [feature.name for feature in schema.features]
    named = [*_source_columns(pipeline.source), *_other_columns(pipeline)]
    for path, column in named:
        if column not in known:
            hint = function_hint(column) if path == ["model", "weight"] else ""
            yield (
                f'{file.name}:{line_of(file, path)}: {".".join(path)} is "{column}", which is not a column of the schema{hint}\n'
                f"    {allowed_values(column, known)}"
            )
    yield from _split_by_time(file, pipeline.source, schema)
    yield from _numbers(file, pipeline, schema)
    yield from _lists(file, pipeline, schema)
    if pipeline.source.rows is not None:
        try:
            check_filter(pipeline.source.rows, pipeline.source.own(schema.types))
        except ConfigError as error:
            yield f"{file.name}:{line_of(file, ['source', 'rows'])}: {error}"
    if pipeline.source.label in known:
        if pipeline.source.label != schema.label:
            yield (
                f'{file.name}:{line_of(file, ["source", "label"])}: source.label is "{pipeline.source.label}", but the schema '
                f"{label_text(schema)}\n    allowed: the same label in both"
            )
        yield from _label(file, pipeline, schema)
        try:
            is_known = pipeline.model.weight_column in known  # else it is reported above, under its own key
            used = pipeline.used_features if is_known else pipeline.features
            chosen = choose_columns(schema, used, pipeline.source.label)
            if pipeline.features.build is not None:
                OwnTransform(pipeline.features.build, chosen, check_savable)
        except (ConfigError, UntrustedModelError) as error:
            yield f"{file.name}:{line_of(file, ['features'])}: {error}"
        yield from _unusable_features(file, pipeline, schema)


def _unusable_features(file: Path, pipeline: Pipeline, schema: Schema) -> Iterator[str]:
    """Features that the pipeline names although their lifecycle stage excludes them from models; `auto` leaves them out."""
    today = datetime.now(UTC).date()
    for kind in FeatureColumns._fields:
        named = getattr(pipeline.features, kind)
        for feature in schema.features if named != "auto" else ():
            if feature.name not in named or feature.name in pipeline.features.drop:
                continue
            found = stage_anomaly(feature, [pipeline.name], "")
            if found is None or feature.stage.usable or any(waiver.covers(found, today) for waiver in schema.waivers):
                continue
            yield f"{file.name}:{line_of(file, ['features', kind])}: {found.message}"


def _other_columns(pipeline: Pipeline) -> Iterator[tuple[list[str], str]]:
    """Every column that the sections `model` and `gate` name, with the key that names it."""
    if pipeline.model.weight_column is not None:
        yield ["model", "weight"], pipeline.model.weight_column
    if pipeline.gate.group_by is not None:
        yield ["gate", "group_by"], pipeline.gate.group_by
    for name, metric in pipeline.gate.metrics.items():
        if metric.times is not None:
            yield ["gate", "metrics", name, "times"], metric.times
    for column in pipeline.gate.slices.by if pipeline.gate.slices is not None else ():
        yield ["gate", "slices", "by"], column


def _source_columns(source: Source) -> Iterator[tuple[list[str], str]]:
    """Every column that the section `source` names, with the key that names it."""
    yield ["source", "label"], source.label
    yield from ((["source", "rename", old], new) for old, new in source.rename.items())
    if isinstance(source, TableSource):
        yield ["source", "time"], source.time
    if source.sample is not None:
        yield ["source", "sample", "by"], source.sample.by
        if source.sample.stratify is not None:
            yield ["source", "sample", "stratify"], source.sample.stratify
    if isinstance(source.split, Split):
        yield from ((["source", "split", key], column) for key, column in source.split.columns if column is not None)
    for name, join in source.join.items():
        section = ["source", "join", name]
        yield from (([*section, "on"], column) for column in join.on)
        yield from (([*section, "as_of"], column) for column in join.as_of or {})
        yield from (([*section, "columns"], column) for column in join.joined_columns.values())


def _split_by_time(file: Path, source: Source, schema: Schema) -> Iterator[str]:
    feature = schema.feature(source.split.by_time) if isinstance(source.split, Split) and source.split.by_time else None
    if feature is not None and feature.type not in TIMES:
        yield (
            f'{file.name}:{line_of(file, ["source", "split", "by_time"])}: source.split.by_time is "{feature.name}", whose type in the '
            f"schema is {feature.type}\n    allowed: a column of type {', '.join(TIMES)}"
        )


def _numbers(file: Path, pipeline: Pipeline, schema: Schema) -> Iterator[str]:
    """Columns that the pipeline multiplies by, and whose type in the schema is not numeric."""
    named = [(["model", "weight"], pipeline.model.weight_column)]
    named += [(["gate", "metrics", name, "times"], metric.times) for name, metric in pipeline.gate.metrics.items()]
    for path, column in named:
        feature = schema.feature(column) if column is not None else None
        if feature is not None and feature.type not in NUMBERS:
            yield (
                f'{file.name}:{line_of(file, path)}: {".".join(path)} is "{column}", whose type in the schema is {feature.type}\n'
                f"    allowed: a column of type {' or '.join(NUMBERS)}"
            )


def _lists(file: Path, pipeline: Pipeline, schema: Schema) -> Iterator[str]:
    """Columns by whose values rows are grouped, matched, sampled or split, and whose type in the schema is a list."""
    gate, source = pipeline.gate, pipeline.source
    named = [(["gate", "group_by"], gate.group_by)]
    named += [(["gate", "slices", "by"], column) for column in (gate.slices.by if gate.slices is not None else ())]
    if source.sample is not None:
        named += [(["source", "sample", "by"], source.sample.by), (["source", "sample", "stratify"], source.sample.stratify)]
    if isinstance(source.split, Split):
        named += [(["source", "split", key], column) for key, column in source.split.columns if key != "by_time"]
    named += [(["source", "join", name, "on"], column) for name, join in source.join.items() for column in join.on]
    for path, column in named:
        feature = schema.feature(column) if column is not None else None
        if feature is not None and feature.type in LIST_TYPES:
            yield (
                f'{file.name}:{line_of(file, path)}: {".".join(path)} is "{column}", whose type in the schema is {feature.type}\n'
                f"    allowed: a column of type {', '.join(kind for kind in TYPES if kind not in LIST_TYPES)}"
            )


def _label(file: Path, pipeline: Pipeline, schema: Schema) -> Iterator[str]:
    feature = schema.feature(pipeline.source.label)
    if pipeline.gate.problem == "regression" and feature is not None and feature.type not in NUMERIC_TYPES:
        yield (
            f'{file.name}:{line_of(file, ["gate"])}: the gate has regression metrics, but the type of "{feature.name}" in the schema '
            f"is {feature.type}\n    allowed: a label of type {' or '.join(NUMERIC_TYPES)}, or classification metrics such as roc_auc"
        )
