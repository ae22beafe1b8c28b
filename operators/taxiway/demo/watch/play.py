"""Plays half a year, week by week: the champion predicts, labels come, monitoring looks, and the pipeline trains again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from taxiway.demo.flights import write_span
from taxiway.demo.watch.traffic import Traffic
from taxiway.demo.watch.weeks import Week, weeks
from taxiway.ledger.chain import Ledger
from taxiway.records import Interval, RunSummary
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.batch.version import find_version, load_version
from taxiway.stages.installation import Installation
from taxiway.stages.monitor.alerts import Alert
from taxiway.stages.monitor.run import MonitoringResult
from taxiway.stages.runner import monitor_in, run_in

PIPELINE = "flights.watched_arrivals"
SOURCE, LOG = "flights_watched", "flights_watched_log"
FIRST_TRAINING, FIRST_SERVED, LAST_SERVED = "2013-W21", "2013-W23", "2013-W52"
"""What the first model is evaluated on, and the weeks that are predicted."""
_BEFORE = 5


@dataclass(frozen=True)
class Monday:
    """What happened on a Monday, when the flights of a week were over.

    Attributes:
        week: The week.
        monday: Its first day.
        version: The version that predicted its flights.
        served: How well it did, by the labels that come a week later.
        monitored: What monitoring found and decided.
        alerts: What it told.
        trained: The outcome of the training that it asked for; None without one.
    """

    week: str
    monday: date
    version: int
    served: Interval
    monitored: MonitoringResult
    alerts: tuple[Alert, ...]
    trained: RunSummary | None

    @property
    def estimated(self) -> Interval | None:
        """How well it was estimated to do before the labels came."""
        return self.monitored.found.windows[-1].performance.estimated


def play(
    installation: Installation,
    pipeline: Pipeline,
    data: Path,
    state: Path,
    *,
    last: str = LAST_SERVED,
    show: Callable[[str], None] = lambda _: None,
) -> Iterator[Monday]:
    """Play the weeks, and yield each when it is over.

    Args:
        installation: The store and MLflow.
        pipeline: The pipeline of the demonstration.
        data: The folder of all sources.
        state: The state folder of the request log.
        last: The last week.
        show: Called with what is being done.
    """
    show("reading the flights of 2013")
    flights = weeks()
    names = list(flights)
    first = names.index(FIRST_TRAINING)
    for name in names[first - _BEFORE : first + 1]:
        write_span(flights[name].delivered, data / SOURCE, name)
    at = _monday_after(flights[FIRST_TRAINING]) + timedelta(days=7)
    show("training the first model")
    run_in(installation, pipeline, clock=_clock(at))
    traffic, champion = Traffic(state, data / LOG, pipeline.name), _champion(installation, pipeline, None)
    for number in range(names.index(FIRST_SERVED), names.index(last) + 1):
        week, before = flights[names[number]], flights[names[number - 1]]
        show(f"{week.name}: predicting its {len(week.flights):,} flights")
        champion = _champion(installation, pipeline, champion)
        served = traffic.serve(week, champion.version, champion.loaded)
        at = _monday_after(week)
        if number > names.index(FIRST_SERVED):
            traffic.label(before, at)
        write_span(before.delivered, data / SOURCE, before.name)
        show(f"{week.name}: monitoring")
        monitored, alerts = monitor_in(installation, pipeline, clock=_clock(at))
        trained = None
        if monitored.retraining is not None and monitored.retraining.retrain:
            show(f"{week.name}: training again")
            trained = run_in(installation, pipeline, clock=_clock(at), retraining=monitored.retraining).summary
        yield Monday(week.name, week.monday, champion.version, served, monitored, alerts, trained)


@dataclass(frozen=True)
class _Champion:
    version: int
    loaded: Any


def _champion(installation: Installation, pipeline: Pipeline, before: _Champion | None) -> _Champion:
    """The champion now, which is loaded if it is another one than before."""
    found = find_version(Ledger(installation.client, installation.services.ledger_keys), pipeline.name)
    if before is not None and found.version == before.version:
        return before
    return _Champion(found.version, load_version(installation.client, found))


def _monday_after(week: Week) -> datetime:
    return datetime(week.monday.year, week.monday.month, week.monday.day, 6, tzinfo=UTC) + timedelta(days=7)


def _clock(at: datetime) -> Callable[[], datetime]:
    return lambda: at
