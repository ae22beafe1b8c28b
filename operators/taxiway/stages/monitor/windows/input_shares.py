"""How much of a worse estimate each drifted input explains."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.evaluation.predictions import Predictions, positive_class
from taxiway.monitoring.retraining.evidence import is_worse
from taxiway.stages.monitor.windows.drift import WindowDrift
from taxiway.stages.monitor.windows.performance import CONFIDENCE, MIN_ROWS, Reference, WindowPerformance
from taxiway.stages.monitor.windows.regression import ErrorEstimates

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 2000
_ROWS_AT_ONCE = 32_768


@dataclass(frozen=True)
class InputShares:
    """What the drifted inputs explain of a worse estimate.

    Attributes:
        before: The estimate for evaluation rows.
        now: The estimate for the window.
        shares: The share of the change that each drifted input explains, the largest first. It is negative if the metric would be better by
            it alone. The sum is 1 unless something else changed, such as a relation of inputs.
        errors: Half the width of the 95% interval of each share, for the sample of orders; 0 if the shares are exact.
    """

    before: float
    now: float
    shares: Mapping[str, float]
    errors: Mapping[str, float]


@dataclass(frozen=True)
class Estimates:
    """What is needed to estimate the metric for rows that are not in the log.

    Attributes:
        reference: The performance on the evaluation rows.
        errors: The model of the errors of a regression; None for a classifier.
        pyfunc: The model.
        rows: The evaluation rows, from `evaluation_inputs`.
    """

    reference: Reference
    errors: ErrorEstimates | None
    pyfunc: Any
    rows: "pd.DataFrame"

    @property
    def rows_at_once(self) -> int:
        """How many rows the model predicts in one call: no more than it has predicted when it was evaluated."""
        return min(_ROWS_AT_ONCE, len(self.rows))

    def of_frames(self, frames: "Sequence[pd.DataFrame]") -> Iterator[float]:
        """The estimated metric of each of several frames, whose rows are predicted in one call."""
        import pandas as pd
        import sklearn  # noqa: F401 (a limit holds for libraries that are loaded)
        from threadpoolctl import threadpool_limits

        from taxiway.evaluation.scoring import LoadedModel, score_frame

        classes, start = self.reference.classes, 0
        # With so few rows, more threads cost more than they gain, and much more if other processes use the cores.
        with threadpool_limits(1, user_api="openmp"):
            model, together = LoadedModel(0, self.pyfunc, classes), pd.concat(frames, ignore_index=True)
            predictions = score_frame(model, together, classes, positive_class(classes))
        for frame in frames:
            yield self._of_frame(frame, predictions.take(slice(start, start + len(frame))))
            start += len(frame)

    def _of_frame(self, frame: "pd.DataFrame", predictions: Predictions) -> float:
        from taxiway.monitoring.estimate import expected

        calibration = self.reference.calibration
        if self.errors is not None:
            columns = list(self.errors.columns.names)
            return self.errors.loss.estimated(frame[columns], predictions.values, CONFIDENCE).value
        assert calibration is not None
        probabilities = calibration.probabilities(predictions.values)
        return expected(self.reference.metric, predictions, probabilities, self.reference.classes)


def input_shares(of: Estimates, found: WindowPerformance, drift: WindowDrift, after: "pd.DataFrame") -> InputShares | None:
    """Divide the change of an estimated metric among the inputs that drifted, at most the 16 with the largest distances.

    Args:
        of: What the metric is estimated with.
        found: The performance in the window.
        drift: The drift of the window.
        after: Rows of the window, with the columns that are compared.

    Returns:
        None if the estimate is not worse than on the evaluation rows, no input has drifted, or there are too few rows.
    """
    from taxiway.monitoring.attribution import MAX_NAMES, moved, shapley
    from taxiway.monitoring.domain_classifier import sample

    names = [each.column for each in drift.columns[:MAX_NAMES]]
    if found.estimated is None or not names or found.rows < MIN_ROWS:
        return None
    if not is_worse(of.reference.metric, found.estimated, of.reference.performance):
        return None
    rows = of.rows.iloc[sample(len(of.rows))[:_ROWS]].reset_index(drop=True)
    changed = {name: moved(rows[name], after[name]) for name in names}
    estimate = _of_sets(of, rows, changed)
    (start,), now = estimate([frozenset()]), found.estimated.value
    if start == now:
        return None
    made = shapley(estimate, names)
    shares = {name: value / (now - start) for name, value in made.values.items()}
    shares = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return InputShares(start, now, shares, {name: made.errors[name] / abs(now - start) for name in shares})


def _of_sets(
    of: Estimates, rows: "pd.DataFrame", changed: "Mapping[str, pd.Series[Any]]"
) -> Callable[[Sequence[frozenset[str]]], list[float]]:
    """The function that estimates the metric of the rows with some inputs changed, for many sets of inputs."""
    at_once = max(1, of.rows_at_once // len(rows))

    def estimates(sets: Sequence[frozenset[str]]) -> list[float]:
        found: list[float] = []
        for first in range(0, len(sets), at_once):
            some = sets[first : first + at_once]
            found += of.of_frames([rows.assign(**{name: changed[name] for name in each}) for each in some])
        return found

    return estimates
