"""The health of a pipeline in production: the mark that the first page shows, by what monitoring has found last."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from taxiway.records.served import AlertKind, ServedPerformance
from taxiway.registry.champions import ChampionInfo
from taxiway_ui.monitoring.alerts import Acknowledgements, StandingAlert, standing_alerts
from taxiway_ui.monitoring.runs import MonitoringState
from taxiway_ui.times import time_text


class HealthState(StrEnum):
    """How a champion does in production, the most urgent first."""

    FAILED = "monitoring failed"
    WORSE_REALISED = "worse (realised)"
    OFF_TARGET = "misses its target"
    WORSE_ESTIMATED = "worse (estimated)"
    INVALID = "inputs invalid"
    FOUND = "found by a check"
    OUTLYING = "many outliers"
    LABELS_LATE = "labels late"
    LABELS_DUE = "labels due"
    SILENT = "no requests"
    DRIFTED = "inputs drifted"
    ACKNOWLEDGED = "acknowledged"
    NOT_COMPARED = "not compared yet"
    WELL = "well"


_OF_ALERT = {
    AlertKind.REALISED: HealthState.WORSE_REALISED,
    AlertKind.TARGET: HealthState.OFF_TARGET,
    AlertKind.ESTIMATED: HealthState.WORSE_ESTIMATED,
    AlertKind.DATA: HealthState.INVALID,
    AlertKind.CHECK: HealthState.FOUND,
    AlertKind.OUTLIERS: HealthState.OUTLYING,
    AlertKind.LABELS: HealthState.LABELS_LATE,
    AlertKind.AUDIT: HealthState.LABELS_DUE,
    AlertKind.DRIFT: HealthState.DRIFTED,
}
_ORDER = {state: place for place, state in enumerate(HealthState)}


@dataclass(frozen=True)
class ChampionHealth:
    """The health of a pipeline.

    Attributes:
        state: The most urgent of what is known.
        message: The evidence, in a sentence.
        silent_since: The last day with requests, if there have been none since; None if there have, or if it is not known.
    """

    state: HealthState
    message: str
    silent_since: date | None = None

    @property
    def urgency(self) -> int:
        """Its place in the order of the states, from 0."""
        return _ORDER[self.state]

    @property
    def needs_a_person(self) -> bool:
        """Whether a person is to look at it."""
        return self.urgency < _ORDER[HealthState.ACKNOWLEDGED]


def health_of(
    monitoring: MonitoringState, found: ServedPerformance | None, champion: ChampionInfo, acknowledged: Acknowledgements
) -> ChampionHealth:
    """The health of a pipeline with monitoring.

    Args:
        monitoring: What Airflow knows of its monitoring.
        found: What the newest run with requests has found; None if there is none, or if its record cannot be read.
        champion: Its champion.
        acknowledged: The acknowledgements of its alerts.
    """
    current = found if found is not None and found.version == champion.version else None
    known = [*_of_runs(monitoring, current, champion)]
    if current is not None:
        known += map(_of_alert, standing_alerts(current, acknowledged))
        known.append(
            ChampionHealth(HealthState.WELL, f"no alert of version {current.version} stands, compared {time_text(current.at)}")
        )
    not_compared = ChampionHealth(
        HealthState.NOT_COMPARED, f"version {champion.version} has not been compared with its evaluation rows yet"
    )
    return min(known, key=lambda health: health.urgency, default=not_compared)


def _of_runs(
    monitoring: MonitoringState, current: ServedPerformance | None, champion: ChampionInfo
) -> Iterator[ChampionHealth]:
    """The health that follows from the state of the newest run of monitoring, without its record."""
    if monitoring.failed:
        yield ChampionHealth(HealthState.FAILED, f"the newest run of monitoring failed, {time_text(monitoring.ended_at)}")
    since = current.silent_since if current is not None else None
    if since is not None:
        yield ChampionHealth(HealthState.SILENT, f"version {champion.version} has predicted no rows since {since}", since)
    elif monitoring.skipped and _is_after_promotion(monitoring.ended_at, champion):
        windows = "in the windows that monitoring looks at"
        yield ChampionHealth(HealthState.SILENT, f"version {champion.version} has predicted no rows {windows}")


def _is_after_promotion(at: datetime | None, champion: ChampionInfo) -> bool:
    return at is not None and (champion.promotion is None or at > champion.promotion.at)


def _of_alert(standing: StandingAlert) -> ChampionHealth:
    if not standing.acknowledged:
        return ChampionHealth(_OF_ALERT[standing.alert.kind], standing.message)
    first = standing.acknowledged[0]
    return ChampionHealth(
        HealthState.ACKNOWLEDGED,
        f"{standing.message}; acknowledged by {first.by} at {time_text(first.at)}: {first.reason}",
    )
