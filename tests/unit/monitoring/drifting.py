"""Made-up inputs of a served model, and the drifts of them that must be found."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from taxiway.monitoring.drift import Change, categorical_change, drifted, numeric_change

Columns = dict[str, Any]


def _with_gaps(values: Any, share: float, rng: np.random.Generator) -> Any:
    values[rng.random(len(values)) < share] = np.nan if values.dtype != object else None
    return values


KINDS: Mapping[str, Callable[[np.random.Generator, int], Any]] = {
    "normal": lambda rng, rows: rng.normal(size=rows),
    "skewed": lambda rng, rows: rng.exponential(size=rows),
    "count": lambda rng, rows: rng.poisson(2, rows).astype(float),
    "gaps": lambda rng, rows: _with_gaps(rng.normal(size=rows), 0.3, rng),
    "category": lambda rng, rows: rng.choice(np.array(list("abcdef"), dtype=object), rows, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05]),
    "many": lambda rng, rows: _with_gaps((rng.zipf(1.5, rows) % 5000).astype(str).astype(object), 0.05, rng),
    "flag": lambda rng, rows: rng.choice(np.array(["no", "yes"], dtype=object), rows),
}


def made(rng: np.random.Generator, rows: int, count: int) -> Columns:
    """Rows of as many columns, of all kinds in turn."""
    kinds = list(KINDS.items())
    return {f"{kinds[at % len(kinds)][0]}-{at}": kinds[at % len(kinds)][1](rng, rows) for at in range(count)}


def change_of(before: Any, after: Any) -> Change | None:
    """The change of a column."""
    return numeric_change(before, after) if before.dtype != object else categorical_change(before, after)


def p_values_of(reference: Columns, window: Columns) -> dict[str, float]:
    """The p-value of each column."""
    changes = {name: change_of(values, window[name]) for name, values in reference.items()}
    return {name: 1.0 if change is None else change.p_value for name, change in changes.items()}


def found(reference: Columns, window: Columns) -> list[str]:
    """The columns that have drifted."""
    return drifted(p_values_of(reference, window))


def replaced(values: Any, by: Any, share: float, rng: np.random.Generator) -> Any:
    """Values of which a random part is replaced by another one."""
    values = values.copy()
    values[rng.random(len(values)) < share] = by
    return values
