"""The parameters that a sweep tries: always the same ones for the same words in the pipeline file."""

import json
from typing import Any

from taxiway.pipeline import Between, Sweep
from taxiway.training.estimator import SEED


def parameter_sets(sweep: Sweep) -> tuple[dict[str, Any], ...]:
    """The parameters of each trial, by scikit-learn's ParameterGrid or ParameterSampler; no two of them are the same."""
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    space = {
        name: _distribution(values) if isinstance(values, Between) else list(values) for name, values in sweep.space.items()
    }
    points = ParameterGrid(space) if sweep.search == "grid" else ParameterSampler(space, sweep.trials, random_state=SEED)
    found = [{name: _plain(value, sweep.space[name]) for name, value in sorted(point.items())} for point in points]
    return tuple({json.dumps(point, sort_keys=True): point for point in found}.values())


def _distribution(values: Between) -> Any:
    from scipy.stats import loguniform, randint, uniform

    if _whole(values):
        return loguniform(values.low, values.high + 1) if values.log else randint(int(values.low), int(values.high) + 1)
    return loguniform(values.low, values.high) if values.log else uniform(values.low, values.high - values.low)


def _plain(value: Any, drawn_from: Any) -> Any:
    """What was drawn as a number of Python's own, a whole one where `low` and `high` are."""
    if not isinstance(drawn_from, Between):
        return value
    # The logarithm of whole numbers is drawn as a float up to one above the highest.
    return min(int(value), int(drawn_from.high)) if _whole(drawn_from) else float(value)


def _whole(values: Between) -> bool:
    return isinstance(values.low, int) and isinstance(values.high, int)
