"""The content of the first page: what needs a person, and a line for each pipeline."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions
from taxiway.lineage.labels_due import labels_due, pipelines_with_labels_due
from taxiway.lineage.outcomes import summaries
from taxiway.lineage.waivers import ending_waivers
from taxiway.records import Decision, LabelsDue, RunSummary
from taxiway.registry.champions import ChampionsAndPromotions
from taxiway.stages.review import ReviewedVersion
from taxiway.store import Store
from taxiway_ui import airflow_db
from taxiway_ui.airflow_db import DagFacts, Decided, Question
from taxiway_ui.clients import READERS, cached_records, notices, open_store, query_ledger, query_store
from taxiway_ui.history.main_metric import evaluation_of, main_metric
from taxiway_ui.history.remembered import remembered_champions
from taxiway_ui.monitoring.alerts import Acknowledgements, acknowledgements
from taxiway_ui.monitoring.found import newest_found
from taxiway_ui.monitoring.health import health_of
from taxiway_ui.monitoring.runs import monitoring_states, new_alerts
from taxiway_ui.overview.changes import CHANGED_WITHIN, MAX_CHANGES, Change, changes
from taxiway_ui.overview.rows import ALL_ROWS, Order, Row, RowFilter, matches, ordered
from taxiway_ui.reviews.reviews import NOT_REVIEWED, Reviewed
from taxiway_ui.reviews.subjects import review_pipelines
from taxiway_ui.runs.states import State, state_of
from taxiway_ui.serving import served

PAGE_ROWS = 100
MAX_NEEDS = 10
"""How many things of one kind that need a person are shown."""
_NEWEST_DECISIONS = 1000


@dataclass(frozen=True)
class Overview:
    """The first page.

    Attributes:
        rows: All pipelines, in the order of the filter.
        shown: Those that the page shows.
        matching: How many match the filter, on all pages.
        row_filter: The filter.
        ending: The waivers that end soon.
        notices: Messages about what is not shown.
        incomplete: Whether MLflow did not answer, or the store could not be read.
        reviewed: The reviews of the verdicts on the versions of the pipelines.
        labels_due: The spans that wait for their labels, by pipeline; of a few pipelines more than the page shows.
        changes: What has changed within a day, newest first; more than the page shows.
        has_gateway: Whether a gateway says what it serves.
    """

    rows: tuple[Row, ...]
    shown: tuple[Row, ...]
    matching: int
    row_filter: RowFilter = ALL_ROWS
    ending: tuple[Decision, ...] = ()
    notices: tuple[str, ...] = ()
    incomplete: bool = False
    reviewed: Reviewed = NOT_REVIEWED
    labels_due: tuple[LabelsDue, ...] = ()
    changes: tuple[Change, ...] = ()
    has_gateway: bool = False

    @property
    def counts(self) -> dict[State, int]:
        """How many pipelines are in each state, without those that none is in."""
        found = Counter(row.state for row in self.rows)
        return {state: found[state] for state in State if found[state]}

    @property
    def pages(self) -> int:
        """The number of pages."""
        return _pages(self.matching)

    @property
    def questions(self) -> tuple[Question, ...]:
        """What runs ask a person."""
        return tuple(question for row in self.rows for question in row.questions)

    @property
    def forced(self) -> tuple[Row, ...]:
        """The pipelines with a forced champion."""
        return tuple(row for row in self.rows if row.forced)

    @property
    def moved(self) -> tuple[Row, ...]:
        """The pipelines whose alias was moved outside of Taxiway."""
        return tuple(row for row in self.rows if row.moved)

    @property
    def open_spans(self) -> tuple[Row, ...]:
        """The pipelines whose latest decision left its span blocked or undecided."""
        return tuple(row for row in self.rows if row.open_span)

    @property
    def reopened(self) -> tuple[ReviewedVersion, ...]:
        """The versions whose verdicts are re-opened, those in production first."""
        return self.reviewed.reopened

    @property
    def failed(self) -> tuple[Row, ...]:
        """The pipelines whose latest run failed before a decision."""
        return tuple(row for row in self.rows if row.state is State.FAILED and row.last is not None)

    @property
    def has_monitoring(self) -> bool:
        """Whether the health of any pipeline is known."""
        return any(row.health is not None for row in self.rows)

    @property
    def unhealthy(self) -> tuple[Row, ...]:
        """The pipelines whose health in production needs a person, the worst first."""
        found = [row for row in self.rows if row.health is not None and row.health.needs_a_person]
        return tuple(ordered(found, Order.HEALTH))

    @property
    def nothing_needed(self) -> bool:
        """Whether nothing needs a person."""
        in_rows = self.questions or self.failed or self.forced or self.moved or self.open_spans or self.unhealthy
        return not (in_rows or self.ending or self.reopened or self.labels_due)


def _pages(rows: int) -> int:
    return max(1, -(-rows // PAGE_ROWS))


def overview(session: Session, readable: set[str], row_filter: RowFilter) -> Overview:
    """The first page, for a user who may read the DAGs `readable`. Takes three to six requests to MLflow for any number of pipelines."""
    names = airflow_db.pipelines(session, readable)
    now = datetime.now(UTC)
    nothing = _FromLedger(ChampionsAndPromotions({}, {}, (), {}), (), {}, None)
    found, problem = query_ledger(lambda ledger: _read_ledger(ledger, names), nothing) if names else (nothing, "")
    store = open_store()
    rows, unread = _rows(session, store, names, found.models)
    rows = tuple(ordered(_with_health(session, store, rows, found.acknowledged), row_filter.order))
    reviewed = review_pipelines(session, store, found.ledger, names, found.models)
    matching = [row for row in rows if matches(row, row_filter)]
    page = min(row_filter.page, _pages(len(matching)))
    statuses, silent = served()
    shown = _with_metrics(store, matching[(page - 1) * PAGE_ROWS : page * PAGE_ROWS])
    shown = tuple(replace(row, served=(statuses or {}).get(row.name)) for row in shown)
    none_due: tuple[LabelsDue, ...] = ()
    due, due_unread = query_store(lambda: _labels_due(store, names), none_due)
    messages = (*notices(problem, store), *filter(None, (unread or due_unread, silent)))
    return Overview(
        rows=rows,
        shown=shown,
        matching=len(matching),
        row_filter=replace(row_filter, page=page),
        ending=found.ending,
        notices=messages,
        incomplete=bool(problem or unread or due_unread),
        reviewed=reviewed,
        labels_due=due,
        changes=changes(rows, found.models.promotions, new_alerts(session, names, now - CHANGED_WITHIN, MAX_CHANGES + 1), now),
        has_gateway=statuses is not None,
    )


def _labels_due(store: Store | None, names: Sequence[str]) -> tuple[LabelsDue, ...]:
    """The waiting spans of the first of these pipelines that have any. One listing, and a read for each."""
    if store is None:
        return ()
    readable = set(names)
    waiting = [name for name in pipelines_with_labels_due(store) if name in readable]
    found = (labels_due(store, name) for name in waiting[: MAX_NEEDS + 1])
    return tuple(due for due in found if due is not None)


@dataclass(frozen=True)
class _FromLedger:
    models: ChampionsAndPromotions
    ending: tuple[Decision, ...]
    acknowledged: Acknowledgements
    ledger: Ledger | None


def _read_ledger(ledger: Ledger, names: Sequence[str]) -> _FromLedger:
    models = remembered_champions(ledger, names)
    made = decisions(ledger, limit=_NEWEST_DECISIONS)
    return _FromLedger(models, ending_waivers(made, names, datetime.now(UTC).date()), acknowledgements(made), ledger)


def _rows(
    session: Session, store: Store | None, names: Sequence[str], found: ChampionsAndPromotions
) -> tuple[tuple[Row, ...], str]:
    """The lines of the pipelines; and a message if the store cannot be read."""
    last, facts = airflow_db.newest_runs(session, names), airflow_db.dag_facts(session, names)
    decided = airflow_db.last_summaries(session, names)
    nothing: dict[str, RunSummary | None] = dict.fromkeys(names)
    summed, unread = query_store(lambda: _summaries(store, names, decided), nothing)
    questions: dict[str, list[Question]] = {}
    for question in airflow_db.open_questions(session, names):
        questions.setdefault(question.dag, []).append(question)
    rows = [
        Row(
            name=name,
            state=state_of(last.get(name), summed[name], questions.get(name, ())),
            facts=facts.get(name, DagFacts()),
            last=last.get(name),
            decision=summed[name],
            decided_at=decided[name].at if name in decided else None,
            champion=found.champions.get(name),
            retired=found.retired.get(name),
            questions=tuple(questions.get(name, ())),
            moved=found.moved.get(name, ""),
        )
        for name in names
    ]
    return tuple(rows), unread


def _with_health(session: Session, store: Store | None, rows: Sequence[Row], acknowledged: Acknowledgements) -> Iterator[Row]:
    """The rows with the health of their champions. The records are read once in this process."""
    known = monitoring_states(session, [row.name for row in rows])
    records = newest_found(store, known)
    for row in rows:
        if row.champion is not None and row.name in known:
            health = health_of(known[row.name], records.get(row.name), row.champion, acknowledged)
            row = replace(row, health=health)
        yield row


def _summaries(store: Store | None, names: Sequence[str], decided: Mapping[str, Decided]) -> dict[str, RunSummary | None]:
    """The latest decision of each pipeline; None if there is none or it cannot be read."""
    if store is None:
        return dict.fromkeys(names)

    digests = {name: decided[name].ref.digest for name in names if name in decided}
    read = cached_records(store, RunSummary, digests.values())
    found = {name: read.get(digests[name]) if name in digests else None for name in names}
    # The runs of others may have been deleted in Airflow, but the store still has their summaries.
    others = [name for name in names if name not in digests]
    with ThreadPoolExecutor(READERS) as readers:
        newest = readers.map(lambda name: next(iter(summaries(store, name, newest=1)), None), others)
        return found | dict(zip(others, newest, strict=True))


def _with_metrics(store: Store | None, rows: Sequence[Row]) -> tuple[Row, ...]:
    if store is None:
        return tuple(rows)
    with ThreadPoolExecutor(READERS) as readers:
        found = readers.map(lambda row: main_metric(evaluation_of(store, row.champion.verdict if row.champion else None)), rows)
        return tuple(replace(row, metric=metric) for row, metric in zip(rows, found, strict=True))
