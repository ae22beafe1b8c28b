"""The estimated errors of a served regression, by window."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taxiway.features.signature import ModelColumns
from taxiway.monitoring.direct_loss import LossMetric, LossModel, fit_loss
from taxiway.serving.request_log.rows import LABEL_VALUE, PREDICTION_VALUE
from taxiway.stages.monitor.windows.inputs import WindowFile
from taxiway.stages.monitor.windows.performance import CONFIDENCE, Reference, WindowPerformance, judged

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ErrorEstimates:
    """Estimates the errors of a regression.

    Attributes:
        reference: The performance on the evaluation rows.
        loss: The model of the errors.
        columns: Its columns.
    """

    reference: Reference
    loss: LossModel
    columns: ModelColumns

    def of_window(self, found: WindowPerformance, path: Path) -> WindowPerformance:
        """The performance in a window with its estimates.

        Args:
            found: The performance without them.
            path: The rows, from `window_rows`.
        """
        import numpy as np
        import pandas as pd

        if found.alike:
            return found
        rows = WindowFile(path, self.columns)
        frame = pd.DataFrame({name: rows.values(name) for name in self.columns.names})
        predictions, labels = rows.numbers(PREDICTION_VALUE), rows.numbers(LABEL_VALUE)
        predicted = ~np.isnan(predictions)
        labelled = predicted & ~np.isnan(labels)
        estimate = self.loss.estimated(frame[predicted], predictions[predicted], CONFIDENCE)
        of_labelled = (
            self.loss.estimated(frame[labelled], predictions[labelled], CONFIDENCE) if found.realised is not None else None
        )
        return judged(self.reference, replace(found, estimated=estimate, estimated_of_labelled=of_labelled))


def error_estimates(reference: Reference, before: "pd.DataFrame", columns: ModelColumns) -> ErrorEstimates | None:
    """Fit a model of the errors of a regression on the evaluation rows.

    Args:
        reference: The performance on them.
        before: The evaluation rows, from `evaluation_inputs`.
        columns: The columns that the requests have, from `compared_columns`.

    Returns:
        None for a classifier, for another metric than `mae` and `rmse`, and if the requests have no columns to compare.
    """
    evaluated = reference.evaluated
    if evaluated is None or reference.not_estimated or not columns.names:
        return None
    rows, metric = before[list(columns.names)].iloc[evaluated.positions], cast("LossMetric", reference.metric)
    return ErrorEstimates(reference, fit_loss(metric, rows, evaluated.predictions, evaluated.labels), columns)
