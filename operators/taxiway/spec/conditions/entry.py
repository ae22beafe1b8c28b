"""The entries of `gate.conditions`."""

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from taxiway.errors import ConfigError, allowed_values
from taxiway.spec.base import Section
from taxiway.spec.conditions import Condition, parse_condition
from taxiway.spec.metrics import METRIC_FACTS, GateMetricName

METRICS_BY_ROW = ("accuracy", "brier", "clipped_log_loss")
"""Taxiway's metrics that are the mean of a number between two limits for each row; the bounds of conditions need that."""
_RANKS = ("roc_auc", "average_precision")


def why_not_by_row(metric: str, allowed: Collection[str], *, is_own: bool) -> str:
    """Why a condition cannot be about a metric, and what it can be about instead.

    Args:
        metric: The metric.
        allowed: The metrics that are allowed.
        is_own: Whether it is one of `gate.metrics`, without limits for a row.
    """
    name = metric.partition("(")[0]
    if is_own:
        return "a row has no limits; allowed: with range: [LOW, HIGH] in gate.metrics; a function must return one number for each row"
    if name not in METRIC_FACTS:
        return f"{allowed_values(metric, allowed)}, or a name of gate.metrics with range, or with costs and without times"
    if name in _RANKS:
        why = "it ranks all rows together, so no row has a value of its own; brier and clipped_log_loss are of the same probabilities"
    elif METRIC_FACTS[name].problem == "regression":
        why = "a row has no limits; a function in gate.metrics with range: [LOW, HIGH] may clip the errors"
    elif name == "log_loss":
        why = "a row has no limits; clipped_log_loss has them"
    else:
        why = "it is not the mean of a number for each row"
    return (
        f"a condition needs the mean of a number with limits for each row. {name} can be in thresholds and against_champion, but {why}; "
        f"allowed: {', '.join(allowed)}, or a name of gate.metrics with range, or with costs and without times"
    )


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
        metric: The metric that n and o stand for: accuracy, brier, clipped_log_loss, or one of `gate.metrics` whose rows have limits: with
            `range`, or with `costs` and without `times`.
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
    if not isinstance(value, str | dict | GateCondition):
        raise ValueError("allowed: a condition, such as n - o > 0 +/- 0.01, or a section with the key condition")  # noqa: TRY004 pydantic's
    return {"condition": _check_condition(value)} if isinstance(value, str) else value


ConditionEntry = Annotated[GateCondition, BeforeValidator(_from_text)]
