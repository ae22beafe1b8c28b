"""The `gate` section: the requirements for promoting a model."""

from collections.abc import Collection, Iterator, Mapping
from math import inf
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails

from taxiway.errors import ConfigError, allowed_values
from taxiway.records.evaluation_sets import Show
from taxiway.spec.base import (
    Name,
    Number,
    Section,
    mistake,
)
from taxiway.spec.conditions.budget import Budget
from taxiway.spec.conditions.entry import METRICS_BY_ROW, ConditionEntry, why_not_by_row
from taxiway.spec.metrics import (
    METRIC_FACTS,
    GateMetricName,
    MetricFacts,
    Problem,
    facts_of,
    metric_text,
    metrics_of,
    unknown_metric,
)
from taxiway.spec.own_metric import OwnMetric


class AgainstChampion(Section):
    """The comparison of candidate and champion.

    Attributes:
        metric: The metric.
        min_improvement: The smallest improvement over the champion, in the metric's unit and positive if better. A negative value
            is a non-inferiority margin: the candidate may be worse by that much.
    """

    metric: GateMetricName
    min_improvement: Number = Field(default=0.0, allow_inf_nan=False)


class Slices(Section):
    """The comparison of candidate and champion by slice.

    Attributes:
        by: The columns whose values are slices.
        max_drop: The largest drop of the comparison metric in a slice, in the metric's unit.
        min_rows: The rows that a slice needs to be compared.
    """

    by: tuple[str, ...] = Field(min_length=1)
    max_drop: Number = Field(default=0.05, gt=0)
    min_rows: int = Field(default=300, ge=2)


