"""The pipeline files beside the DAG files, if Airflow's API server can read them."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from taxiway.credentials import without_credentials
from taxiway.errors import TaxiwayError
from taxiway.hooks.sources import airflow_engine, data_folder
from taxiway.ledger.chain import Ledger
from taxiway.records.recorder import InMemoryRun
from taxiway.spec.files.pipeline_file import SUFFIX, TEAM_FILE, read_pipeline_and_team
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.team import Team
from taxiway.stages.context import Services, StageContext
from taxiway.store import Store
from taxiway_ui.airflow_db import DagFile

_known: dict[Path, tuple[object, tuple[Pipeline, Team | None]]] = {}
_lock = Lock()


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline as its file says now.

    Attributes:
        path: The path of the file.
        shown: The path in the folder of DAGs, as people know it.
        pipeline: The pipeline.
        team: The rules of its team; None without a team file.
    """

    path: Path
    shown: str
    pipeline: Pipeline
    team: Team | None

    @property
    def owner(self) -> str:
        """Who owns the pipeline."""
        return (self.team.owner if self.team else None) or self.pipeline.team


def load(dag: str, file: DagFile | None) -> LoadedPipeline | str:
    """The pipeline of a DAG; if its file cannot be read here, why not.

    Args:
        dag: The id of the DAG, which is the name of the pipeline.
        file: Where Airflow has read the DAG; None if that is not known.
    """
    if file is None:
        return f"Airflow does not say where the DAG file of {dag} is"
    path, shown = beside(file.path), str(beside(file.relative))
    try:
        if not path.is_file():
            return f"there is no {shown} where Airflow's API server runs; it needs the folder of DAGs at the path of the DAG processor"
        pipeline, team = _read(path)
    except (TaxiwayError, OSError) as error:
        return without_credentials(f"{shown} is not valid now: {error}")
    if pipeline.name != dag:
        return f"{shown} is the file of {pipeline.name}"
    return LoadedPipeline(path, shown, pipeline, team)


def context_of(loaded: LoadedPipeline, ledger: Ledger, store: Store, run: str) -> StageContext:
    """The context in which the pages look at a pipeline, with the services of this Airflow.

    Args:
        loaded: The pipeline.
        ledger: The ledger of the installation.
        store: Its store.
        run: The name of what is done.
    """
    try:
        data = data_folder(loaded.pipeline)
    except TaxiwayError:
        data = None
    services = Services(data=data, connect=airflow_engine, in_airflow=True, ledger_keys=ledger.keys)
    return StageContext(loaded.pipeline, store, InMemoryRun(), ledger.client, run, services)


def beside(dag_file: Path) -> Path:
    """The pipeline file beside a DAG file; see `taxiway.templates.load_pipeline`."""
    return dag_file.with_name(dag_file.stem + SUFFIX)


def _state(path: Path) -> tuple[int, int] | None:
    """What changes when a file does; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def _read(path: Path) -> tuple[Pipeline, Team | None]:
    """The pipeline and the team in a file, read again when one of the files has changed."""
    state = _state(path), _state(path.parent / TEAM_FILE)
    with _lock:
        known = _known.get(path)
    if known is not None and known[0] == state:
        return known[1]
    found = read_pipeline_and_team(path)
    with _lock:
        _known[path] = state, found
    return found
