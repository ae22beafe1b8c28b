"""Finds the mistakes in scoring files, their schemas and DAG files, without Airflow."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from taxiway.cli.lint.stubs import stub_mistakes
from taxiway.data.schema.file import load_schema
from taxiway.data.sources.find import check_source
from taxiway.errors import ConfigError, allowed_values
from taxiway.spec.files.pipeline_file import line_of
from taxiway.spec.files.scoring_file import SCORING_SUFFIX, read_scoring
from taxiway.spec.scoring import Scoring

SCORING_STUB = """from taxiway.templates import load_scoring  # an airflow dag

dag = load_scoring(__file__)
"""


def scoring_files(paths: Iterable[Path]) -> list[Path]:
    """The scoring files among some files and folders, at any depth; there may be none."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob(f"*{SCORING_SUFFIX}")) if path.is_dir() else [path] if is_scoring(path) else []
    return found


def scoring_mistakes(files: Iterable[Path]) -> list[str]:
    """Find all mistakes in scoring files: for each one `FILE:LINE: message`."""
    return list(dict.fromkeys(mistake for file in files for mistake in _mistakes(file)))


def is_scoring(path: Path) -> bool:
    """Whether the name of a file is that of a scoring file."""
    return path.name.endswith(SCORING_SUFFIX)


def _mistakes(file: Path) -> Iterator[str]:
    try:
        scoring, _ = read_scoring(file)
    except ConfigError as error:
        yield str(error)
        return
    try:
        check_source(scoring.source)
    except ConfigError as error:
        yield f"{file.name}:{line_of(file, ['source', scoring.source.key])}: {error}"
    if scoring.schema_file is not None:
        yield from _schema_mistakes(file, scoring, Path(scoring.schema_file))
    yield from stub_mistakes(file, SCORING_SUFFIX, "load_scoring", SCORING_STUB)


def _schema_mistakes(file: Path, scoring: Scoring, path: Path) -> Iterator[str]:
    try:
        names = [feature.name for feature in load_schema(path).features]
    except ConfigError as error:
        yield str(error)
        return
    for key in scoring.keys:
        if key not in names:
            yield f"{file.name}:{line_of(file, ['keys'])}: keys has {key}, which the schema does not have\n    {allowed_values(key, names)}"
