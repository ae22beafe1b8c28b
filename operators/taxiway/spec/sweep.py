"""The `sweep` section: a search space and how to search it."""

import json
from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from taxiway.spec.base import (
    Section,
    number,
)
from taxiway.spec.metrics import MetricName


class Between(Section):
    """A range of numbers.

    Attributes:
        low: The smallest number (inclusive).
        high: The largest number (inclusive). If both are ints, only ints are drawn.
        log: Whether numbers are drawn from a log-uniform distribution.
    """

    low: Annotated[int | float, BeforeValidator(number), Field(allow_inf_nan=False)]
    high: Annotated[int | float, BeforeValidator(number), Field(allow_inf_nan=False)]
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Between":
        if not self.low < self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}; allowed: low below high")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low}; allowed with log: above 0")
        return self


def _values(value: Any) -> Any:
    """Check the values of a parameter: a list, or {low, high, log}."""
    if isinstance(value, list | tuple) and value:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError("allowed in a list: text, finite numbers, true, false, null, and lists of them") from None
        return tuple(value)
    if isinstance(value, dict) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        return Between.model_validate(value)
    if isinstance(value, Between):
        return value
    raise ValueError("allowed: a list of values, or {low: L, high: H} with numbers, and log: true for a logarithmic scale")


def _count(values: "tuple[Any, ...] | Between") -> int | None:
    """The number of values of a parameter; None if it is infinite."""
    if isinstance(values, tuple):
        return len({json.dumps(value) for value in values})
    if isinstance(values.low, int) and isinstance(values.high, int):
        return values.high - values.low + 1
    return None


class Sweep(Section):
    """A search for the model's parameters.

    Trials are trained on all spans of the window but the newest, and scored on that one. The gate's evaluation rows are not read.

    Attributes:
        search: `grid` for every combination, or `random` for a fixed random sample of `trials`.
        trials: The number of trials of a random search.
        trials_per_task: How many trials one Airflow task runs.
        metric: The metric that scores the trials; None for that of `gate.against_champion`.
        space: The values of each parameter: a list, or a range.
    """

    search: Literal["grid", "random"]
    trials: int | None = Field(default=None, ge=2, le=1000)
    trials_per_task: int = Field(default=4, ge=1, le=100)
    metric: MetricName | None = None
    space: Mapping[str, Annotated[tuple[Any, ...] | Between, BeforeValidator(_values)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_the_search(self) -> "Sweep":
        listed = all(isinstance(values, tuple) for values in self.space.values())
        counts = [_count(values) for values in self.space.values()]
        combinations = prod(count for count in counts if count is not None)
        counted = None not in counts
        if self.search == "grid" and not listed:
            raise ValueError("a grid search needs a list of values for each parameter; or use search: random")
        if self.search == "grid" and self.trials is not None:
            raise ValueError(f"a grid search tries all {combinations:,} combinations; remove trials, or use search: random")
        if self.search == "random" and self.trials is None:
            raise ValueError("a random search needs trials: the number of trials, 2 to 1000")
        if listed and not 2 <= combinations <= 1000:
            raise ValueError(f"space has {combinations:,} combinations; allowed: 2 to 1,000")
        if counted and self.trials is not None and self.trials > combinations:
            raise ValueError(
                f"trials is {self.trials}, but space has only {combinations:,} combinations; use search: grid to try all of them"
            )
        return self
