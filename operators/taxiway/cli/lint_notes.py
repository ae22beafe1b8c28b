"""What `taxiway lint` says without failing: blanks of meaning in schemas, and deprecated features that are still in use."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from taxiway.data.schema.constraints import LifecycleStage
from taxiway.data.schema.file import load_schema
from taxiway.data.schema.model import Schema
from taxiway.data.validation.checks.lifecycle import missing_meaning, stage_anomaly
from taxiway.errors import ConfigError
from taxiway.features.transform import choose_columns
from taxiway.spec.pipeline_file import read_pipeline

_NAMED = 3


def notes(files: Iterable[Path]) -> list[str]:
    """One line for each schema with blanks, and one for each deprecated feature that pipelines in `files` use.

    Files with mistakes are passed over: those are told by `lint`.
    """
    schemas: dict[Path, Schema] = {}
    users: dict[tuple[Path, str], list[str]] = {}
    for file in files:
        try:
            pipeline = read_pipeline(file)
            path = Path(pipeline.schema_file)
            schema = schemas[path] if path in schemas else load_schema(path)
            used = {name for side in choose_columns(schema, pipeline.features, pipeline.source.label) for name in side}
        except ConfigError:
            continue
        schemas[path] = schema
        for feature in schema.features:
            if feature.name in used and feature.stage is LifecycleStage.DEPRECATED:
                users.setdefault((path, feature.name), []).append(pipeline.name)
    return [*_blanks(schemas), *_deprecated(schemas, users)]


def _blanks(schemas: dict[Path, Schema]) -> Iterator[str]:
    for path, schema in schemas.items():
        without: dict[str, list[str]] = {}
        for column, blanks in missing_meaning(schema).items():
            for blank in blanks:
                without.setdefault(blank, []).append(column)
        if without:
            yield f"{path.name}: left blank: {'; '.join(f'{blank} of {_several(names)}' for blank, names in without.items())}"


def _several(names: list[str]) -> str:
    more = len(names) - _NAMED
    return f"{', '.join(names[:_NAMED])}{f' and {more} more' if more > 0 else ''}"


def _deprecated(schemas: dict[Path, Schema], users: dict[tuple[Path, str], list[str]]) -> Iterator[str]:
    for (path, name), pipelines in users.items():
        feature = schemas[path].feature(name)
        found = stage_anomaly(feature, pipelines, "") if feature is not None else None
        if found is not None:
            yield f"{path.name}: {found.message}"
