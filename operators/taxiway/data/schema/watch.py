"""Limits for a metric over time: one value for each span, the newest compared with those before it.

The strategies are Deequ's simple ones (Schelter et al., VLDB 2018). Unlike there, the newest value is not part of the values that
it is compared with: among n values, an outlier is at most (n - 1) / sqrt(n) sample deviations from the mean, so a short history
would hide it.
"""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from taxiway.records import Record, Severity

ColumnMetric = Literal[
    "distinct", "entropy", "maximum", "mean", "mean_length", "median", "minimum", "missing_fraction", "std", "uniqueness", "zeros_fraction"
]  # fmt: skip
Strategy = Literal["bounds", "change", "normal", "ratio"]
_KEYS: dict[str, tuple[str, ...]] = {
    "bounds": ("min", "max"),
    "change": ("max_decrease", "max_increase"),
    "ratio": ("min_ratio", "max_ratio"),
    "normal": ("deviations", "min_spans"),
}
_LIMITS = ("min", "max", "max_decrease", "max_increase", "min_ratio", "max_ratio")

Finite = Annotated[float, Field(allow_inf_nan=False)]
AtLeast0 = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class MetricMonitor(Record):
    """A limit on how a metric may change from span to span. All limits are inclusive.

    Attributes:
        metric: `rows`, or a statistic of `column`.
        column: The column; None for `rows`.
        strategy: `bounds` limits the value itself, `change` its difference from the span before, `ratio` its ratio to the span
            before, and `normal` its distance from the mean of the spans before.
        min: The smallest value (`bounds`).
        max: The largest value (`bounds`).
        max_decrease: The largest decrease since the span before (`change`).
        max_increase: The largest increase since the span before (`change`).
        min_ratio: The smallest ratio to the span before (`ratio`).
        max_ratio: The largest ratio to the span before (`ratio`).
        deviations: The width of the prediction interval, in standard deviations of a normal distribution (`normal`).
        min_spans: The number of earlier spans that `normal` needs.
        severity: Whether an anomaly blocks.
    """

    metric: Literal["rows"] | ColumnMetric
    column: str | None = None
    strategy: Strategy
    min: Finite | None = None
    max: Finite | None = None
    max_decrease: AtLeast0 | None = None
    max_increase: AtLeast0 | None = None
    min_ratio: AtLeast0 | None = None
    max_ratio: AtLeast0 | None = None
    deviations: float = Field(default=3.0, gt=0, le=10)
    min_spans: int = Field(default=5, ge=3)
    severity: Severity = Severity.ERROR

    @model_validator(mode="after")
    def _is_whole(self) -> "MetricMonitor":
        if (self.metric == "rows") != (self.column is None):
            raise ValueError(
                "allowed: metric rows without a column; or a column with one of " + ", ".join(get_args(ColumnMetric))
            )
        allowed = _KEYS[self.strategy]
        given = [name for name in _LIMITS if getattr(self, name) is not None]
        wrong = [name for name in given if name not in allowed]
        if wrong:
            raise ValueError(f"{wrong[0]} does not apply to strategy {self.strategy}; allowed: {', '.join(allowed)}")
        if self.strategy != "normal" and not given:
            raise ValueError(f"strategy {self.strategy} needs at least one of {', '.join(allowed)}")
        return self

    def describe(self) -> str:
        """`mean of dep_delay`."""
        return self.metric if self.metric == "rows" else f"{self.metric} of {self.column}"
