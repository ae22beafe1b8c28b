"""The rows of the first page: their content, filter and order."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlencode

from taxiway.records import MetricResult, Outcome, Promotion, RunSummary
from taxiway.registry.champions import ChampionInfo
from taxiway.serving.api import ModelStatus
from taxiway_ui.airflow_db import DagFacts, LastRun, Question
from taxiway_ui.monitoring.health import ChampionHealth, HealthState
from taxiway_ui.runs.states import State

_OPEN = (Outcome.BLOCKED, Outcome.UNDECIDED)
_STATES = {state: place for place, state in enumerate(State)}


class Order(StrEnum):
    """What comes first on the first page.

    Attributes:
        HEALTH: Pipelines whose health in production needs a person, the worst first; then the others by their state.
        STATE: The most urgent state.
        NAME: The first in the alphabet.
    """

    HEALTH = "health"
    STATE = "state"
    NAME = "name"


@dataclass(frozen=True)
class Row:
    """The line of a pipeline.

    Attributes:
        name: The pipeline's name.
        state: Its current state.
        facts: What Airflow knows of its DAG.
        last: Its latest run; None if it has not run.
        decision: Its latest decision, which may belong to an earlier run; None if there is none.
        decided_at: When that was made; None if it is not known.
        champion: Its champion; None if it has none.
        retired: The end of its last champion; None if the model was not retired.
        questions: What its runs ask a person.
        metric: The main metric of the champion when it was judged; None if it is not known, or the row is not shown.
        served: The status of its model in the gateway; None if the gateway does not serve it.
        health: How the champion does in production; None without monitoring or without a champion.
        moved: A message if somebody has moved the alias of the champion outside of Taxiway; empty if not.
    """

    name: str
    state: State
    facts: DagFacts = field(default_factory=DagFacts)
    last: LastRun | None = None
    decision: RunSummary | None = None
    decided_at: datetime | None = None
    champion: ChampionInfo | None = None
    retired: Promotion | None = None
    questions: tuple[Question, ...] = ()
    metric: MetricResult | None = None
    served: ModelStatus | None = None
    health: ChampionHealth | None = None
    moved: str = ""

    @property
    def serving_problem(self) -> str:
        """What is wrong with the serving; empty if nothing is, or the gateway does not serve the model."""
        if self.served is None:
            return ""
        if self.served.problem:
            return self.served.problem
        wanted, found = self.champion.version if self.champion else 0, self.served.champion
        return f"the champion is version {wanted or 'none'}" if found != wanted else ""

    @property
    def forced(self) -> Promotion | None:
        """The promotion by which a person forced the champion; None if it had passed its gates."""
        promotion = self.champion.promotion if self.champion else None
        return promotion if promotion is not None and promotion.forced else None

    @property
    def open_span(self) -> RunSummary | None:
        """The latest decision, if it left its span blocked or undecided."""
        return self.decision if self.decision is not None and self.decision.outcome in _OPEN else None


@dataclass(frozen=True)
class RowFilter:
    """Which rows a user wants to see, and in which order.

    Attributes:
        text: Only pipelines with this in their name or owner.
        state: Only pipelines in this state; empty for all.
        order: What comes first.
        page: The number of the page, from 1.
    """

    text: str = ""
    state: str = ""
    order: Order = Order.HEALTH
    page: int = 1

    def address(self, **changed: str | int) -> str:
        """The query of the address of these rows, with other values; it leads to the first page if none is given."""
        asked = {"q": self.text, "state": self.state, "order": self.order, **changed}
        return urlencode({name: value for name, value in asked.items() if value not in ("", Order.HEALTH)})


ALL_ROWS = RowFilter()


def _health_place(health: ChampionHealth | None) -> int:
    return health.urgency if health is not None and health.needs_a_person else len(HealthState)


_KEYS: dict[Order, Callable[[Row], tuple[int, ...]]] = {
    Order.HEALTH: lambda row: (_health_place(row.health), _STATES[row.state]),
    Order.STATE: lambda row: (_STATES[row.state],),
    Order.NAME: lambda _: (),
}


def ordered(rows: Iterable[Row], order: Order) -> list[Row]:
    """These rows in an order; those that are equal in it are ordered by name."""
    return sorted(rows, key=lambda row: (_KEYS[order](row), row.name))


def matches(row: Row, row_filter: RowFilter) -> bool:
    """Whether a user wants to see a row."""
    text = row_filter.text.casefold()
    return (not row_filter.state or row.state == row_filter.state) and (
        text in row.name.casefold() or text in row.facts.owner.casefold()
    )
