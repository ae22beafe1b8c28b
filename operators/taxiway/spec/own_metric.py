"""The entries of `gate.metrics`: metrics of a team's own."""

from collections.abc import Mapping
from math import inf
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from taxiway.messages import number_text
from taxiway.spec.base import Number, Section
from taxiway.spec.metrics import MetricFacts, Problem


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, bool | int) else value


ClassName = Annotated[str, BeforeValidator(_as_text)]
_Limit = Annotated[Number, Field(allow_inf_nan=False)]


class OwnMetric(Section):
    """A metric of a team's own: a function, or what wrong predictions cost.

    Attributes:
        function: A function of the true labels, the predicted ones and the rows: `FILE.py:function` with a Python file in the folder of
            the pipeline file, or `package.module:function`. It returns one number for each row, whose mean is the metric, or one number.
        costs: Instead, for each class the cost of predicting another one in its place; a negative cost is a gain. The metric is the mean
            cost of a row.
        times: A column whose value multiplies the cost of a row, such as an amount of money; None for 1.
        better: Whether higher or lower values are better.
        problem: Whether the metric is for a classification or a regression.
        range: The smallest and the largest possible value of a row, or of the one number that the function returns. A value outside is an
            error. None if there are no limits, or if they are those of the `costs`.
    """

    function: str | None = None
    costs: Mapping[ClassName, Mapping[ClassName, _Limit]] = Field(default_factory=dict)
    times: str | None = None
    better: Literal["higher", "lower"] = "lower"
    problem: Problem = "classification"
    range: tuple[_Limit, _Limit] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "OwnMetric":
        if (self.function is None) == (not self.costs):
            raise ValueError("allowed: exactly one of function (FILE.py:function) and costs ({LABEL: {PREDICTED: COST}})")
        if self.function is not None and self.times is not None:
            raise ValueError("times is for costs; multiply by the column in the function, which gets the rows")
        if self.costs and (self.better, self.problem) != ("lower", "classification"):
            raise ValueError("costs are of classes, and lower is better; write a gain as a negative cost")
        return self

    @model_validator(mode="after")
    def _possible_range(self) -> "OwnMetric":
        if self.range is None:
            return self
        if self.costs and self.times is None:
            raise ValueError("costs without times have the range of their table; range is for times, or for a function")
        if not self.range[0] < self.range[1]:
            raise ValueError(
                f"the range is {number_text(self.range[0])} to {number_text(self.range[1])}; allowed: [LOW, HIGH] with LOW < HIGH"
            )
        return self

    @property
    def limits(self) -> tuple[float, float] | None:
        """The smallest and the largest possible value of a row; None if nothing is known."""
        if self.costs and self.times is None:
            every = [0.0, *(cost for costs in self.costs.values() for cost in costs.values())]
            return min(every), max(every)
        return self.range

    @property
    def facts(self) -> MetricFacts:
        """The facts about it; a function without a range may have any value."""
        low, high = self.limits or (-inf, inf)
        return MetricFacts(self.problem, 1 if self.better == "higher" else -1, low, high)