class Gate(Section):
    """The requirements for a candidate. Its metrics are all for classification or all for regression.

    Attributes:
        thresholds: The minimum of each metric, or its maximum if lower is better. Optional with `conditions`.
        metrics: Metrics of the team's own, by the names that `thresholds`, `against_champion` and `conditions` use.
        against_champion: The comparison with the champion. Optional with `conditions`.
        conditions: Requirements with a tolerance, such as `n - o > 0 +/- 0.01`.
        budget: How many models are tried on the same evaluation rows; then they are spent, and nothing more is decided by them.
        show: What is shown of the scores while more models may be tried on the same rows: everything (`exact`), the means of the
            conditions as whole percents (`rounded`), or only the decision. None for `decision` with conditions, else `exact`.
        slices: The comparison by slice; None for none.
        group_by: A column whose values say which rows go wrong together, such as a customer or a day: intervals are of whole groups.
            None if rows are independent.
        min_rows: The evaluation rows that a decision needs; with fewer, bootstrap intervals are too narrow.
        confidence: The confidence level of all intervals.
        champion_unscorable: What is decided if the champion cannot be scored on the new rows: the candidate does not pass (`fail`), or
            the `thresholds` alone decide about it, with `approval` followed by the approval of a person.
    """

    thresholds: Mapping[GateMetricName, Number] = Field(default_factory=dict)
    metrics: Mapping[Name, OwnMetric] = Field(default_factory=dict)
    against_champion: AgainstChampion | None = None
    conditions: tuple[ConditionEntry, ...] = ()
    budget: Budget = Budget()
    show: Show | None = None
    slices: Slices | None = None
    group_by: str | None = None
    min_rows: int = Field(default=300, ge=2, strict=True)
    confidence: Number = Field(default=0.99, gt=0.5, le=0.9999)
    champion_unscorable: Literal["fail", "thresholds", "approval"] = "fail"

    @field_validator("thresholds", mode="before")
    @classmethod
    def _names_each_metric_once(cls, given: Any) -> Any:
        names = [metric_text(name) for name in given] if isinstance(given, Mapping) else []
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]} has two thresholds; keep one")
        return given

    @model_validator(mode="after")
    def _is_possible(self) -> "Gate":
        mistakes = [
            *self._missing_rules(),
            *self._unknown_metrics(),
            *self._impossible_thresholds(),
            *self._impossible_conditions(),
            *(self._mixed_problems() if self.conditions or self.against_champion else ()),
        ]
        if mistakes:
            raise ValidationError.from_exception_data("Gate", mistakes)
        return self

    def _missing_rules(self) -> Iterator[InitErrorDetails]:
        """Without conditions, thresholds and a comparison are required; with them, something must be if there is no champion."""
        if self.conditions:
            judged_alone = self.thresholds or not all(condition.needs_champion for condition in self.conditions)
            if self.champion_unscorable != "fail" and not judged_alone:
                yield mistake(
                    "the thresholds are to decide without the champion, but there are none; allowed: fail, or thresholds, or a "
                    "condition on n alone",
                    self.champion_unscorable,
                    "champion_unscorable",
                )
            return
        for key, given in (("thresholds", self.thresholds), ("against_champion", self.against_champion)):
            if not given:
                yield InitErrorDetails(type="missing", loc=(key,), input=self)

    def _unknown_metrics(self) -> Iterator[InitErrorDetails]:
        places = {("thresholds", name): name for name in self.thresholds}
        if self.against_champion is not None:
            places |= {("against_champion", "metric"): self.against_champion.metric}
        own = [name for name in self.metrics if name not in METRIC_FACTS]
        yield from (unknown_metric(name, own, *key) for key, name in places.items() if not self._is_known(name))
        for name in self.metrics:
            if name not in own:
                yield mistake("allowed: a name that no metric of Taxiway has", name, "metrics", name)

    def _impossible_thresholds(self) -> Iterator[InitErrorDetails]:
        for metric, threshold in self.thresholds.items():
            if not self._is_known(metric):
                continue
            least, most = self.facts(metric).low, self.facts(metric).high
            if not least <= threshold <= most:
                allowed = (
                    f"{least:g} or more" if most == inf else f"{most:g} or less" if least == -inf else f"{least:g} to {most:g}"
                )
                yield mistake(f"allowed: {allowed}", threshold, "thresholds", metric)

    def _impossible_conditions(self) -> Iterator[InitErrorDetails]:
        allowed = (*METRICS_BY_ROW, *(name for name, metric in self.metrics.items() if metric.limits is not None))
        for number, entry in enumerate(self.conditions):
            if entry.metric not in allowed:
                message = why_not_by_row(entry.metric, allowed, is_own=entry.metric in self.metrics)
                yield _mistake_at(message, entry.metric, "conditions", number, "metric")
                continue
            facts = self.facts(entry.metric)
            why = entry.parsed.undecidable_reason((facts.low, facts.high))
            if facts.problem == "regression" and "d" in entry.parsed.variables:
                why = "d is the share of rows with different predicted classes, and a regression has none; allowed: n, o"
            if why is not None:
                yield _mistake_at(why, entry.condition, "conditions", number)

    def _mixed_problems(self) -> Iterator[InitErrorDetails]:
        metrics = sorted(filter(self._is_known, self.metrics_used))
        numbers = [metric for metric in metrics if self.facts(metric).problem == "regression"]
        if numbers and len(numbers) < len(metrics):
            classes = [metric for metric in metrics if metric not in numbers]
            yield mistake(
                f"{', '.join(numbers)} is for regression and {', '.join(classes)} for classification; allowed together: "
                f"{', '.join(metrics_of('regression'))}; or {', '.join(metrics_of('classification'))}",
                self,
            )
        elif numbers and self.slices is not None and "max_drop" not in self.slices.model_fields_set:
            yield mistake(
                f"slices needs max_drop: how much worse {self.comparison_metric} may be in a slice, in its unit", self
            )

    def _is_known(self, metric: str) -> bool:
        return metric.partition("(")[0] in METRIC_FACTS or metric in self.metrics

    @property
    def shown(self) -> Show:
        """What is shown of the scores."""
        return self.show or ("decision" if self.conditions else "exact")

    @property
    def metrics_used(self) -> tuple[str, ...]:
        """The metrics of the thresholds, the comparison and the conditions, each once."""
        compared = () if self.against_champion is None else (self.against_champion.metric,)
        return tuple(dict.fromkeys((*self.thresholds, *compared, *(entry.metric for entry in self.conditions))))

    @property
    def comparison_metric(self) -> str:
        """The metric of slices, baselines and sweeps: that of the comparison with the champion, else of the first condition."""
        return self.conditions[0].metric if self.against_champion is None else self.against_champion.metric

    @property
    def problem(self) -> Problem:
        """Classification or regression, by the metrics."""
        return self.facts(self.comparison_metric).problem

    def require_known_classes(self, classes: Collection[str]) -> None:
        """Check that the classes of costs are among those that the label may have.

        Raises:
            ConfigError: One is not.
        """
        for name, metric in self.metrics.items():
            for one in {*metric.costs, *(predicted for costs in metric.costs.values() for predicted in costs)}:
                if one not in classes:
                    raise ConfigError(f'gate.metrics.{name}.costs has the class "{one}"; {allowed_values(one, classes)}')

    def facts(self, metric: str) -> MetricFacts:
        """The facts about one of Taxiway's metrics, or one of `metrics`."""
        return self.metrics[metric].facts if metric in self.metrics else facts_of(metric)


def _mistake_at(message: str, got: object, *key: str | int) -> InitErrorDetails:
    return {**mistake(message, got), "loc": key}
