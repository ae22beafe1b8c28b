"""`model.threshold`: the probability at or above which a model predicts the second of two classes."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from taxiway.errors import allowed_values
from taxiway.spec.base import Number, Section
from taxiway.spec.metrics import parse_metric

CHOOSING = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_weighted", "matthews_corrcoef")
"""The metrics of predicted classes that have a best threshold between 0 and 1."""
_ALLOWED = "allowed: a probability between 0 and 1, or {by: METRIC}, to choose it on held-out training rows"


class ChosenThreshold(Section):
    """Choose the threshold that is best on training rows that are held out for it.

    Attributes:
        by: The metric: one of `CHOOSING`, or a name of `gate.metrics` with `costs`.
        fraction: The fraction of the training rows that are held out.
    """

    by: str
    fraction: Number = Field(default=0.2, gt=0, le=0.5)

    @property
    def metric(self) -> str | None:
        """Taxiway's metric; None for one of `gate.metrics`."""
        if self.by.partition("(")[0] not in CHOOSING:
            return None
        parsed = parse_metric(self.by)
        if parsed.parameter not in (None, "class"):
            raise ValueError(f"by is {self.by}, which has a threshold of its own; allowed: {parsed.name}")
        return self.by


def _threshold(value: Any) -> Any:
    if isinstance(value, ChosenThreshold) or value is None:
        return value
    if isinstance(value, dict):
        try:
            return ChosenThreshold.model_validate(value)
        except ValidationError as error:
            found = "; ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
            )
            raise ValueError(f"{found}; allowed keys: {', '.join(ChosenThreshold.model_fields)}") from None
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    raise ValueError(_ALLOWED)


Threshold = Annotated[float | ChosenThreshold | None, BeforeValidator(_threshold)]


def unknown_choice(by: str, own: list[str]) -> str:
    """Why a threshold cannot be chosen by a metric, and what is allowed."""
    return f"model.threshold.by is {by}; {allowed_values(by, [*CHOOSING, *own])}, or a name of gate.metrics with costs and without times"
