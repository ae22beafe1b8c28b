"""When the losses of a version have changed, by the rows with a label of all windows in the order of the predictions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from taxiway.evaluation.predictions import Predictions, positive_class, predictions_of
from taxiway.monitoring.changes import changes
from taxiway.monitoring.row_losses import largest_loss, loss_name_of, loss_of_rows
from taxiway.records.served import LossChange
from taxiway.stages.monitor.windows.log_windows import Window
from taxiway.stages.monitor.windows.performance import Reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]

_FIRST_DAY = date(1970, 1, 1)


@dataclass
class SeenLosses:
    """The losses of the rows with a label in the windows that have passed.

    Attributes:
        reference: The metric, and how the version performs on its evaluation rows.
    """

    reference: Reference
    _losses: "list[Floats]" = field(default_factory=list)
    _days: "list[Days]" = field(default_factory=list)

    def passing(self, windows: Iterable[Window]) -> Iterator[Window]:
        """The same windows; the losses of each are kept."""
        import numpy as np

        of = self.reference
        for window in windows:
            known = np.flatnonzero(~np.isnan(window.labels))
            if len(known):
                found = predictions_of(window.answers[known], of.classes, of.classes, positive_class(of.classes), of.threshold)
                self._losses.append(loss_of_rows(of.metric, found, window.labels[known])[1])
                self._days.append(window.days[known])
            yield window

    def changes(self) -> tuple[LossChange, ...]:
        """When the mean loss has changed, oldest first; see `taxiway.monitoring.changes`."""
        import numpy as np

        if not self._losses:
            return ()
        name, evaluation = self._of_evaluation()
        found = changes(np.concatenate(self._losses), np.concatenate(self._days), largest_loss(name, evaluation))
        return tuple(
            LossChange(
                loss=name,
                day=_day(each.day),
                earliest=_day(each.earliest),
                latest=_day(each.latest),
                before=each.before,
                after=each.after,
                rows_before=each.rows_before,
                rows_after=each.rows_after,
            )
            for each in found
        )

    def _of_evaluation(self) -> "tuple[str, Floats]":
        """The name of the loss, and the losses of the evaluation rows of a regression; none for classes."""
        import numpy as np

        of, rows = self.reference, self.reference.evaluated
        if rows is None:
            return loss_name_of(of.metric), np.empty(0)
        return loss_of_rows(of.metric, Predictions(rows.predictions), rows.labels)


def _day(days: int) -> date:
    return _FIRST_DAY + timedelta(days=days)
