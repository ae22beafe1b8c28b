"""Pipeline: the declarative description of one model's way from data to production. Reading it from YAML is `pipeline_file`.

Every key is there because something obeys it; an unknown key is an error.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from taxiway.errors import allowed_values

CLASSIFICATION_METRICS = ("accuracy", "average_precision", "brier", "log_loss", "roc_auc")
Metric = Literal["accuracy", "average_precision", "brier", "log_loss", "roc_auc"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_SCHEDULES = ("new_span", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_DURATION = re.compile(r"(?P<amount>\d+)(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: Any) -> timedelta:
    """`90s`, `30m`, `12h`, `1d`; a timedelta is passed on."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(str(text))
    if not match:
        raise ValueError(f"{text!r} is not a duration; allowed: a whole number and s, m, h or d, as in 90s, 30m, 12h, 1d")
    return timedelta(**{_UNITS[match["unit"]]: int(match["amount"])})


def off_is_none(value: Any) -> Any:
    """YAML reads a bare `off` as false: both mean that the stage is switched off."""
    return None if value is False or value == "off" else value


def _name(value: Any) -> Any:
    """Lower case letters, digits and underscores, a letter first, at most 80: it becomes a part of ids and file names."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError("allowed: up to 80 lower case letters, digits and underscores, a letter first")


def _columns(value: Any) -> Any:
    """`auto`, or a list of column names."""
    if value == "auto" or (isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError("allowed: auto, or a list of column names")


def _schedule(value: Any) -> Any:
    """Never (None), `new_span`, one of cron's presets, or a cron expression of five fields."""
    if value is None or value in _SCHEDULES or (isinstance(value, str) and len(value.split()) == 5):
        return value
    raise ValueError(allowed_values(str(value), (*_SCHEDULES, "a cron expression of five fields")))


Columns = Annotated[Literal["auto"] | tuple[str, ...], BeforeValidator(_columns)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Name = Annotated[str, BeforeValidator(_name)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """The base of all parts of a pipeline: frozen, and closed against keys that nothing obeys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Section):
    """Where the labelled rows come from.

    `spans` is a pattern of paths on any fsspec URL with {YYYY}, {MM}, {DD} or {SPAN}, and {VERSION}; {data} is the folder or URL
    that the installation sets. A run evaluates on one span and trains on the `window` spans before it.
    """

    spans: str
    window: int = Field(default=3, ge=1, le=10_000, strict=True)
    label: str


class Features(Section):
    """Which columns the model takes. `auto`: those that the schema declares numeric, or categorical, less `drop` and the label."""

    numeric: Columns = "auto"
    categorical: Columns = "auto"
    drop: tuple[str, ...] = ()


class Model(Section):
    """The estimator: a scikit-learn class by its dotted path with `params`, or `build`: a function of one dict that returns one."""

    estimator: str | None = None
    build: str | None = None
    params: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_two(self) -> "Model":
        if (self.estimator is None) == (self.build is None):
            raise ValueError("give either estimator (module.Class) or build (module:function), not both and not neither")
        return self


class AgainstChampion(Section):
    """The candidate may be worse than the champion by no more than `-min_gain` in `metric` (higher is better after its sign)."""

    metric: Metric
    min_gain: float = Field(default=0.0, allow_inf_nan=False)


class Slices(Section):
    """No slice of at least `min_rows` rows may lose more than `max_drop` of the champion comparison's metric."""

    by: tuple[str, ...]
    max_drop: float = Field(default=0.05, gt=0)
    min_rows: int = Field(default=300, ge=2)


class Gate(Section):
    """When a candidate may go on. `reliability` is the confidence of every interval that decides.

    Fewer than `min_rows` evaluation rows decide nothing: intervals from a bootstrap are too narrow there.
    """

    floors: Mapping[Metric, float] = Field(min_length=1)
    against_champion: AgainstChampion
    slices: Slices | None = None
    min_rows: int = Field(default=300, ge=2, strict=True)
    reliability: float = Field(default=0.99, gt=0.5, lt=1)

    @model_validator(mode="after")
    def _floors_can_be_kept(self) -> "Gate":
        for metric, floor in self.floors.items():
            top = float("inf") if metric == "log_loss" else 1.0
            if not 0 <= floor <= top:
                raise ValueError(
                    f"the floor of {metric} is {floor}; allowed: {'0 or more' if metric == 'log_loss' else '0 to 1'}"
                )
        return self


class Shadow(Section):
    """When a challenger's answers to live requests let it go on.

    `min_requests` pairs of answers decide; fewer after `max_wait` are UNDECIDED. `max_error_rate` is of the challenger's errors
    beyond the champion's; `max_p99_ratio` of its 99th percentile of latency to the champion's; `min_agreement` of equal labels.
    `deployer` says where it runs: in a process of the gateway, or in a container of its own, with limits of its own.
    """

    deployer: Literal["process", "docker"] = "process"
    min_requests: int = Field(default=2000, ge=100, le=50_000)
    max_wait: Duration = timedelta(days=1)
    min_agreement: Fraction = 0.5
    max_error_rate: Fraction = 0.001
    max_p99_ratio: float = Field(default=1.5, gt=0)


class Pipeline(Section):
    """One model's whole way. `schema` and `suite` are file names beside the pipeline file.

    `bad_data` says what a run does where the data did not pass: `stop` there, or `go_on` and train all the same, to see what comes
    of it. The model gate fails such a model in any case.
    `gateway` is the Airflow connection of the model gateway; without one, nothing is shadowed and push is not read back.
    """

    pipeline: Name
    team: Name
    template: Literal["continuous_training"] = "continuous_training"
    schedule: Annotated[str | None, BeforeValidator(_schedule)] = None
    source: Source
    schema_file: str = Field(alias="schema")
    suite: str | None = None
    bad_data: Literal["stop", "go_on"] = "stop"
    features: Features = Features()
    model: Model
    gate: Gate
    gateway: str | None = None
    shadow: Annotated[Shadow | None, BeforeValidator(off_is_none)] = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _shadow_needs_a_gateway(self) -> "Pipeline":
        if self.shadow is not None and self.gateway is None:
            raise ValueError("shadow needs gateway: the Airflow connection of the model gateway, such as taxiway_gateway")
        return self

    @property
    def name(self) -> str:
        """`team.pipeline`: the id of its DAG and the name of its registered model."""
        return f"{self.team}.{self.pipeline}"

    @property
    def experiment(self) -> str:
        """`team/pipeline`: its MLflow experiment."""
        return f"{self.team}/{self.pipeline}"
