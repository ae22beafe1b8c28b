"""The `gate` section: what a model must reach to be promoted."""

from collections.abc import Mapping
from math import inf

from pydantic import Field, model_validator

from taxiway.spec.base import (
    Number,
    Section,
)
from taxiway.spec.metrics import METRIC_FACTS, MetricName, Problem, metrics_of


class AgainstChampion(Section):
    """The candidate may be worse than the champion by no more than `-min_improvement` in `metric` (higher is better after its sign)."""

    metric: MetricName
    min_improvement: Number = Field(default=0.0, allow_inf_nan=False)


class Slices(Section):
    """No slice of at least `min_rows` rows may lose more than `max_drop` of the champion comparison's metric."""

    by: tuple[str, ...] = Field(min_length=1)
    max_drop: Number = Field(default=0.05, gt=0)
    min_rows: int = Field(default=300, ge=2)


class Gate(Section):
    """When a candidate may go on. `confidence` is the confidence of every interval that decides.

    Its metrics are all of classification or all of regression: they say which of the two the pipeline is. Fewer than `min_rows` evaluation rows decide nothing: intervals from a bootstrap are too narrow there.
    """

    thresholds: Mapping[MetricName, Number] = Field(min_length=1)
    against_champion: AgainstChampion
    slices: Slices | None = None
    min_rows: int = Field(default=300, ge=2, strict=True)
    confidence: Number = Field(default=0.99, gt=0.5, le=0.9999)

    @model_validator(mode="after")
    def _floors_can_be_kept(self) -> "Gate":
        for metric, threshold in self.thresholds.items():
            least, most = METRIC_FACTS[metric].low, METRIC_FACTS[metric].high
            if not least <= threshold <= most:
                allowed = "0 to 1" if (least, most) == (0, 1) else f"{most:g} or less" if most < inf else f"{least:g} or more"
                raise ValueError(f"the threshold of {metric} is {threshold}; allowed: {allowed}")
        return self

    @model_validator(mode="after")
    def _one_problem(self) -> "Gate":
        metrics = sorted({*self.thresholds, self.against_champion.metric})
        numbers = [metric for metric in metrics if METRIC_FACTS[metric].problem == "regression"]
        if numbers and len(numbers) < len(metrics):
            classes = [metric for metric in metrics if metric not in numbers]
            raise ValueError(
                f"{', '.join(numbers)} is for numbers and {', '.join(classes)} for classes; allowed together: "
                f"{', '.join(metrics_of('regression'))}; or {', '.join(metrics_of('classification'))}"
            )
        if numbers and self.slices is not None and "max_drop" not in self.slices.model_fields_set:
            raise ValueError(f"slices needs max_drop: how much worse {self.against_champion.metric} may get, in its unit")
        return self

    @property
    def problem(self) -> Problem:
        """What the model learns, as the metrics say: to tell two classes apart, or to estimate a number."""
        return METRIC_FACTS[self.against_champion.metric].problem
