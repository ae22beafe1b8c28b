"""The condition that a drafted pipeline file suggests: the tightest one that its evaluation rows support."""

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from taxiway.cli.lint.conditions import DISAGREEMENT, planned_condition
from taxiway.cli.new.draft import Draft
from taxiway.gates.sample_size import rows_suffice, sample_size
from taxiway.messages import counted
from taxiway.spec.conditions.budget import Budget
from taxiway.spec.gate import Gate

TOLERANCES = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05)
"""The tolerances that are suggested, in accuracy. A wider one would let models pass that lose more than people would call the same."""

_COLUMNS = 110


class Suggestion(NamedTuple):
    """A condition of non-inferiority.

    Attributes:
        tolerance: How much worse the accuracy may be, and how near an estimate may be to that.
        rows: The evaluation rows that it needs.
    """

    tolerance: float
    rows: int

    @property
    def condition(self) -> str:
        """The condition, as `gate.conditions` has it."""
        return f"n - o > -{self.tolerance:g} +/- {self.tolerance:g}"


def suggested_condition(draft: Draft) -> Suggestion | None:
    """The condition to suggest in a draft; None for a regression, whose metrics have no range, and if no useful one has enough rows."""
    if draft.label.problem == "regression" or draft.min_rows is not None:
        return None
    return tightest_condition(draft.safe_rows)


def tightest_condition(rows: int) -> Suggestion | None:
    """The condition with the smallest tolerance that rows support for the default budget; None if none is useful.

    Args:
        rows: The evaluation rows.
    """
    for tolerance in TOLERANCES:
        found = Suggestion(tolerance, 0)
        # A draft has other requirements beside it, which count in the plan.
        gate = Gate.model_validate({"thresholds": {"accuracy": 0}, "conditions": [found.condition]})
        guaranteed = planned_condition(gate.conditions[0], gate)
        if rows_suffice(guaranteed, rows):
            return found._replace(rows=sample_size(guaranteed).rows)
    return None


def condition_comment(draft: Draft) -> Iterator[str]:
    """The lines of the comment in the section `gate`; none if there is no condition to suggest."""
    found = suggested_condition(draft)
    if found is None:
        return
    text = (
        f"A condition can limit the probability to 1% that any of {counted(Budget().steps, 'model')} tried on the same rows passes although "
        f"its accuracy is {100 * found.tolerance:g} points or more below the champion's; it costs that the scores of models that fail are "
        "withheld while others may be tried (gate.show). These rows support it if the predictions of two models differ on "
        f"{100 * DISAGREEMENT:.0f}% of them. To use it, uncomment two lines:"
    )
    yield from textwrap.wrap(text, _COLUMNS, initial_indent="  # ", subsequent_indent="  # ")
    yield f"  # conditions: [{found.condition}]"
    yield f"  # min_rows: {found.rows}{' ' * (30 - len(str(found.rows)))} # what it needs"
