"""The content of each page, from Airflow's database, the store and MLflow; the templates define how it looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from taxiway.ledger.chain import Ledger
from taxiway.ledger.effects import without_effect
from taxiway.lineage.batches import BatchRun, batches_of
from taxiway.lineage.labels_due import labels_due
from taxiway.lineage.monitoring import MonitoringRun, newest_monitoring
from taxiway.lineage.outcomes import earlier_attempts, summaries, summary_of
from taxiway.lineage.run_records import RunRecords, behind_verdict, run_records
from taxiway.records import Decision, Outcome, Promotion, RunSummary, Status, WaitingSpan
from taxiway.registry.champions import ChampionInfo, ChampionsAndPromotions
from taxiway.stages.review import ReviewedVersion
from taxiway.stages.validate_model.gate_report import report_url
from taxiway.store import Store
from taxiway.tracking import tags
from taxiway_ui import airflow_db
from taxiway_ui.airflow_db import Question, RunState
from taxiway_ui.clients import notices, open_store, query_mlflow
from taxiway_ui.history.ledger_view import NO_LEDGER, LedgerView, ledger_of
from taxiway_ui.history.metric_history import MetricHistory, metric_history, newest_evaluated
from taxiway_ui.history.served import Served, served
from taxiway_ui.history.timeline import Event, timeline
from taxiway_ui.monitoring.alerts import StandingAlert, acknowledgements, standing_alerts
from taxiway_ui.people.labels import takes_labels
from taxiway_ui.reviews.loaded import load
from taxiway_ui.reviews.reviews import NOT_REVIEWED, Reviewed
from taxiway_ui.reviews.subjects import review_pipelines, runs_of
from taxiway_ui.runs.outside import find_outside, states_of, verdicts_outside
from taxiway_ui.runs.tags import run_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ATTEMPTS = 5
_PRODUCTION = "batches of predictions, and the performance in production,"
_REFUSED = (Outcome.REJECTED, Outcome.UNDECIDED)
_PASSED = (Status.PASS, Status.NOT_APPLICABLE)


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
class History:
    """The page of one pipeline: its champion, the ledger newest first, and its decisions newest span first."""

    name: str
    tenure: ChampionTenure | None
    ledger: LedgerView
    decisions: tuple[SpanDecision, ...]
    notices: tuple[str, ...]
    incomplete: bool
    questions: tuple[Question, ...] = ()
    reviewed: Reviewed = NOT_REVIEWED
    metric: MetricHistory | None = None
    waiting: tuple[WaitingSpan, ...] = ()
    batches: tuple[BatchRun, ...] = ()
    served: Served | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        """The promotions and the decisions of people, newest first."""
        return timeline(self.ledger.promotions, self.ledger.decisions)

    @property
    def alerts(self) -> tuple[StandingAlert, ...]:
        """The alerts of monitoring about the champion that stand."""
        found, champion = self.served.found if self.served is not None else None, self.ledger.champion
        if found is None or champion is None or found.version != champion.version:
            return ()
        return standing_alerts(found, acknowledgements(self.ledger.decisions))

    @property
    def runs(self) -> Mapping[int, str]:
        """The runs that have promoted versions, by version."""
        return runs_of(self.ledger.done)

    @property
    def refused(self) -> tuple[int, ...]:
        """The versions that did not pass their gates, newest first, which can be forced."""
        known = [decision.newest for decision in self.decisions if decision.newest.outcome in _REFUSED]
        versions = sorted({made.version for made in known if made.version is not None}, reverse=True)
        return tuple(version for version in versions if self.ledger.champion is None or version != self.ledger.champion.version)

    @property
    def retired(self) -> Promotion | None:
        """The end of the last champion; None if the model was not retired."""
        return self.ledger.retired


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
        reviewed: The review of the verdicts on the versions of the pipeline.
        labels: Whether labels can be imported.
        has_gate_report: Whether its MLflow run has a gate report.
    """

    run: RunState
    records: RunRecords
    notices: tuple[str, ...]
    costs: str = ""
    findings: str = ""
    earlier: tuple[RunSummary, ...] = ()
    newest: RunSummary | None = None
    questions: tuple[Question, ...] = ()
    ledger: LedgerView = NO_LEDGER
    incomplete: bool = False
    reviewed: Reviewed = NOT_REVIEWED
    labels: bool = False
    has_gate_report: bool = False

    @property
    def gate_report(self) -> str:
        """The page of the gate report in MLflow; empty if there is none."""
        return report_url(self.run.mlflow_url) if self.has_gate_report and self.run.mlflow_url else ""

    @property
    def reopened(self) -> ReviewedVersion | None:
        """The version of the run, if its verdict is re-opened."""
        return self.reviewed.of(self.records.verdict.version) if self.records.verdict is not None else None

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions of people about the run's data and model, newest first."""
        about = {record.digest for record in (self.records.report, self.records.verdict) if record is not None}
        return tuple(decision for decision in self.ledger.decisions if decision.about in about)

    @property
    def ineffective(self) -> Mapping[str, str]:
        """Why decisions of people have no effect, by their digests."""
        return without_effect(self.ledger.decisions, self.ledger.promotions)

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
        return self.ledger.retired


