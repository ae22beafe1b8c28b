"""The parameters of a sweep's trials, the same in every run of the same pipeline file."""

import json
from math import prod
from typing import Any

from taxiway.spec.sweep import Between, Sweep
from taxiway.stats.seed import SEED

_MAX_DRAWS = 200_000


def parameter_sets(sweep: Sweep) -> tuple[dict[str, Any], ...]:
    """The parameters of each trial, by scikit-learn's ParameterGrid or ParameterSampler, without duplicates."""
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    space = {
        name: _distribution(values) if isinstance(values, Between) else list(values) for name, values in sweep.space.items()
    }
    points = ParameterGrid(space) if sweep.search == "grid" else _drawn(ParameterSampler, space)
    found: dict[str, dict[str, Any]] = {}
    for point in points:
        plain = {name: _plain(value, sweep.space[name]) for name, value in sorted(point.items())}
        found.setdefault(json.dumps(plain, sort_keys=True), plain)
        if len(found) == sweep.trials:
            break
    return tuple(found.values())


def _drawn(sampler: Any, space: dict[str, Any]) -> Any:
    """Random points, more than needed: integers repeat, so points are drawn until enough different ones are found."""
    if all(isinstance(values, list) for values in space.values()):
        return sampler(space, prod(len(values) for values in space.values()), random_state=SEED)
    return sampler(space, _MAX_DRAWS, random_state=SEED)


def _distribution(values: Between) -> Any:
    from scipy.stats import loguniform, randint, uniform

    if _whole(values):
        return loguniform(values.low, values.high + 1) if values.log else randint(int(values.low), int(values.high) + 1)
    return loguniform(values.low, values.high) if values.log else uniform(values.low, values.high - values.low)


def _plain(value: Any, drawn_from: Any) -> Any:
    """A drawn value as a Python number; an int if `low` and `high` are ints."""
    if not isinstance(drawn_from, Between):
        return value
    # Log-uniform integers are drawn as floats up to `high` + 1.
    return min(int(value), int(drawn_from.high)) if _whole(drawn_from) else float(value)


def _whole(values: Between) -> bool:
    return isinstance(values.low, int) and isinstance(values.high, int)
