"""The `purpose` section: what the model is for, in the words of the team; it is printed in the model card of the gate report."""

from collections.abc import Iterator

from pydantic import Field

from taxiway.spec.base import Number, Section
from taxiway.spec.metrics import GateMetricName


class Goal(Section):
    """What the model is to reach, which may be more than the gate requires.

    Attributes:
        metric: The metric; one that the gate uses is compared with the goal in each report.
        target: The value that is wanted.
    """

    metric: GateMetricName
    target: Number = Field(allow_inf_nan=False)


class Harm(Section):
    """What wrong predictions cost, and whom.

    Attributes:
        false_positive: The harm of predicting the class that is acted on where it is wrong; of a number, of one that is too high.
        false_negative: The harm of missing it; of a number, of one that is too low.
    """

    false_positive: str = ""
    false_negative: str = ""


class Purpose(Section):
    """What the model is for. It decides nothing: people read it in the model card of the gate report.

    Attributes:
        description: What the model predicts, and what for.
        users: Who uses its predictions.
        goal: What it is to reach; None if nobody has said.
        harm: What wrong predictions cost, and whom.
        not_for: Uses for which it must not be taken.
    """

    description: str = ""
    users: str = ""
    goal: Goal | None = None
    harm: Harm = Harm()
    not_for: tuple[str, ...] = ()

    def blank(self) -> Iterator[str]:
        """The keys that are not filled in, such as `harm.false_positive`."""
        fields = {
            "description": self.description,
            "users": self.users,
            "goal": self.goal,
            "harm.false_positive": self.harm.false_positive,
            "harm.false_negative": self.harm.false_negative,
            "not_for": self.not_for,
        }
        for name, value in fields.items():
            if not value or (isinstance(value, str) and not value.strip()):
                yield name