def history(session: Session, name: str) -> History | None:
    """The page of one pipeline; None if it does not exist.

    Takes nine requests to MLflow, without keys of the ledger two more, and two more if a version was evaluated outside of Airflow.
    """
    if name not in airflow_db.pipelines(session, {name}):
        return None
    (ledger, opened), problem = ledger_of(name)
    store = open_store()
    spans = reversed(summaries(store, name)) if store else ()
    decided = tuple(SpanDecision(made, earlier_attempts(store, made, _ATTEMPTS) if store else ()) for made in spans)
    due = labels_due(store, name) if store else None
    none: tuple[tuple[BatchRun, ...], MonitoringRun | None] = ((), None)
    (batches, monitored), unknown = (
        (none, "") if opened is None else query_mlflow(lambda client: _in_production(client, name), none, _PRODUCTION)
    )
    return History(
        name,
        _tenure(store, ledger.champion),
        ledger,
        decided,
        (*notices(problem, store), *((unknown,) if unknown else ())),
        bool(problem),
        airflow_db.open_questions(session, [name]),
        _reviewed(session, store, opened, name, ledger),
        _metric(session, store, name, decided, ledger) if store else None,
        due.spans if due is not None else (),
        batches,
        served(store, monitored),
    )


def run_page(session: Session, dag: str, run: str) -> RunPage | None:
    """The page of one run of a pipeline; None if it does not exist. Takes one request to MLflow more than that of the pipeline."""
    if dag not in airflow_db.pipelines(session, {dag}):
        return None
    seen = airflow_db.find_run(session, dag, run) or find_outside(dag, run)
    if seen is None:
        return None
    store = open_store()
    records = run_records(store, seen.refs) if store else RunRecords()
    if not seen.in_airflow:
        seen = replace(seen, tasks=states_of(records))
    found, problem = run_tags(seen.mlflow_url)
    (ledger, opened), silent = ledger_of(dag)
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
        _reviewed(session, store, opened, dag, ledger),
        seen.in_airflow and takes_labels(load(dag, airflow_db.dag_files(session, [dag]).get(dag)), records),
        bool(found.get(tags.GATE_REPORT)),
    )


def _in_production(client: "MlflowClient", name: str) -> tuple[tuple[BatchRun, ...], MonitoringRun | None]:
    return batches_of(client, name), newest_monitoring(client, name)


def _reviewed(session: Session, store: Store | None, ledger: Ledger | None, name: str, view: LedgerView) -> Reviewed:
    champions = {name: view.champion} if view.champion is not None else {}
    return review_pipelines(session, store, ledger, [name], ChampionsAndPromotions(champions, {}, view.done, {}))


def _metric(
    session: Session, store: Store, name: str, decided: Sequence[SpanDecision], ledger: LedgerView
) -> MetricHistory | None:
    attempts = [attempt for decision in decided for attempt in (decision.newest, *decision.earlier)]
    loaded = load(name, airflow_db.dag_files(session, [name]).get(name))
    gate = loaded if isinstance(loaded, str) else loaded.pipeline.gate
    evaluated = newest_evaluated(attempts)
    verdicts = airflow_db.verdicts_of(session, name, [attempt.run for attempt in evaluated])
    others = {attempt.mlflow_run: attempt.run for attempt in evaluated if attempt.run not in verdicts}
    return metric_history(store, evaluated, verdicts | verdicts_outside(name, others), ledger.done, gate)


def _later_attempt(store: Store, summary: RunSummary | None) -> RunSummary | None:
    """The attempt that stands for the span of a summary, if it is a later one."""
    stands = summary_of(store, summary.pipeline, summary.span) if summary is not None else None
    return stands if stands is not None and summary is not None and stands.attempt > summary.attempt else None


def _tenure(store: Store | None, champion: ChampionInfo | None) -> ChampionTenure | None:
    if champion is None:
        return None
    return ChampionTenure(champion, behind_verdict(store, champion.verdict) if store else RunRecords())
