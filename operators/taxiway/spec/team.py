"""Team: the settings and requirements for all pipelines in a folder, in its file `team.yaml`. `pipeline_file` reads it."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from taxiway.messages import number_text
from taxiway.spec.base import Fraction, Name, Number, Section
from taxiway.spec.metrics import MetricName, facts_of
from taxiway.spec.pipeline import Pipeline

Event = Literal[
    "FIRST_CHAMPION",
    "PROMOTED",
    "BLOCKED",
    "REJECTED",
    "UNDECIDED",
    "ERROR",
    "APPROVAL",
    "LABELS",
    "REOPENED",
    "WAIVER",
    "UPSTREAM",
    "ALERT",
    "ROLLBACK",
]
Loosened = tuple[tuple[str, ...], str]


class Notification(Section):
    """The notification about the outcome of a run.

    Attributes:
        notifier: The dotted path of an Airflow notifier.
        params: Its parameters. They are templates, with Airflow's variables and `taxiway`, which has `pipeline`, `span`,
            `event`, `reasons`, `version`, `airflow_url` and `mlflow_url`.
        events: The outcomes to notify about; ERROR is a run that failed before a decision, APPROVAL one that waits for a person, and
            LABELS a span that waits for its labels, REOPENED a verdict that is re-opened, WAIVER a waiver that ends within a week,
            UPSTREAM a replaced champion of a model whose predictions the pipeline reads, ALERT a champion that begins to predict worse in
            production than on its evaluation rows, and ROLLBACK one that monitoring has replaced by the version before it.
    """

    notifier: str
    params: Mapping[str, Any] = Field(default_factory=dict)
    events: tuple[Event, ...] = (
        *("BLOCKED", "REJECTED", "UNDECIDED", "ERROR", "APPROVAL", "LABELS", "REOPENED", "WAIVER", "UPSTREAM", "ALERT"),
        "ROLLBACK",
    )


class TeamGate(Section):
    """The minimum requirements for the gates of the team's pipelines.

    Limits by metric hold only for pipelines with the metric's problem, classification or regression.

    Attributes:
        thresholds: Metrics that must have a threshold, at least as strict.
        min_improvement: Metrics that the comparison with the champion may use, and the smallest `min_improvement`.
        max_drop: Metrics that the comparison by slice may use, and the largest `max_drop`.
        slices: Columns that must be in `slices.by`.
        max_slice_min_rows: The largest `slices.min_rows`.
        min_rows: The smallest `min_rows`.
        confidence: The smallest `confidence`.
    """

    thresholds: Mapping[MetricName, Number] = Field(default_factory=dict)
    min_improvement: Mapping[MetricName, Number] = Field(default_factory=dict)
    max_drop: Mapping[MetricName, Number] = Field(default_factory=dict)
    slices: tuple[str, ...] = ()
    max_slice_min_rows: int | None = Field(default=None, ge=2, strict=True)
    min_rows: int | None = Field(default=None, ge=2, strict=True)
    confidence: Number | None = Field(default=None, gt=0.5, le=0.9999)


class TeamShadow(Section):
    """The minimum requirements for the shadow of the team's pipelines, which must all have one.

    Attributes:
        min_requests: The smallest `min_requests`.
        min_agreement: The smallest `min_agreement`.
        max_error_rate: The largest `max_error_rate`.
        max_p99_ratio: The largest `max_p99_ratio`.
        max_agree_within: The largest `agree_within`.
    """

    min_requests: int | None = Field(default=None, ge=100)
    min_agreement: Fraction | None = None
    max_error_rate: Fraction | None = None
    max_p99_ratio: Number | None = Field(default=None, gt=0)
    max_agree_within: Number | None = Field(default=None, gt=0)


class Team(Section):
    """The settings and requirements for the team's pipelines.

    Attributes:
        team: The name of the team.
        owner: The owner of its DAGs in Airflow.
        pool: The Airflow pool of all tasks.
        notification: The notification about outcomes.
        gate: Minimum requirements for gates.
        shadow: Minimum requirements for shadows; None if a shadow is optional.
        approval: `required` if a person has to approve every version; None if that is optional.
    """

    team: Name
    owner: str | None = None
    pool: str | None = None
    notification: Notification | None = None
    gate: TeamGate = TeamGate()
    shadow: TeamShadow | None = None
    approval: Literal["required"] | None = None


def loosened(pipeline: Pipeline, team: Team) -> tuple[Loosened, ...]:
    """Where a pipeline does not meet its team's requirements: the key in the pipeline file, and a message."""
    if pipeline.team != team.team:
        return ((("team",), f'is "{pipeline.team}", but the team file in this folder is for "{team.team}"'),)
    return (
        *_thresholds(pipeline, team.gate),
        *_against_champion(pipeline, team.gate),
        *_slices(pipeline, team.gate),
        *_numbers(pipeline, team),
        *_approval(pipeline, team),
    )


