"""The entries of `gate.conditions`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from taxiway.errors import ConfigError
from taxiway.spec.base import Section
from taxiway.spec.conditions import Condition, parse_condition
from taxiway.spec.metrics import GateMetricName

METRICS_BY_ROW = ("accuracy", "brier")
"""Taxiway's metrics that are the mean of a number between two limits for each row; the bounds of conditions need that."""


def _check_condition(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("allowed: a condition, such as n - o > 0 +/- 0.01")  # noqa: TRY004 pydantic's
    try:
        parse_condition(value)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return value


class GateCondition(Section):
    """A requirement with a tolerance; the confidence of the gate holds for all models that `gate.budget` allows on the same rows.

    Attributes:
        condition: The condition, see `taxiway.spec.conditions.parse_condition`.
        mode: What an estimate too near to the bound means: the model does not pass (`fp-free`), or it does (`fn-free`).
        metric: The metric that n and o stand for: accuracy, brier, or one of `gate.metrics` with `costs` and without `times`.
    """

    condition: Annotated[str, BeforeValidator(_check_condition)]
    mode: Literal["fp-free", "fn-free"] = "fp-free"
    metric: GateMetricName = "accuracy"

    @property
    def parsed(self) -> Condition:
        """The condition."""
        return parse_condition(self.condition)

    @property
    def needs_champion(self) -> bool:
        """Whether no comparison is about the new model alone, so that the condition says nothing without a champion."""
        return all(clause.needs_old_model for clause in self.parsed.clauses)


def _from_text(value: Any) -> Any:
    """A condition alone is short for a section with it."""
    return {"condition": _check_condition(value)} if isinstance(value, str) else value


ConditionEntry = Annotated[GateCondition, BeforeValidator(_from_text)]
