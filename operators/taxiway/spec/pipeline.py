"""Pipeline: the declarative description of one model's way from data to production. Reading it from YAML is `pipeline_file`.

Every key is there because something obeys it; an unknown key is an error.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from taxiway.spec.base import (
    CONTINUOUS_TRAINING,
    Columns,
    Name,
    Schedule,
    Section,
    Template,
    off_is_none,
)
from taxiway.spec.gate import Gate
from taxiway.spec.metrics import METRIC_FACTS, MetricName
from taxiway.spec.shadow import Shadow
from taxiway.spec.source import Source
from taxiway.spec.sweep import Sweep


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


class Pipeline(Section):
    """One model's whole way. `schema` and `suite` are file names beside the pipeline file.

    `template` is `continuous_training`, or the name of a Python file beside the pipeline file with the team's own template.

    `on_invalid_data` says what a run does where the data did not pass: `stop` there, or `continue` and train all the same, to see what comes
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
    on_invalid_data: Literal["fail", "continue"] = "fail"
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
    def tuning_metric(self) -> MetricName:
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
