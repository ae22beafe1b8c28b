"""The files of a pipeline as the API server reads them: the pipeline file, the schema, the team file."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from taxiway.credentials import without_credentials
from taxiway.errors import TaxiwayError
from taxiway.spec.files.pipeline_file import TEAM_FILE
from taxiway.stages.context import schema_of
from taxiway_ui import airflow_db
from taxiway_ui.airflow_db import DagFile
from taxiway_ui.reviews.loaded import LoadedPipeline, beside, load

_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ShownFile:
    """A file of a pipeline.

    Attributes:
        shown: Its path in the folder of DAGs.
        what: What it is.
        lines: Its lines, without the credentials of URLs.
        note: What is to be said about it; empty if nothing is.
    """

    shown: str
    what: str
    lines: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Files:
    """The page with the files of a pipeline.

    Attributes:
        name: The name of the pipeline.
        files: The files.
        read_at: When Airflow has last read the DAG; None if that is not known.
        notices: Why a file is missing, or not valid.
    """

    name: str
    files: tuple[ShownFile, ...]
    read_at: datetime | None = None
    notices: tuple[str, ...] = ()


def files_of(session: Session, name: str) -> Files | None:
    """The files of a pipeline; None if it does not exist."""
    if name not in airflow_db.pipelines(session, {name}):
        return None
    return shown_files(name, airflow_db.dag_files(session, [name]).get(name))


def shown_files(name: str, dag_file: DagFile | None) -> Files:
    """The files beside a DAG file.

    Args:
        name: The name of the pipeline.
        dag_file: Where Airflow has read the DAG; None if that is not known.
    """
    loaded = load(name, dag_file)
    notices = (loaded,) if isinstance(loaded, str) else ()
    if dag_file is None:
        return Files(name, (), None, notices)
    path, shown = beside(dag_file.path), beside(dag_file.relative)
    found = [_file(path, str(shown), "pipeline file")]
    if isinstance(loaded, LoadedPipeline):
        schema = Path(loaded.pipeline.schema_file)
        found.append(_file(schema, str(shown.with_name(schema.name)), "schema", _schema_note(loaded)))
        found.append(_file(path.parent / TEAM_FILE, str(shown.with_name(TEAM_FILE)), "team file"))
    return Files(name, tuple(file for file in found if file is not None), dag_file.read_at, notices)


def _file(path: Path, shown: str, what: str, note: str = "") -> ShownFile | None:
    """A file; None if it cannot be read."""
    try:
        with path.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
    except OSError:
        return None
    if len(content) > _MAX_BYTES:
        note = f"only its first {_MAX_BYTES:,} bytes are shown"
    text = without_credentials(content[:_MAX_BYTES].decode(errors="replace"))
    return ShownFile(shown, what, tuple(text.splitlines()), note)


def _schema_note(loaded: LoadedPipeline) -> str:
    """The version of the schema, as the candidate of a run names it; or why it cannot be used."""
    try:
        return f"schema version {schema_of(loaded.pipeline).digest}"
    except TaxiwayError as error:
        return without_credentials(f"it is not valid now: {error}")
