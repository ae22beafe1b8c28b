"""Team: what holds for all pipelines of one team: its file `team.yaml` beside them. Reading it is `pipeline_file`."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from taxiway.spec.base import Fraction, Name, Number, Section
from taxiway.spec.metrics import METRIC_FACTS, MetricName
from taxiway.spec.pipeline import Pipeline

Event = Literal["FIRST_CHAMPION", "PROMOTED", "BLOCKED", "REJECTED", "UNDECIDED", "ERROR"]
Loosened = tuple[tuple[str, ...], str]


class Notification(Section):
    """Whom to tell how a run ended: an Airflow notifier by its dotted path, and its parameters, which are templates.

    Beside Airflow's own names they may use `taxiway`: `pipeline`, `span`, `event`, `reasons`, `version`, `airflow_url` and
    `mlflow_url`. An event is an outcome, or ERROR where the run failed before anything was decided.
    """

    notifier: str
    params: Mapping[str, Any] = Field(default_factory=dict)
    events: tuple[Event, ...] = ("BLOCKED", "REJECTED", "UNDECIDED", "ERROR")


class TeamGate(Section):
    """What the gate of every pipeline of the team must ask for at least.

    Limits by metric hold for pipelines of that metric's problem: each must have the thresholds, and compare with the champion by one
    of the metrics of `min_improvement`, with at least that gain, and in slices by one of `max_drop`, with at most that drop. `slices` are
    columns that must be among them, and no slice of `max_slice_min_rows` rows may be too small to tell.
    """

    thresholds: Mapping[MetricName, Number] = Field(default_factory=dict)
    min_improvement: Mapping[MetricName, Number] = Field(default_factory=dict)
    max_drop: Mapping[MetricName, Number] = Field(default_factory=dict)
    slices: tuple[str, ...] = ()
    max_slice_min_rows: int | None = Field(default=None, ge=2, strict=True)
    min_rows: int | None = Field(default=None, ge=2, strict=True)
    confidence: Number | None = Field(default=None, gt=0.5, le=0.9999)


class TeamShadow(Section):
    """What the shadow of every pipeline of the team must ask for at least; a pipeline without a shadow is refused."""

    min_requests: int | None = Field(default=None, ge=100)
    min_agreement: Fraction | None = None
    max_error_rate: Fraction | None = None
    max_p99_ratio: Number | None = Field(default=None, gt=0)
    max_agree_within: Number | None = Field(default=None, gt=0)


class Team(Section):
    """The owner that Airflow shows, the pool in which all tasks run, whom to notify, and what no pipeline may loosen."""

    team: Name
    owner: str | None = None
    pool: str | None = None
    notification: Notification | None = None
    gate: TeamGate = TeamGate()
    shadow: TeamShadow | None = None


def loosened(pipeline: Pipeline, team: Team) -> tuple[Loosened, ...]:
    """Where `pipeline` asks for less than `team` does: the key in the pipeline file, and a message with both."""
    if pipeline.team != team.team:
        return ((("team",), f'is "{pipeline.team}", and the team file beside it is that of "{team.team}"'),)
    return (
        *_floors(pipeline, team.gate),
        *_against_champion(pipeline, team.gate),
        *_slices(pipeline, team.gate),
        *_numbers(pipeline, team),
    )


def _of(limits: Mapping[MetricName, float], pipeline: Pipeline) -> dict[str, float]:
    """The limits by metric that are of the pipeline's problem."""
    return {metric: limit for metric, limit in limits.items() if METRIC_FACTS[metric].problem == pipeline.gate.problem}


def _floors(pipeline: Pipeline, gate: TeamGate) -> Iterator[Loosened]:
    for metric, limit in _of(gate.thresholds, pipeline).items():
        own = {str(name): threshold for name, threshold in pipeline.gate.thresholds.items()}.get(metric)
        lower = METRIC_FACTS[metric].sign < 0
        if own is None:
            yield ("gate", "thresholds"), f"has no {metric}; the team asks for {_bound(limit, lower)}"
        elif own > limit if lower else own < limit:
            yield ("gate", "thresholds", metric), f"is {own:g}; the team asks for {_bound(limit, lower)}"


def _against_champion(pipeline: Pipeline, gate: TeamGate) -> Iterator[Loosened]:
    limits, own = _of(gate.min_improvement, pipeline), pipeline.gate.against_champion
    if limits and own.metric not in limits:
        yield ("gate", "against_champion", "metric"), f'is "{own.metric}"; the team compares by {" or ".join(sorted(limits))}'
    elif limits and own.min_improvement < limits[own.metric]:
        yield (
            ("gate", "against_champion", "min_improvement"),
            f"is {own.min_improvement:g}; the team asks for {_bound(limits[own.metric], False)}",
        )


def _slices(pipeline: Pipeline, gate: TeamGate) -> Iterator[Loosened]:
    slices = pipeline.gate.slices
    missing = [column for column in gate.slices if slices is None or column not in slices.by]
    if missing:
        yield ("gate", "slices"), f"leaves out {', '.join(missing)}; the team asks for slices by {', '.join(gate.slices)}"
    if slices is not None and gate.max_slice_min_rows is not None and slices.min_rows > gate.max_slice_min_rows:
        yield ("gate", "slices", "min_rows"), f"is {slices.min_rows}; the team asks for {_bound(gate.max_slice_min_rows, True)}"
    yield from _drops(pipeline, gate)


def _drops(pipeline: Pipeline, gate: TeamGate) -> Iterator[Loosened]:
    limits, metric = _of(gate.max_drop, pipeline), pipeline.gate.against_champion.metric
    if not limits:
        return
    if pipeline.gate.slices is None:
        yield ("gate", "slices"), "is missing; the team asks for slices, with a limit to what each may lose"
    elif metric not in limits:
        yield ("gate", "against_champion", "metric"), f'is "{metric}"; the team has slices by {" or ".join(sorted(limits))}'
    elif pipeline.gate.slices.max_drop > limits[metric]:
        yield (
            ("gate", "slices", "max_drop"),
            f"is {pipeline.gate.slices.max_drop:g}; the team asks for {_bound(limits[metric], True)}",
        )


def _numbers(pipeline: Pipeline, team: Team) -> Iterator[Loosened]:
    if team.shadow is not None and pipeline.shadow is None:
        yield ("shadow",), "is off; the team asks for a shadow"
    asked = (
        ("gate", "min_rows", team.gate.min_rows, pipeline.gate.min_rows),
        ("gate", "confidence", team.gate.confidence, pipeline.gate.confidence),
        *(
            ("shadow", key, limit, getattr(pipeline.shadow, _OWN_NAMES.get(key, key)))
            for key, limit in (team.shadow.model_dump() if team.shadow and pipeline.shadow else {}).items()
        ),
    )
    for section, key, limit, own in asked:
        most = key.startswith("max_")
        if limit is not None and own is not None and (own > limit if most else own < limit):
            yield (section, _OWN_NAMES.get(key, key)), f"is {own:g}; the team asks for {_bound(limit, most)}"


# Where a limit is called by another name than what it limits.
_OWN_NAMES = {"max_agree_within": "agree_within"}


def _bound(limit: float, most: bool) -> str:
    return f"{'at most' if most else 'at least'} {limit:g}"
