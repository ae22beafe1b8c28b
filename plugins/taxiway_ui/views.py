"""What each page shows, put together from Airflow's database, the store and MLflow; how it looks is in the templates."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from taxiway.lineage.outcomes import summaries
from taxiway.lineage.run_records import RunRecords, behind_verdict, run_records
from taxiway.records import DataReport, RecordRef, RunSummary, Status
from taxiway.registry.champions import ChampionInfo, champion_and_history, champions
from taxiway.registry.ledger import Entry
from taxiway.store import Store
from taxiway_ui import airflow_db
from taxiway_ui.airflow_db import RunState
from taxiway_ui.clients import ask_mlflow, open_store

SWEEP = "trials"  # a stage of those pipelines that search parameters
STAGES = ("ingest", "validate_data", "transform", SWEEP, "train", "validate_model", "shadow", "push")
NO_STORE = "Records are not shown: [taxiway] store is not set in Airflow's API server."


class Mark(StrEnum):
    """How a stage went, of one run."""

    DONE = "done"
    WARNED = "warned"
    STOPPED = "stopped"
    RUNNING = "running"
    SKIPPED = "skipped"
    OPEN = "open"


@dataclass(frozen=True)
class Stage:
    """A stage on the way of one run."""

    name: str
    mark: Mark


@dataclass(frozen=True)
class ChampionTenure:
    """A champion and what its promotion rests on; without `promotion` nothing is known but the version."""

    champion: ChampionInfo
    behind: RunRecords


@dataclass(frozen=True)
class PipelineRow:
    """A pipeline on the first page. `last` and `decision` may be of different runs: the last one may not have decided yet."""

    name: str
    reign: ChampionTenure | None
    last: RunState | None
    decision: RunSummary | None


@dataclass(frozen=True)
class Overview:
    """The first page. `notices` say what is missing; `incomplete` where MLflow did not answer."""

    rows: tuple[PipelineRow, ...]
    notices: tuple[str, ...]
    incomplete: bool


@dataclass(frozen=True)
class History:
    """The page of one pipeline: its champion, the ledger newest first, and its decisions newest span first."""

    name: str
    reign: ChampionTenure | None
    promotions: tuple[Entry, ...]
    decisions: tuple[RunSummary, ...]
    notices: tuple[str, ...]
    incomplete: bool


@dataclass(frozen=True)
class RunPage:
    """The page of one run."""

    run: RunState
    records: RunRecords
    notices: tuple[str, ...]


def stages(run: RunState, report: DataReport | None = None) -> tuple[Stage, ...]:
    """The way of a run as marks; data that did not pass in a run that went on all the same are marked as a warning."""
    names = [name for name in STAGES if name != SWEEP or name in run.tasks]
    marks = {name: _mark(run.tasks.get(name, "")) for name in names}
    if report is not None and report.status is not Status.PASS and marks["validate_data"] is Mark.DONE:
        marks["validate_data"] = Mark.WARNED
    return tuple(Stage(name, mark) for name, mark in marks.items())


def stopped_at(run: RunState) -> str:
    """The stage that stopped the run; empty where none did."""
    return next((stage.name for stage in stages(run) if stage.mark is Mark.STOPPED), "")


def overview(session: Session, readable: set[str]) -> Overview:
    """The first page, for a caller who may read the DAGs `readable`. Three requests to MLflow, however many pipelines."""
    names = airflow_db.pipelines(session, readable)
    reigning: dict[str, ChampionInfo] = {}
    problem = ""
    if names:
        reigning, problem = ask_mlflow(lambda client: champions(client, names), reigning)
    store = open_store()
    last, decided = airflow_db.last_runs(session, names), airflow_db.last_summaries(session, names)
    rows = tuple(
        PipelineRow(name, _reign(store, reigning.get(name)), last.get(name), _decision(store, name, decided.get(name)))
        for name in names
    )
    return Overview(rows, _notices(problem, store), bool(problem))


def history(session: Session, name: str) -> History | None:
    """The page of one pipeline; None where there is none of this name. Three requests to MLflow."""
    if name not in airflow_db.pipelines(session, {name}):
        return None
    nothing: tuple[ChampionInfo | None, tuple[Entry, ...]] = (None, ())
    (champion, promotions), problem = ask_mlflow(lambda client: champion_and_history(client, name), nothing)
    store = open_store()
    decisions = tuple(reversed(summaries(store, name))) if store else ()
    return History(name, _reign(store, champion), promotions, decisions, _notices(problem, store), bool(problem))


def run_page(session: Session, dag: str, run: str) -> RunPage | None:
    """The page of one run of a pipeline; None where there is none. MLflow is not asked."""
    if dag not in airflow_db.pipelines(session, {dag}):
        return None
    seen = airflow_db.find_run(session, dag, run)
    if seen is None:
        return None
    store = open_store()
    records = run_records(store, seen.refs) if store else RunRecords()
    return RunPage(seen, records, (*_notices("", store), *records.unread))


def _reign(store: Store | None, champion: ChampionInfo | None) -> ChampionTenure | None:
    if champion is None:
        return None
    return ChampionTenure(champion, behind_verdict(store, champion.verdict) if store else RunRecords())


def _decision(store: Store | None, pipeline: str, ref: RecordRef | None) -> RunSummary | None:
    if store is None:
        return None
    if ref is not None:
        return run_records(store, [ref]).summary
    # Airflow may have forgotten the run; the store has not.
    return next(iter(summaries(store, pipeline, newest=1)), None)


def _mark(state: str) -> Mark:
    return {
        "success": Mark.DONE,
        "failed": Mark.STOPPED,
        "skipped": Mark.SKIPPED,
        "": Mark.OPEN,
        "upstream_failed": Mark.OPEN,
        "removed": Mark.OPEN,
    }.get(state, Mark.RUNNING)


def _notices(problem: str, store: Store | None) -> tuple[str, ...]:
    return tuple(message for message in (problem, "" if store else NO_STORE) if message)
