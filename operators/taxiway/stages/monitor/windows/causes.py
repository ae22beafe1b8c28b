"""Which drifted inputs a worse estimate comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.evaluation.predictions import positive_class
from taxiway.messages import percent
from taxiway.monitoring.evidence import is_worse
from taxiway.stages.monitor.windows.drift import WindowDrift
from taxiway.stages.monitor.windows.performance import MIN_ROWS, Reference, WindowPerformance

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 2000
_SMALLEST_SHARE = 0.05


@dataclass(frozen=True)
class Causes:
    """Where a worse estimate comes from.

    Attributes:
        shares: The share of the change of the estimate that each drifted input explains, the largest first. It is negative if the metric
            would be better by it alone. The sum is 1 unless something else changed, such as a relation of inputs.
        message: The same for people.
    """

    shares: Mapping[str, float]
    message: str


def causes(
    reference: Reference,
    pyfunc: Any,
    before: "pd.DataFrame",
    found: WindowPerformance,
    drift: WindowDrift,
    after: "pd.DataFrame",
) -> Causes | None:
    """Divide the change of an estimated metric among the inputs that drifted, at most eight of them.

    Args:
        reference: The performance on the evaluation rows.
        pyfunc: The model.
        before: The evaluation rows, from `evaluation_inputs`.
        found: The performance in the window.
        drift: The drift of the window.
        after: Rows of the window, with the columns that are compared.

    Returns:
        None if the estimate is not worse than on the evaluation rows, no input has drifted, or there are too few rows.
    """
    from taxiway.evaluation.scoring import LoadedModel, score_frame
    from taxiway.monitoring.attribution import MOST_COLUMNS, moved, shapley
    from taxiway.monitoring.domain_classifier import sample
    from taxiway.monitoring.estimate import expected

    calibration, names = reference.calibration, [each.column for each in drift.columns[:MOST_COLUMNS]]
    if calibration is None or found.estimated is None or not names or found.rows < MIN_ROWS:
        return None
    if not is_worse(reference.metric, found.estimated, reference.performance):
        return None
    rows = before.iloc[sample(len(before))[:_ROWS]].reset_index(drop=True)
    changed = {name: moved(rows[name], after[name]) for name in names}
    model = LoadedModel(0, pyfunc, reference.classes)

    def estimate(some: frozenset[str]) -> float:
        frame = rows.assign(**{name: changed[name] for name in some})
        predictions = score_frame(model, frame, reference.classes, positive_class(reference.classes))
        return expected(reference.metric, predictions, calibration.probabilities(predictions.values), reference.classes)

    start, now = estimate(frozenset()), found.estimated.value
    if start == now:
        return None
    shares = {name: value / (now - start) for name, value in shapley(estimate, names).items()}
    shares = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return Causes(shares, _message(reference.metric, start, now, shares))


def _message(metric: str, before: float, now: float, shares: Mapping[str, float]) -> str:
    parts = [f"{percent(share)} of it from {name}" for name, share in shares.items() if share >= _SMALLEST_SHARE]
    by = f"; {', '.join(parts)}" if parts else ", which no input that drifted explains alone"
    return f"estimated {metric} changed from {before:.3f} for evaluation rows to {now:.3f}{by}"
