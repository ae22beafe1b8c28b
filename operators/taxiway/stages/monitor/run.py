"""A run of monitoring: what is found of the champion, and what follows from it."""

from dataclasses import dataclass
from typing import Any

from taxiway.monitoring.retraining import RetrainingDecision
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.champion import monitor_champion
from taxiway.stages.monitor.monitored import Monitored
from taxiway.stages.monitor.retraining import retraining
from taxiway.stages.monitor.rollback import (
    RollbackDecision,
    completed,
    known_promotions,
    roll_back_if_worse,
    rollback_to_complete,
)


@dataclass(frozen=True)
class MonitoringResult:
    """What a run of monitoring has found and decided.

    Attributes:
        found: The windows of the champion.
        rollback: Whether the version before has become champion again; None if the pipeline file does not ask.
        retraining: Whether to train again; None if the pipeline file does not ask, if no window has enough rows, or if the champion was
            rolled back: the windows are not those of the present champion then.
    """

    found: Monitored
    rollback: RollbackDecision | None
    retraining: RetrainingDecision | None

    def summary(self) -> dict[str, Any]:
        """The version, the newest window and its alert, and both decisions in sentences."""
        decisions = {"rollback": self.rollback, "retraining": self.retraining}
        return {**self.found.summary(), **{name: made and made.message for name, made in decisions.items()}}


def run_monitoring(context: StageContext) -> MonitoringResult:
    """Monitor the champion, and decide whether it is rolled back or trained again.

    If an earlier try of this run, or a run that was killed, has rolled the champion back and not told it, this run completes that: it
    monitors the version that was rolled back, so that it records and tells what that run would have.

    Args:
        context: The run; its pipeline has a section `monitor`.

    Raises:
        ConfigError: The pipeline has no section `monitor`, or the log is not a folder.
        NoRequestsError: There is no champion yet, or it has answered no requests in these windows.
        TerminalError: Its records cannot be read, its scores are withheld, or a promotion in the ledger is not signed.
    """
    known = known_promotions(context)
    made = rollback_to_complete(context, known)
    found = monitor_champion(context, known, made.from_version if made is not None else None)
    rollback = completed(context, made) if made is not None else roll_back_if_worse(context, found)
    is_replaced = rollback is not None and rollback.rolled_back
    return MonitoringResult(found, rollback, None if is_replaced else retraining(context, found, known))
