"""When the labels of a window are expected, and which windows lack them after that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from taxiway.messages import counted
from taxiway.stages.monitor.windows.log_windows import Every, last_day
from taxiway.stages.monitor.windows.performance import MIN_ROWS, WindowPerformance

_USUAL_FROM = 3
"""From so many other windows on, it is known how many rows usually get a label."""
_FEWEST = 0.5
"""The smallest share of the usual share of rows with a label that is not late."""


@dataclass(frozen=True)
class LabelsExpected:
    """The labels of a window.

    Attributes:
        due: The day on which they should be there.
        late: That they are not, for people; empty if they are, or before that day.
    """

    due: date
    late: str


def labels_expected(
    windows: Sequence[WindowPerformance], every: Every, after: timedelta, today: date
) -> Mapping[date, LabelsExpected]:
    """When the labels of windows are expected, by the first days of the windows.

    Labels of a window with at least 100 rows are late if fewer than 100 are there, or less than a half of the usual share of rows has one,
    which is the median over the other windows whose labels are due, if there are at least three.

    Args:
        windows: The windows.
        every: How long a window is.
        after: How long labels take, from the end of a window on.
        today: The day, in UTC.
    """
    due = {each.first: last_day(each.first, every) + timedelta(days=1) + after for each in windows}
    expected = [each for each in windows if due[each.first] <= today and each.rows >= MIN_ROWS]
    return {
        each.first: LabelsExpected(due[each.first], _late(each, expected, due[each.first]) if each in expected else "")
        for each in windows
    }


def _late(window: WindowPerformance, expected: Sequence[WindowPerformance], due: date) -> str:
    shares = [each.labelled / each.rows for each in expected if each is not window]
    usual = median(shares) if len(shares) >= _USUAL_FROM else 0.0
    if window.labelled >= MIN_ROWS and window.labelled / window.rows >= _FEWEST * usual:
        return ""
    return f"labels are late: {window.labelled:,} of {counted(window.rows, 'row')} from {window.first} have one, and all were expected by {due}"
