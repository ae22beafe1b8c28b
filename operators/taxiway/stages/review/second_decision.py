"""What the model gate would decide today about a version, on the rows of then."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.records import Reason, Status, Verdict
from taxiway.records.recorder import InMemoryRun
from taxiway.stages.review.pipeline import PipelineReview
from taxiway.stages.review.reopened import Reopening, reopenings

if TYPE_CHECKING:
    from taxiway.lineage.verdicts import JudgedVersion


@dataclass(frozen=True)
class SecondDecision:
    """What the model gate would decide today about a version.

    Attributes:
        then: The verdict then.
        today: The verdict that it would give now. It is not recorded.
        reasons: Why the verdict of then is re-opened.
        notes: What could not be reviewed, and why.
    """

    then: Verdict
    today: Verdict
    reasons: tuple[Reopening, ...]
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the verdict is re-opened, or another one would be given."""
        return bool(self.reasons) or self.then.status is not self.today.status

    @property
    def gone(self) -> tuple[Reason, ...]:
        """The reasons of then that the gate would not give today."""
        return _without(self.then, self.today)

    @property
    def new(self) -> tuple[Reason, ...]:
        """The reasons of today that the gate did not give then."""
        return _without(self.today, self.then)


def decide_again(reviewed: PipelineReview, judged: "JudgedVersion", champion: int | None) -> SecondDecision:
    """Run the model gate again on the stored evaluation rows of a version, under the present pipeline file; nothing is recorded.

    The version is compared with today's champion. If it is the champion itself, it is compared with the champion of then.

    Args:
        reviewed: The pipeline of the version.
        judged: The version with its verdict and records.
        champion: Today's champion; None if there is none.

    Raises:
        TerminalError: A record or a model cannot be read.
    """
    from taxiway.stages.validate_model.judge import judge

    then, records = judged.verdict, judged.records
    if records.candidate is None or records.snapshot is None or records.report is None:
        why = "; ".join(records.unread) or "its run has not recorded the candidate, the snapshot and the report"
        raise TerminalError(f"the gate cannot be run again for {then.model} version {then.version}: {why}")
    other = then.champion if champion == then.version else champion
    context = replace(reviewed.opened(), recorder=InMemoryRun())
    today = judge(context, records.candidate, records.snapshot, records.report, other, is_review=True).verdict
    reasons, notes = reopenings(reviewed, then, records.snapshot, records.report, with_schema=True)
    return SecondDecision(then, today, reasons, notes)


def _without(verdict: Verdict, other: Verdict) -> tuple[Reason, ...]:
    """The reasons of one verdict that count and that another does not have."""
    idle = (Status.INFO, Status.NOT_APPLICABLE)
    given = {(reason.status, reason.message) for reason in other.reasons}
    return tuple(r for r in verdict.reasons if r.status not in idle and (r.status, r.message) not in given)
