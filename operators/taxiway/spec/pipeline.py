"""Pipeline: the declarative description of one model's way from data to production. Reading it from YAML is `pipeline_file`.

Every key is there because something obeys it; an unknown key is an error.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from math import inf, prod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from taxiway.spec.base import (
    CONTINUOUS_TRAINING,
    Columns,
    Duration,
    Fraction,
    Name,
    Number,
    Schedule,
    Section,
    Template,
    number,
    off_is_none,
)
from taxiway.spec.metrics import METRIC_FACTS, Metric, Problem, metrics_of
from taxiway.spec.source import Source


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


class Features(Section):
    """Which columns the model takes. `auto`: those that the schema declares numeric, or categorical, less `drop` and the label."""

    numeric: Columns = "auto"
    categorical: Columns = "auto"
    drop: tuple[str, ...] = ()


class Model(Section):
    """The estimator: a scikit-learn class by its dotted path with `params`, or `build`: a function of one dict that returns one.

    `build` is `FILE.py:function` with a Python file beside the pipeline file, or `package.module:function`.
    """

    estimator: str | None = None
    build: str | None = None
    params: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_two(self) -> "Model":
        if (self.estimator is None) == (self.build is None):
            raise ValueError("give either estimator (module.Class) or build (module:function), not both and not neither")
        return self


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
    metric: Metric | None = None
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


class AgainstChampion(Section):
    """The candidate may be worse than the champion by no more than `-min_gain` in `metric` (higher is better after its sign)."""

    metric: Metric
    min_gain: Number = Field(default=0.0, allow_inf_nan=False)


class Slices(Section):
    """No slice of at least `min_rows` rows may lose more than `max_drop` of the champion comparison's metric."""

    by: tuple[str, ...] = Field(min_length=1)
    max_drop: Number = Field(default=0.05, gt=0)
    min_rows: int = Field(default=300, ge=2)


class Gate(Section):
    """When a candidate may go on. `reliability` is the confidence of every interval that decides.

    Its metrics are all of classification or all of regression: they say which of the two the pipeline is. Fewer than `min_rows` evaluation rows decide nothing: intervals from a bootstrap are too narrow there.
    """

    floors: Mapping[Metric, Number] = Field(min_length=1)
    against_champion: AgainstChampion
    slices: Slices | None = None
    min_rows: int = Field(default=300, ge=2, strict=True)
    reliability: Number = Field(default=0.99, gt=0.5, le=0.9999)

    @model_validator(mode="after")
    def _floors_can_be_kept(self) -> "Gate":
        for metric, floor in self.floors.items():
            least, most = METRIC_FACTS[metric].low, METRIC_FACTS[metric].high
            if not least <= floor <= most:
                allowed = "0 to 1" if (least, most) == (0, 1) else f"{most:g} or less" if most < inf else f"{least:g} or more"
                raise ValueError(f"the floor of {metric} is {floor}; allowed: {allowed}")
        return self

    @model_validator(mode="after")
    def _one_problem(self) -> "Gate":
        metrics = sorted({*self.floors, self.against_champion.metric})
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


class Shadow(Section):
    """When a challenger's answers to live requests let it go on.

    `min_requests` pairs of answers decide; fewer after `max_wait` are UNDECIDED. `max_error_rate` is of the challenger's errors
    beyond the champion's; `max_p99_ratio` of its 99th percentile of latency to the champion's; `min_agreement` of rows with equal
    labels, or, where the model estimates a number, with numbers at most `agree_within` apart, in the label's unit.
    `deployer` says where it runs: in a process of the gateway, or in a container of its own, with limits of its own.
    """

    deployer: Literal["process", "docker"] = "process"
    min_requests: int = Field(default=2000, ge=100, le=50_000)
    max_wait: Duration = timedelta(days=1)
    min_agreement: Fraction = 0.5
    agree_within: Number | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_error_rate: Fraction = 0.001
    max_p99_ratio: Number = Field(default=1.5, gt=0)


class Pipeline(Section):
    """One model's whole way. `schema` and `suite` are file names beside the pipeline file.

    `template` is `continuous_training`, or the name of a Python file beside the pipeline file with the team's own template.

    `bad_data` says what a run does where the data did not pass: `stop` there, or `go_on` and train all the same, to see what comes
    of it. The model gate fails such a model in any case.
    `gateway` is the Airflow connection of the model gateway; without one, nothing is shadowed and push is not read back.
    """

    pipeline: Name
    team: Name
    template: Template = CONTINUOUS_TRAINING
    schedule: Schedule = None
    source: Source
    schema_file: str = Field(alias="schema")
    suite: str | None = None
    bad_data: Literal["stop", "go_on"] = "stop"
    features: Features = Features()
    model: Model
    sweep: Annotated[Sweep | None, BeforeValidator(off_is_none)] = None
    gate: Gate
    gateway: str | None = None
    shadow: Annotated[Shadow | None, BeforeValidator(off_is_none)] = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _shadow_needs_a_gateway(self) -> "Pipeline":
        if self.shadow is not None and self.gateway is None:
            raise ValueError("shadow needs gateway: the Airflow connection of the model gateway, such as taxiway_gateway")
        return self

    @model_validator(mode="after")
    def _agreement_can_be_told(self) -> "Pipeline":
        if self.shadow is None:
            return self
        if self.gate.problem == "regression" and self.shadow.agree_within is None:
            raise ValueError(
                f"shadow needs agree_within: how far apart two estimates of {self.source.label} may be and still agree"
            )
        if self.gate.problem == "classification" and self.shadow.agree_within is not None:
            raise ValueError("shadow.agree_within is for estimates of a number; classes agree where they are the same")
        return self

    @model_validator(mode="after")
    def _sweep_fits(self) -> "Pipeline":
        if self.sweep is None:
            return self
        if self.source.holds_out_newest and self.source.window == 1:
            raise ValueError(
                "sweep needs source.window of 2 or more: trials learn from the older spans of the window and are scored on its newest"
            )
        both = sorted(set(self.sweep.space) & set(self.model.params))
        if both:
            raise ValueError(f"{', '.join(both)} is in model.params and in sweep.space; leave it out of one of them")
        if METRIC_FACTS[self.tuning_metric].problem != self.gate.problem:
            raise ValueError(f"sweep.metric is {self.tuning_metric}, which does not fit the metrics of gate")
        return self

    @property
    def tuning_metric(self) -> Metric:
        """What the trials of a sweep are scored by."""
        return (self.sweep.metric if self.sweep else None) or self.gate.against_champion.metric

    @property
    def name(self) -> str:
        """`team.pipeline`: the id of its DAG and the name of its registered model."""
        return f"{self.team}.{self.pipeline}"

    @property
    def experiment(self) -> str:
        """`team/pipeline`: its MLflow experiment."""
        return f"{self.team}/{self.pipeline}"
