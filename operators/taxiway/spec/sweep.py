"""The `sweep` section: the search space and how it is searched."""

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
    """Numbers from `low` to `high`, both included, whole ones where both are; with `log`, all magnitudes are as likely."""

    low: Annotated[int | float, BeforeValidator(number), Field(allow_inf_nan=False)]
    high: Annotated[int | float, BeforeValidator(number), Field(allow_inf_nan=False)]
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Between":
        if not self.low < self.high:
            raise ValueError(f"low is {self.low} and high {self.high}; allowed: low below high")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low}; with log, allowed: above 0")
        return self


def _values(value: Any) -> Any:
    """The values that a parameter may take in a sweep: a list of them, or {low, high, log}."""
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
    raise ValueError("allowed: a list of values, or {low: L, high: H} with numbers, and log: true to spread their magnitudes")


def _count(values: "tuple[Any, ...] | Between") -> int | None:
    """How many values a parameter may take; None where there is no end of them."""
    if isinstance(values, tuple):
        return len({json.dumps(value) for value in values})
    if isinstance(values.low, int) and isinstance(values.high, int):
        return values.high - values.low + 1
    return None


class Sweep(Section):
    """Which parameters to try before the model is trained: every combination of the lists in `space` (`grid`), or `trials` drawn
    from it, always the same ones (`random`).

    Trials learn from all spans of the window but its newest, and are scored on that one by `metric`, without which it is that of
    `gate.against_champion`. The best one's parameters go on; the gate's span is not read. A task runs `trials_per_task` of them.
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
            raise ValueError("a grid tries every value, so each parameter needs a list of them; or search: random")
        if self.search == "grid" and self.trials is not None:
            raise ValueError(f"a grid tries all {combinations} combinations; leave trials out, or search: random")
        if self.search == "random" and self.trials is None:
            raise ValueError("a random search needs trials: how many to draw, 2 to 1000")
        if listed and not 2 <= combinations <= 1000:
            raise ValueError(f"space has {combinations} combinations; allowed: 2 to 1000")
        if counted and self.trials is not None and self.trials > combinations:
            raise ValueError(
                f"trials is {self.trials} and space has only {combinations} combinations; search: grid tries them all"
            )
        return self
