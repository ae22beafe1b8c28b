"""The alerts of monitoring that stand, and who has acknowledged them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from taxiway.records import Decision, DecisionKind
from taxiway.records.served import ServedAlert, ServedPerformance

Acknowledgements = Mapping[str, tuple[Decision, ...]]
"""The acknowledgements of each alert, by its digest, oldest first."""


@dataclass(frozen=True)
class StandingAlert:
    """An alert that stands.

    Attributes:
        alert: The alert.
        message: The same in a sentence.
        acknowledged: The acknowledgements of people, oldest first.
    """

    alert: ServedAlert
    message: str
    acknowledged: tuple[Decision, ...]


def acknowledgements(made: Iterable[Decision]) -> Acknowledgements:
    """The acknowledgements among decisions of people.

    Args:
        made: The decisions, newest first.
    """
    found: dict[str, tuple[Decision, ...]] = {}
    for decision in made:
        if decision.kind is DecisionKind.ACKNOWLEDGEMENT:
            found[decision.about] = (decision, *found.get(decision.about, ()))
    return found


def standing_alerts(found: ServedPerformance, acknowledged: Acknowledgements) -> tuple[StandingAlert, ...]:
    """The alerts that a run of monitoring has found, the most urgent first."""
    return tuple(
        StandingAlert(alert, alert.describe(found.metric), acknowledged.get(alert.digest, ())) for alert in found.alerts
    )
