"""Rules that find mistakes in the history of a training."""

import math
from collections.abc import Callable, Mapping
from statistics import median

from taxiway.spec.model.section import StopRule
from taxiway.training.history.curves import Curve

_PATIENCE = 10
_LOST_SHARE = 0.1
_LATE_SHARE = 0.01
_VANISHED = 1e-7
_EXPLODED = 1_000
_UNCHANGED = 3
"""The values in a row that a gradient must be vanished for."""


def findings(curve: Curve) -> list[str]:
    """What is wrong with a curve, as messages with their numbers."""
    rules = (not_finite, not_improving, overfit, overtraining, vanishing_gradient, exploding_gradient)
    found = (rule(curve) for rule in rules)
    return [message for message in found if message is not None]


def not_finite(curve: Curve) -> str | None:
    """Whether a value is not finite."""
    for position, value in enumerate(curve.values):
        if not math.isfinite(value):
            return f"{curve.title} is {value} in iteration {curve.iteration(position):,}"
    return None


def not_improving(curve: Curve) -> str | None:
    """Whether no value is better than the first one, after at least ten more."""
    losses = _losses(curve)
    if len(losses) <= _PATIENCE or min(losses) < losses[0]:
        return None
    return f"{curve.title} is never better than in the first of {len(losses):,} iterations, {curve.values[0]:.4g}"


def overfit(curve: Curve) -> str | None:
    """Whether a validation metric has lost more than 10% of its improvement again, at the last iteration that the model uses."""
    found = _lost(curve)
    return found and f"{found}, so the model is probably overfitted; use fewer iterations or a lower learning rate"


def _lost(curve: Curve) -> str | None:
    """How much of its improvement a validation metric has lost again, if it is more than 10%."""
    losses = _losses(curve)
    if curve.kept is not None:
        losses = [loss for at, loss in enumerate(losses) if curve.iteration(at) <= curve.kept]
    if curve.part != "validation" or not losses:
        return None
    best = losses.index(min(losses))
    gained, lost = losses[0] - losses[best], losses[-1] - losses[best]
    if gained <= 0 or lost <= _LOST_SHARE * gained:
        return None
    last = len(losses) - 1
    return (
        f"{curve.title} is best in iteration {curve.iteration(best):,}, {curve.values[best]:.4g}, and {curve.values[last]:.4g} in "
        f"the last one, {curve.iteration(last):,}: {lost / gained:.1%} of the improvement is lost again (limit: {_LOST_SHARE:.0%})"
    )


def overtraining(curve: Curve) -> str | None:
    """Whether the second half of at least 20 iterations, which the model uses, has gained less than 1% of the improvement."""
    losses = _losses(curve)
    if curve.part != "validation" or curve.kept is not None or len(losses) < 2 * _PATIENCE:
        return None
    half = len(losses) // 2
    gained, late = losses[0] - min(losses), min(losses[:half]) - min(losses)
    if gained <= 0 or late >= _LATE_SHARE * gained:
        return None
    return (
        f"{curve.title} gained {max(late, 0) / gained:.1%} of its improvement after iteration {curve.iteration(half - 1):,} of "
        f"{curve.iteration(len(losses) - 1):,} (limit: {_LATE_SHARE:.0%}); fewer iterations are as good"
    )


def vanishing_gradient(curve: Curve) -> str | None:
    """Whether the last three norms of the gradient are below 1e-7."""
    if not curve.is_gradient or len(curve.values) < _UNCHANGED or not max(curve.values[-_UNCHANGED:]) < _VANISHED:
        return None
    last = curve.iteration(len(curve.values) - 1)
    return f"{curve.title} is {curve.values[-1]:.2g} in iteration {last:,} (limit: {_VANISHED:g}): nothing is learned any more"


def exploding_gradient(curve: Curve) -> str | None:
    """Whether a norm of the gradient is more than 1,000 times the median of those before it, of which there are at least ten."""
    if not curve.is_gradient:
        return None
    for position in range(_PATIENCE, len(curve.values)):
        before = median(curve.values[:position])
        if before > 0 and _EXPLODED * before < curve.values[position] < math.inf:
            return (
                f"{curve.title} is {curve.values[position]:.4g} in iteration {curve.iteration(position):,}, more than {_EXPLODED:,} times the median "
                f"before it, {before:.4g}; use a lower learning rate, or clip the gradient"
            )
    return None


def overfit_for_long(curve: Curve) -> str | None:
    """As `overfit`, if the best value was at least ten iterations ago: a fit is not stopped by noise, and then keeps that iteration."""
    losses = _losses(curve)
    if not losses or len(losses) - 1 - losses.index(min(losses)) < _PATIENCE:
        return None
    return _lost(curve)


STOPPING: Mapping[StopRule, Callable[[Curve], str | None]] = {
    "not_finite": not_finite,
    "not_improving": not_improving,
    "overfit": overfit_for_long,
    "vanishing_gradient": vanishing_gradient,
    "exploding_gradient": exploding_gradient,
}
"""The rules that can stop a training, by their names in `model.stop_on`."""


def _losses(curve: Curve) -> list[float]:
    """The values as losses; empty if one is not finite, or if it is of a gradient."""
    if curve.is_gradient or not all(map(math.isfinite, curve.values)):
        return []
    return [-value for value in curve.values] if curve.higher_is_better else list(curve.values)
