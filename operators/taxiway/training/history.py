"""How the loss of an estimator developed while it was fitted, as far as its library keeps it; and what is wrong with it."""

import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from taxiway.messages import error_line

_log = logging.getLogger(__name__)
_MOST_STEPS = 1_000
_PATIENCE = 10
_LOST_SHARE = 0.1
_HIGHER_IS_BETTER = ("auc", "aucpr", "average_precision", "map", "ndcg", "pre")
"""The beginnings of the names of the scores of XGBoost and LightGBM, such as `ndcg@5`; all others are losses."""


@dataclass(frozen=True)
class Curve:
    """A metric after each iteration.

    Attributes:
        part: The rows that it is of.
        metric: Its name, such as `loss`.
        values: The values.
        first: The number of the first iteration: 0 if the first value is that of the model before any iteration.
        higher_is_better: Whether it is a score, and not a loss.
        kept: The last iteration that the fitted model uses; None for all.
    """

    part: Literal["training", "validation"]
    metric: str
    values: Sequence[float]
    first: int = 1
    higher_is_better: bool = False
    kept: int | None = None

    @property
    def name(self) -> str:
        """The name of its metric in MLflow, such as `history.validation.loss`."""
        allowed = re.sub(r"[^\w.-]", "_", self.metric)
        return f"history.{self.part}.{allowed}"

    def steps(self) -> dict[int, float]:
        """At most 1,000 of the values, by their iterations; the last one is always among them."""
        every, last = math.ceil(len(self.values) / _MOST_STEPS), len(self.values) - 1
        return {at + self.first: value for at, value in enumerate(self.values) if (last - at) % every == 0}


def curves_of(estimator: Any) -> tuple[Curve, ...]:
    """The curves that a fitted estimator keeps; that of the last step for a pipeline, and none for estimators of estimators.

    XGBoost and LightGBM keep that of the validation rows of early stopping, HistGradientBoosting both with early stopping,
    GradientBoosting that of the training rows, and neural networks the training loss and, with early stopping, the validation score.
    """
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    try:
        return tuple(curve for curve in _curves(last) if len(curve.values))
    except Exception as error:  # of any library
        _log.warning("the history of %s could not be read: %s", type(last).__name__, error_line(error))
        return ()


def findings(curve: Curve) -> list[str]:
    """What is wrong with a curve, as messages with their numbers."""
    found = (exploded(curve), not_improving(curve), overfitted(curve))
    return [message for message in found if message is not None]


def exploded(curve: Curve) -> str | None:
    """Whether a value is not finite."""
    for iteration, value in enumerate(curve.values, curve.first):
        if not math.isfinite(value):
            return f"{_title(curve)} is {value} in iteration {iteration:,}"
    return None


def not_improving(curve: Curve) -> str | None:
    """Whether no value is better than the first one, after at least ten more."""
    losses = _losses(curve)
    if len(losses) <= _PATIENCE or not all(map(math.isfinite, losses)) or min(losses) < losses[0]:
        return None
    return f"{_title(curve)} is never better than in the first of {len(losses):,} iterations, {curve.values[0]:.4g}"


def overfitted(curve: Curve) -> str | None:
    """Whether a validation metric has lost more than 10% of its improvement again, at the last iteration that the model uses."""
    losses = _losses(curve)
    if curve.kept is not None:
        losses = losses[: curve.kept - curve.first + 1]
    if curve.part != "validation" or not losses or not all(map(math.isfinite, losses)):
        return None
    best = min(range(len(losses)), key=losses.__getitem__)
    gained, lost = losses[0] - losses[best], losses[-1] - losses[best]
    if gained <= 0 or lost <= _LOST_SHARE * gained:
        return None
    return (
        f"{_title(curve)} is best in iteration {best + curve.first:,}, {curve.values[best]:.4g}, and {curve.values[len(losses) - 1]:.4g} in "
        f"the last one, {len(losses) - 1 + curve.first:,}: {lost / gained:.1%} of the improvement is lost again (limit: {_LOST_SHARE:.0%}), "
        "so the model is probably overfitted; use fewer iterations or a lower learning rate"
    )


def _title(curve: Curve) -> str:
    return f"the {curve.part} {curve.metric}"


def _losses(curve: Curve) -> list[float]:
    return [-value for value in curve.values] if curve.higher_is_better else list(curve.values)


def _curves(estimator: Any) -> Iterator[Curve]:
    library, name = type(estimator).__module__.partition(".")[0], type(estimator).__name__
    if library in ("xgboost", "lightgbm"):
        yield from _boosting_libraries(estimator, library)
    elif name.startswith("HistGradientBoosting") and estimator.scoring == "loss":  # kept as scores, which are negative losses
        yield Curve("training", "loss", [-float(score) for score in estimator.train_score_], first=0)
        yield Curve("validation", "loss", [-float(score) for score in estimator.validation_score_], first=0)
    elif name.startswith("GradientBoosting"):
        yield Curve("training", "loss", [float(loss) for loss in estimator.train_score_])
    elif name.startswith("MLP"):
        scores = getattr(estimator, "validation_scores_", None) or []
        yield Curve("training", "loss", [float(loss) for loss in getattr(estimator, "loss_curve_", [])])
        # With early stopping, it keeps the weights of its best iteration.
        kept = 1 + max(range(len(scores)), key=scores.__getitem__) if scores else None
        yield Curve("validation", "score", [float(score) for score in scores], higher_is_better=True, kept=kept)


def _boosting_libraries(estimator: Any, library: str) -> Iterator[Curve]:
    """The curves of the validation rows, of which only early stopping gives any to these libraries."""
    if library == "xgboost":
        kept = getattr(estimator, "early_stopping_rounds", None) and estimator.best_iteration + 1
        evaluated = estimator.evals_result() if kept else {}
    else:
        kept, evaluated = estimator.best_iteration_ or None, estimator.evals_result_
    for metrics in evaluated.values():
        for metric, values in metrics.items():
            better = metric.partition("@")[0] in _HIGHER_IS_BETTER
            yield Curve("validation", metric, [float(value) for value in values], higher_is_better=better, kept=kept)
