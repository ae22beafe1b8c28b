"""How the loss of an estimator developed while it was fitted, as far as its library keeps it."""

import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from taxiway.messages import error_line

_log = logging.getLogger(__name__)
_MAX_STEPS = 1_000
GRADIENT = "gradient_norm"
"""The metric of the curve of a gradient."""
_HIGHER_IS_BETTER = frozenset(
    {
        *("auc", "aucpr", "average_precision", "map", "ndcg", "pre"),
        *("accuracy", "balancedaccuracy", "f", "f1", "kappa", "mcc", "normalizedgini", "prauc", "precision", "r2", "recall"),
        *("totalf1", "wkappa"),
    }
)
"""The beginnings of the names of the scores of XGBoost, LightGBM and CatBoost, such as `ndcg@5` and `F:beta=2`; all others are losses."""


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
        iterations: The number of the iteration of each value; empty if they are numbered from `first`.
    """

    part: Literal["training", "validation"]
    metric: str
    values: Sequence[float]
    first: int = 1
    higher_is_better: bool = False
    kept: int | None = None
    iterations: Sequence[int] = ()

    @property
    def name(self) -> str:
        """The name of its metric in MLflow, such as `history.validation.loss`."""
        allowed = re.sub(r"[^\w.-]", "_", self.metric)
        return f"history.{self.part}.{allowed}"

    @property
    def title(self) -> str:
        """What it is, for messages: `the validation loss`."""
        return f"the {self.part} {self.metric}"

    @property
    def is_gradient(self) -> bool:
        """Whether it is the norm of a gradient, and no loss or score."""
        return self.metric == GRADIENT

    def iteration(self, position: int) -> int:
        """The number of the iteration of the value at a position."""
        return self.iterations[position] if self.iterations else self.first + position

    def steps(self) -> dict[int, float]:
        """At most 1,000 of the values, by their iterations; the last one is always among them."""
        every, last = math.ceil(len(self.values) / _MAX_STEPS), len(self.values) - 1
        return {self.iteration(at): value for at, value in enumerate(self.values) if (last - at) % every == 0}


def curves_of(estimator: Any) -> tuple[Curve, ...]:
    """The curves that a fitted estimator keeps; that of the last step for a pipeline, and none for estimators of estimators.

    XGBoost and LightGBM keep that of the validation rows of early stopping, CatBoost also that of the training rows, HistGradientBoosting both with early stopping,
    GradientBoosting that of the training rows, and neural networks the training loss and, with early stopping, the validation score.
    """
    last = last_step(estimator)
    try:
        return tuple(curve for curve in _curves(last) if len(curve.values))
    except Exception as error:  # of any library
        _log.warning("the history of %s could not be read: %s", type(last).__name__, error_line(error))
        return ()


def last_step(estimator: Any) -> Any:
    """The last step of a pipeline of scikit-learn; any other estimator itself."""
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


def evaluated_curves(evaluated: Mapping[str, Mapping[str, Sequence[float]]], kept: int | None = None) -> Iterator[Curve]:
    """The curves of the validation rows, by data set and metric, as XGBoost and LightGBM give them.

    Args:
        evaluated: The values.
        kept: See `Curve`.
    """
    for metrics in evaluated.values():
        for metric, values in metrics.items():
            yield Curve("validation", metric, [float(v) for v in values], higher_is_better=_is_score(metric), kept=kept)


def catboost_curves(evaluated: Mapping[str, Mapping[str, Sequence[float]]], kept: int | None = None) -> Iterator[Curve]:
    """The curves of the training rows and of those that are held out, as CatBoost gives them.

    Args:
        evaluated: The values, by `learn` or `validation`, and metric.
        kept: See `Curve`.
    """
    for metric, values in evaluated.get("learn", {}).items():
        yield Curve("training", metric, [float(v) for v in values], higher_is_better=_is_score(metric), kept=kept)
    yield from evaluated_curves({"validation": evaluated.get("validation", {})}, kept)


def _is_score(metric: str) -> bool:
    return re.split("[@:]", metric.lower(), maxsplit=1)[0] in _HIGHER_IS_BETTER


def _curves(estimator: Any) -> Iterator[Curve]:
    library, name = type(estimator).__module__.partition(".")[0], type(estimator).__name__
    if library == "catboost":
        yield from _catboost(estimator)
    elif library in ("xgboost", "lightgbm"):
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


def _catboost(estimator: Any) -> Iterator[Curve]:
    """The curves that CatBoost keeps, if it computed the metrics in each iteration."""
    if estimator.get_params().get("metric_period", 1) == 1:
        evaluated = estimator.evals_result_
        yield from catboost_curves(evaluated, estimator.best_iteration_ + 1 if "validation" in evaluated else None)


def _boosting_libraries(estimator: Any, library: str) -> Iterator[Curve]:
    """The curves of the validation rows, of which only early stopping gives any to these libraries."""
    if library == "xgboost":
        kept = getattr(estimator, "early_stopping_rounds", None) and estimator.best_iteration + 1
        evaluated = estimator.evals_result() if kept else {}
    else:
        kept, evaluated = estimator.best_iteration_ or None, estimator.evals_result_
    yield from evaluated_curves(evaluated, kept)
