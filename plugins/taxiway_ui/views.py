"""The content of each page, from Airflow's database, the store and MLflow; the templates define how it looks."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions
from taxiway.ledger.entry import DECIDED, Entry
from taxiway.lineage.outcomes import earlier_attempts, summaries, summary_of
from taxiway.lineage.run_records import RunRecords, behind_verdict, run_records
from taxiway.records import DataReport, Decision, Outcome, Promotion, RunSummary, ShadowReport, Status
from taxiway.registry.champions import HISTORY, ChampionInfo, champion_and_history, retirement
from taxiway.store import Store
from taxiway.tracking import tags
from taxiway_ui import airflow_db
from taxiway_ui.airflow_db import APPROVAL, Question, RunState
from taxiway_ui.clients import can_write, notices, open_store, query_ledger
from taxiway_ui.run_tags import run_tags
from taxiway_ui.timeline import Event, timeline

SWEEP = "trials"
OPTIONAL = (SWEEP, APPROVAL)
"""The stages that only some pipelines have."""
STAGES = ("ingest", "validate_data", "transform", SWEEP, "train", "validate_model", "shadow", APPROVAL, "push")
_ATTEMPTS = 5
_REFUSED = (Outcome.REJECTED, Outcome.UNDECIDED)
_PASSED = (Status.PASS, Status.NOT_APPLICABLE)


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
class SpanDecision:
    """The newest decision about a span, and the attempts before it, newest first."""

    newest: RunSummary
    earlier: tuple[RunSummary, ...] = ()


@dataclass(frozen=True)
class LedgerView:
    """The promotions and decisions of a pipeline in the ledger.

    Attributes:
        champion: The champion; None if there is none.
        promotions: The newest promotions, newest first.
        decisions: The newest decisions of people, newest first.
        writable: Whether the API server has what it needs to write into the ledger.
    """

    champion: ChampionInfo | None = None
    promotions: tuple[Entry, ...] = ()
    decisions: tuple[Decision, ...] = ()
    writable: bool = False

    @property
    def former(self) -> tuple[int, ...]:
        """The versions that a rollback can go to, the last champion first."""
        versions = [entry.promotion.to_version for entry in self.promotions if entry.state in DECIDED]
        now = self.champion.version if self.champion else None
        return tuple(dict.fromkeys(version for version in versions if version is not None and version != now))


@dataclass(frozen=True)
class History:
    """The page of one pipeline: its champion, the ledger newest first, and its decisions newest span first."""

    name: str
    tenure: ChampionTenure | None
    ledger: LedgerView
    decisions: tuple[SpanDecision, ...]
    notices: tuple[str, ...]
    incomplete: bool
    questions: tuple[Question, ...] = ()

    @property
    def events(self) -> tuple[Event, ...]:
        """The promotions and the decisions of people, newest first."""
        return timeline(self.ledger.promotions, self.ledger.decisions)

    @property
    def refused(self) -> tuple[int, ...]:
        """The versions that did not pass their gates, newest first, which can be forced."""
        known = [decision.newest for decision in self.decisions if decision.newest.outcome in _REFUSED]
        versions = sorted({made.version for made in known if made.version is not None}, reverse=True)
        return tuple(version for version in versions if self.ledger.champion is None or version != self.ledger.champion.version)

    @property
    def retired(self) -> Promotion | None:
        """The end of the last champion; None if the model was not retired."""
        return retirement(self.ledger.promotions)


@dataclass(frozen=True)
class RunPage:
    """The page of one run.

    Attributes:
        run: The run.
        records: Its records.
        notices: Messages about what is not shown.
        costs: What the candidate costs beside the linear model; empty if it is not known.
        findings: What is wrong with the history of the training, or `none`; empty if there is no history.
        earlier: The attempts at its span before it, newest first.
        newest: The attempt that stands, if that is a later one.
        questions: What the run asks a person.
        ledger: The promotions and decisions of the pipeline.
        incomplete: Whether MLflow did not answer about it.
    """

    run: RunState
    records: RunRecords
    notices: tuple[str, ...]
    costs: str = ""
    findings: str = ""
    earlier: tuple[RunSummary, ...] = ()
    newest: RunSummary | None = None
    questions: tuple[Question, ...] = ()
    ledger: LedgerView = LedgerView()
    incomplete: bool = False

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions of people about the run's data and model, newest first."""
        about = {record.digest for record in (self.records.report, self.records.verdict) if record is not None}
        return tuple(decision for decision in self.ledger.decisions if decision.about in about)

    @property
    def refused(self) -> tuple[int, ...]:
        """The version of the run, if it did not pass its gates and can be forced."""
        verdict, shadow = self.records.verdict, self.records.shadow
        if verdict is None or (verdict.status is Status.PASS and (shadow is None or shadow.status in _PASSED)):
            return ()
        return () if self.ledger.champion and self.ledger.champion.version == verdict.version else (verdict.version,)

    @property
    def retired(self) -> Promotion | None:
        """The end of the pipeline's last champion; None if the model was not retired."""
        return retirement(self.ledger.promotions)


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


def history(session: Session, name: str) -> History | None:
    """The page of one pipeline; None if it does not exist. Takes five requests to MLflow, without keys of the ledger seven."""
    if name not in airflow_db.pipelines(session, {name}):
        return None
    ledger, problem = query_ledger(lambda opened: _ledger_view(opened, name), LedgerView())
    store = open_store()
    spans = reversed(summaries(store, name)) if store else ()
    decided = tuple(SpanDecision(made, earlier_attempts(store, made, _ATTEMPTS) if store else ()) for made in spans)
    questions = airflow_db.open_questions(session, [name])
    return History(name, _tenure(store, ledger.champion), ledger, decided, notices(problem, store), bool(problem), questions)


def run_page(session: Session, dag: str, run: str) -> RunPage | None:
    """The page of one run of a pipeline; None if it does not exist. Takes one request to MLflow more than that of the pipeline."""
    if dag not in airflow_db.pipelines(session, {dag}):
        return None
    seen = airflow_db.find_run(session, dag, run)
    if seen is None:
        return None
    store = open_store()
    records = run_records(store, seen.refs) if store else RunRecords()
    found, problem = run_tags(seen.mlflow_url)
    ledger, silent = query_ledger(lambda opened: _ledger_view(opened, dag), LedgerView())
    return RunPage(
        seen,
        records,
        (*notices(problem, store), *((silent,) if silent else ()), *records.unread),
        found.get(tags.COSTS, ""),
        found.get(tags.TRAINING_FINDINGS, ""),
        earlier_attempts(store, records.summary) if store and records.summary else (),
        _later_attempt(store, records.summary) if store else None,
        airflow_db.open_questions(session, [dag], run),
        ledger,
        bool(silent),
    )


def _ledger_view(ledger: Ledger, name: str) -> LedgerView:
    champion, promotions = champion_and_history(ledger.client, name)
    made = decisions(ledger, model=name, limit=HISTORY)
    return LedgerView(champion, promotions, made, can_write(ledger))


def _later_attempt(store: Store, summary: RunSummary | None) -> RunSummary | None:
    """The attempt that stands for the span of a summary, if it is a later one."""
    stands = summary_of(store, summary.pipeline, summary.span) if summary is not None else None
    return stands if stands is not None and summary is not None and stands.attempt > summary.attempt else None


def _tenure(store: Store | None, champion: ChampionInfo | None) -> ChampionTenure | None:
    if champion is None:
        return None
    return ChampionTenure(champion, behind_verdict(store, champion.verdict) if store else RunRecords())


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
