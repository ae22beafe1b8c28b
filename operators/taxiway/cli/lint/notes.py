"""The notes of `taxiway lint`, which are not mistakes: missing documentation and purpose, deprecated features, conditions that lack rows."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from taxiway.cli.lint.conditions import condition_notes
from taxiway.cli.lint.purpose import purpose_notes
from taxiway.data.schema.constraints import LifecycleStage
from taxiway.data.schema.file import load_schema
from taxiway.data.schema.model import Schema
from taxiway.data.validation.checks.lifecycle import missing_meaning, stage_anomaly
from taxiway.errors import ConfigError
from taxiway.features.columns import choose_columns
from taxiway.messages import names_text
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.pipeline import Pipeline

_CHARACTERS = 80


def notes(files: Iterable[Path]) -> list[str]:
    """Find missing documentation, deprecated features, conditions that need more rows than are promised, and what `purpose` lacks.

    Args:
        files: The pipeline files. Those with mistakes are skipped, because `lint` reports them.

    Returns:
        One line for each schema with missing documentation, one for each deprecated feature that a pipeline uses, and for each pipeline
        one if it does not say how much better than the champion a candidate must be, one for each condition, and one if its purpose is not
        complete.
    """
    schemas: dict[Path, Schema] = {}
    users: dict[tuple[Path, str], list[str]] = {}
    about_files: list[str] = []
    for file in files:
        try:
            pipeline = read_pipeline(file)
            path = Path(pipeline.schema_file)
            schema = schemas[path] if path in schemas else load_schema(path)
            used = {*choose_columns(schema, pipeline.used_features, pipeline.source.label).names}
        except ConfigError:
            continue
        schemas[path] = schema
        about_files += [*_margin_notes(file, pipeline), *condition_notes(file, pipeline), *purpose_notes(file, pipeline)]
        for feature in schema.features:
            if feature.name in used and feature.stage is LifecycleStage.DEPRECATED:
                users.setdefault((path, feature.name), []).append(pipeline.name)
    several = len({path.parent for path in schemas}) > 1
    shown = {path: str(path) if several else path.name for path in schemas}
    return [*_undocumented_columns(schemas, shown), *_deprecated_features(schemas, users, shown), *about_files]


def _margin_notes(file: Path, pipeline: Pipeline) -> Iterator[str]:
    """That a candidate must be shown to be better, if nobody has said whether it must."""
    against = pipeline.gate.against_champion
    if against is not None and "min_improvement" not in against.model_fields_set:
        yield (
            f"{file.name}: gate.against_champion.min_improvement is 0 by default, so a candidate that is as good as the champion within noise "
            "is UNDECIDED. For retraining on newer data, allow a small loss, such as -0.01 (non-inferiority); write 0 to keep it"
        )


def _undocumented_columns(schemas: dict[Path, Schema], shown: dict[Path, str]) -> Iterator[str]:
    for path, schema in schemas.items():
        columns_by_key: dict[str, list[str]] = {}
        for column, keys in missing_meaning(schema).items():
            for key in keys:
                columns_by_key.setdefault(key, []).append(column)
        if columns_by_key:
            each = _CHARACTERS // len(columns_by_key)
            parts = (f"`{key}` for {names_text(names, 'column', each)}" for key, names in columns_by_key.items())
            yield f"{shown[path]}: missing {'; '.join(parts)}"


def _deprecated_features(
    schemas: dict[Path, Schema], users: dict[tuple[Path, str], list[str]], shown: dict[Path, str]
) -> Iterator[str]:
    for (path, name), pipelines in users.items():
        feature = schemas[path].feature(name)
        found = stage_anomaly(feature, pipelines, "") if feature is not None else None
        if found is not None:
            yield f"{shown[path]}: {found.message}"