def _of(limits: Mapping[MetricName, float], pipeline: Pipeline) -> dict[str, float]:
    """The limits of metrics with the pipeline's problem."""
    return {metric: limit for metric, limit in limits.items() if facts_of(metric).problem == pipeline.gate.problem}


def _thresholds(pipeline: Pipeline, gate: TeamGate) -> Iterator[Loosened]:
    for metric, limit in _of(gate.thresholds, pipeline).items():
        threshold = {str(name): value for name, value in pipeline.gate.thresholds.items()}.get(metric)
        lower = facts_of(metric).direction < 0
        if threshold is None:
            yield ("gate", "thresholds"), f"has no {metric}; required by the team: {_bound(limit, lower)}"
        elif threshold > limit if lower else threshold < limit:
            yield ("gate", "thresholds", metric), f"is {number_text(threshold)}; required by the team: {_bound(limit, lower)}"


def _against_champion(pipeline: Pipeline, gate: TeamGate) -> Iterator[Loosened]:
    limits, comparison = _of(gate.min_improvement, pipeline), pipeline.gate.against_champion
    if limits and comparison is None:
        yield ("gate", "against_champion"), f"is missing; required by the team: a comparison by {' or '.join(sorted(limits))}"
    elif limits and comparison is not None and comparison.metric not in limits:
        yield (
            ("gate", "against_champion", "metric"),
            f'is "{comparison.metric}"; required by the team: {" or ".join(sorted(limits))}',
        )
    elif limits and comparison is not None and comparison.min_improvement < limits[comparison.metric]:
        yield (
            ("gate", "against_champion", "min_improvement"),
            f"is {number_text(comparison.min_improvement)}; required by the team: {_bound(limits[comparison.metric], False)}",
        )


def _slices(pipeline: Pipeline, gate: TeamGate) -> Iterator[Loosened]:
    slices = pipeline.gate.slices
    missing = [column for column in gate.slices if slices is None or column not in slices.by]
    if missing:
        yield ("gate", "slices"), f"leaves out {', '.join(missing)}; required by the team: slices by {', '.join(gate.slices)}"
    if slices is not None and gate.max_slice_min_rows is not None and slices.min_rows > gate.max_slice_min_rows:
        yield (
            ("gate", "slices", "min_rows"),
            f"is {slices.min_rows}; required by the team: {_bound(gate.max_slice_min_rows, True)}",
        )
    yield from _drops(pipeline, gate)


def _drops(pipeline: Pipeline, gate: TeamGate) -> Iterator[Loosened]:
    limits, metric = _of(gate.max_drop, pipeline), pipeline.gate.comparison_metric
    if not limits:
        return
    if pipeline.gate.slices is None:
        yield ("gate", "slices"), "is missing; required by the team: slices with max_drop"
    elif metric not in limits:
        yield (
            ("gate", "against_champion", "metric"),
            f'is "{metric}"; required by the team for slices: {" or ".join(sorted(limits))}',
        )
    elif pipeline.gate.slices.max_drop > limits[metric]:
        yield (
            ("gate", "slices", "max_drop"),
            f"is {number_text(pipeline.gate.slices.max_drop)}; required by the team: {_bound(limits[metric], True)}",
        )


def _approval(pipeline: Pipeline, team: Team) -> Iterator[Loosened]:
    if team.approval is None:
        return
    if pipeline.approval is None:
        yield ("approval",), "is none; required by the team: approval: required"
    elif pipeline.approval.timeout is not None and pipeline.approval.on_timeout == "approve":
        yield (
            ("approval", "on_timeout"),
            "is approve; required by the team: reject, because a person has to approve every version",
        )


def _numbers(pipeline: Pipeline, team: Team) -> Iterator[Loosened]:
    if team.shadow is not None and pipeline.shadow is None:
        yield ("shadow",), "is off; required by the team: a shadow section"
    requirements = (
        ("gate", "min_rows", team.gate.min_rows, pipeline.gate.min_rows),
        ("gate", "confidence", team.gate.confidence, pipeline.gate.confidence),
        *(
            ("shadow", key, limit, getattr(pipeline.shadow, _PIPELINE_KEYS.get(key, key)))
            for key, limit in (team.shadow.model_dump() if team.shadow and pipeline.shadow else {}).items()
        ),
    )
    for section, key, limit, value in requirements:
        most = key.startswith("max_")
        if limit is not None and value is not None and (value > limit if most else value < limit):
            yield (
                (section, _PIPELINE_KEYS.get(key, key)),
                f"is {number_text(value)}; required by the team: {_bound(limit, most)}",
            )


# Keys of a team file whose key in a pipeline file has another name.
_PIPELINE_KEYS = {"max_agree_within": "agree_within"}


def _bound(limit: float, most: bool) -> str:
    return f"{'at most' if most else 'at least'} {number_text(limit)}"
