"""The content of each page, from Airflow's database, the store and MLflow; the templates define how it looks."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from taxiway.ledger.promotions import Entry
from taxiway.lineage.outcomes import summaries
from taxiway.lineage.run_records import RunRecords, behind_verdict, run_records
from taxiway.records import DataReport, RecordRef, RunSummary, ShadowReport, Status
from taxiway.registry.champions import ChampionInfo, champion_and_history, champions
from taxiway.store import Store
from taxiway.tracking import tags
from taxiway_ui import airflow_db
from taxiway_ui.airflow_db import RunState
from taxiway_ui.clients import open_store, query_mlflow
from taxiway_ui.run_tags import run_tags

SWEEP, APPROVAL = "trials", "approval"
OPTIONAL = (SWEEP, APPROVAL)
"""The stages that only some pipelines have."""
STAGES = ("ingest", "validate_data", "transform", SWEEP, "train", "validate_model", "shadow", APPROVAL, "push")
NO_STORE = "Records are not shown: [taxiway] store is not set in Airflow's API server."


class Mark(StrEnum):
    """The state of a stage in a run."""

    DONE = "done"
    WARNED = "warned"
    STOPPED = "stopped"
    RUNNING = "running"
    WAITING = "waiting"
    SKIPPED = "skipped"
    OPEN = "open"


@dataclass(frozen=True)
class Stage:
    """A stage of a run, with its state."""

    name: str
    mark: Mark


@dataclass(frozen=True)
class ChampionTenure:
    """A champion, with the records behind its promotion."""

    champion: ChampionInfo
    behind: RunRecords


@dataclass(frozen=True)
class PipelineRow:
    """A pipeline on the first page.

    Attributes:
        name: The pipeline's name.
        tenure: Its champion; None if it has none.
        last: Its latest run; None if it has not run.
        decision: Its latest decision, which may belong to an earlier run; None if there is none.
    """

    name: str
    tenure: ChampionTenure | None
    last: RunState | None
    decision: RunSummary | None


@dataclass(frozen=True)
class Overview:
    """The first page.

    Attributes:
        rows: The pipelines.
        notices: Messages about what is not shown.
        incomplete: Whether MLflow did not answer.
    """

    rows: tuple[PipelineRow, ...]
    notices: tuple[str, ...]
    incomplete: bool


@dataclass(frozen=True)
class History:
    """The page of one pipeline: its champion, the ledger newest first, and its decisions newest span first."""

    name: str
    tenure: ChampionTenure | None
    promotions: tuple[Entry, ...]
    decisions: tuple[RunSummary, ...]
    notices: tuple[str, ...]
    incomplete: bool


@dataclass(frozen=True)
class RunPage:
    """The page of one run.

    Attributes:
        run: The run.
        records: Its records.
        notices: Messages about what is not shown.
        costs: What the candidate costs beside the linear model; empty if it is not known.
        findings: What is wrong with the history of the training, or `none`; empty if there is no history.
    """

    run: RunState
    records: RunRecords
    notices: tuple[str, ...]
    costs: str = ""
    findings: str = ""


def stages(run: RunState, report: DataReport | None = None, shadow: ShadowReport | None = None) -> tuple[Stage, ...]:
    """The states of a run's stages.

    `validate_data` is WARNED if the run continued although the data did not pass; `shadow` is SKIPPED if it compared nothing.
    """
    names = [name for name in STAGES if name not in OPTIONAL or name in run.tasks]
    marks = {name: _mark(run.tasks.get(name, "")) for name in names}
    if report is not None and report.status is not Status.PASS and marks["validate_data"] is Mark.DONE:
        marks["validate_data"] = Mark.WARNED
    if shadow is not None and shadow.status is Status.NOT_APPLICABLE and marks["shadow"] is Mark.DONE:
        marks["shadow"] = Mark.SKIPPED
    return tuple(Stage(name, mark) for name, mark in marks.items())


def stopped_at(run: RunState) -> str:
    """The stage that stopped the run; empty if none did."""
    return next((stage.name for stage in stages(run) if stage.mark is Mark.STOPPED), "")


def overview(session: Session, readable: set[str]) -> Overview:
    """The first page, for a user who may read the DAGs `readable`. Takes three requests to MLflow for any number of pipelines."""
    names = airflow_db.pipelines(session, readable)
    known: dict[str, ChampionInfo] = {}
    problem = ""
    if names:
        known, problem = query_mlflow(lambda client: champions(client, names), known)
    store = open_store()
    last, decided = airflow_db.last_runs(session, names), airflow_db.last_summaries(session, names)
    rows = tuple(
        PipelineRow(name, _tenure(store, known.get(name)), last.get(name), _decision(store, name, decided.get(name)))
        for name in names
    )
    return Overview(rows, _notices(problem, store), bool(problem))


def history(session: Session, name: str) -> History | None:
    """The page of one pipeline; None if it does not exist. Takes three requests to MLflow."""
    if name not in airflow_db.pipelines(session, {name}):
        return None
    nothing: tuple[ChampionInfo | None, tuple[Entry, ...]] = (None, ())
    (champion, promotions), problem = query_mlflow(lambda client: champion_and_history(client, name), nothing)
    store = open_store()
    decisions = tuple(reversed(summaries(store, name))) if store else ()
    return History(name, _tenure(store, champion), promotions, decisions, _notices(problem, store), bool(problem))


def run_page(session: Session, dag: str, run: str) -> RunPage | None:
    """The page of one run of a pipeline; None if it does not exist. Takes one request to MLflow."""
    if dag not in airflow_db.pipelines(session, {dag}):
        return None
    seen = airflow_db.find_run(session, dag, run)
    if seen is None:
        return None
    store = open_store()
    records = run_records(store, seen.refs) if store else RunRecords()
    found, problem = run_tags(seen.mlflow_url)
    notices = (*_notices(problem, store), *records.unread)
    return RunPage(seen, records, notices, found.get(tags.COSTS, ""), found.get(tags.TRAINING_FINDINGS, ""))


def _tenure(store: Store | None, champion: ChampionInfo | None) -> ChampionTenure | None:
    if champion is None:
        return None
    return ChampionTenure(champion, behind_verdict(store, champion.verdict) if store else RunRecords())


def _decision(store: Store | None, pipeline: str, ref: RecordRef | None) -> RunSummary | None:
    if store is None:
        return None
    if ref is not None:
        return run_records(store, [ref]).summary
    # The run may have been deleted in Airflow, but the store still has its summary.
    return next(iter(summaries(store, pipeline, newest=1)), None)


def _mark(state: str) -> Mark:
    return {
        "success": Mark.DONE,
        "failed": Mark.STOPPED,
        "skipped": Mark.SKIPPED,
        "awaiting_input": Mark.WAITING,
        "": Mark.OPEN,
        "upstream_failed": Mark.OPEN,
        "removed": Mark.OPEN,
    }.get(state, Mark.RUNNING)


def _notices(problem: str, store: Store | None) -> tuple[str, ...]:
    return tuple(message for message in (problem, "" if store else NO_STORE) if message)
