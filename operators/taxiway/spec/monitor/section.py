"""The `monitor` section: how the champion is compared with its evaluation rows while it answers requests."""

from datetime import timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from taxiway.spec.base import Duration, Number, Section, clock_schedule, duration_text, mistake, off_is_none
from taxiway.spec.metrics import MetricName, Problem, metrics_of, parse_metric
from taxiway.spec.monitor.action import RETRAIN_AS_BEFORE, Action, mistakes_in_actions, named_action
from taxiway.spec.source.span_pattern import DATA

NOT_MONITORED = "expected_calibration_error"
ROW_LOSSES = {
    "accuracy": "error rate",
    "average_precision": "Brier score",
    "brier": "Brier score",
    "clipped_log_loss": "clipped log loss",
    "log_loss": "clipped log loss",
    "mae": "absolute error",
    "r2": "squared error",
    "rmse": "squared error",
    "roc_auc": "Brier score",
}
"""The metrics that a rollback can be decided by, each with the loss of single rows that is tested for it."""


_ROLLBACK_WINDOWS = {"day": 14, "week": 2, "month": 2}
"""The fewest windows with which a rollback can be decided: the evidence counts whole weeks after a promotion in these windows."""


def default_metric(classes: int) -> MetricName:
    """The metric that is monitored if the pipeline file has none.

    Args:
        classes: The number of classes; 0 for a regression.
    """
    return "mae" if not classes else "roc_auc" if classes == 2 else "accuracy"


def not_monitored_text(problem: Problem) -> str:
    """Why `NOT_MONITORED` cannot be monitored, and what can."""
    allowed = ", ".join(name for name in metrics_of(problem) if name != NOT_MONITORED)
    return f"{NOT_MONITORED} is larger for fewer rows, so windows cannot be compared by it; allowed: {allowed}"


def _log(value: object) -> object:
    """Check the path of a log."""
    text = str(value)
    rest = text.replace(DATA, "")
    if not text.strip() or "{" in rest or "}" in rest or "://" in text:
        raise ValueError("allowed: a folder that the Airflow workers mount, such as {data}/request-log")
    return value


def _as_list(value: object) -> object:
    """A list, also of one that is given alone."""
    return [value] if isinstance(value, str | dict) else value


class TrainingCosts(Section):
    """What a training costs and what it is worth, all in one currency, which determines the smallest gain that is worth a training.

    Attributes:
        training: What a training costs: computers, and the time of people.
        labels: How many labels have to be bought for a training and its evaluation.
        label: What a label costs.
        value: What an improvement of the metric by 1 is worth until the next training: 50000 if one by 0.01 is worth 500.
    """

    training: Number = Field(ge=0, allow_inf_nan=False)
    labels: int = Field(default=0, ge=0, strict=True)
    label: Number = Field(default=0.0, ge=0, allow_inf_nan=False)
    value: Number = Field(gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _cost_something(self) -> "TrainingCosts":
        if bool(self.labels) != bool(self.label):
            given, needed = ("labels", "label") if self.labels else ("label", "labels")
            raise ValueError(f"{given} needs {needed}: labels cost their number times label; give both or neither")
        if not self.total:
            raise ValueError(
                "a training costs nothing, so any gain is worth it; give its costs, or min_gain: 0 instead of costs"
            )
        return self

    @property
    def total(self) -> float:
        """What a training costs with its labels."""
        return self.training + self.labels * self.label

    @property
    def min_gain(self) -> float:
        """The improvement of the metric that is worth as much as a training costs."""
        return self.total / self.value


class RetrainingPolicy(Section):
    """When the model is to be trained again, by what monitoring has found; see `taxiway.monitoring.retraining`.

    Attributes:
        min_gain: The smallest expected improvement of the metric that is worth a training, in the metric's unit. Required without `costs`.
        costs: What a training costs and is worth, from which that improvement follows; None with `min_gain`.
        triggers: What is a reason to train again: `performance` that is worse than on the evaluation rows, `concept_drift` (a realised
            performance that is worse than the estimate for the same rows), or `input_drift`.
        new_labels: The number of rows with a label since the last training that is a reason; None for none.
        max_age: The time since the last training after which there is another, whatever it gains; None for none.
        cooldown: The shortest time between two trainings.
        max_trainings: How many trainings there may be in `period`.
        period: How long that period is.
        learning_curve: Whether a training also measures how the metric grows with the number of rows, by which `new_labels` is
            judged. It takes almost as long as two more trainings.
        actions: What a run does that monitoring has started, in the order in which the actions are tried: the first one that is for the
            trigger. One that failed or gained nothing is passed over until a training gains something.
    """

    min_gain: Number | None = Field(default=None, ge=0, allow_inf_nan=False)
    costs: TrainingCosts | None = None
    triggers: tuple[Literal["performance", "concept_drift", "input_drift"], ...] = ("performance", "concept_drift")
    new_labels: int | None = Field(default=None, ge=1, strict=True)
    max_age: Duration | None = None
    cooldown: Duration = timedelta(days=7)
    max_trainings: int = Field(default=4, ge=1, strict=True)
    period: Duration = timedelta(days=30)
    learning_curve: bool = Field(default=False, strict=True)
    actions: Annotated[tuple[Annotated[Action, BeforeValidator(named_action)], ...], BeforeValidator(_as_list)] = (
        RETRAIN_AS_BEFORE,
    )

    @model_validator(mode="after")
    def _can_be_followed(self) -> "RetrainingPolicy":
        for key, given, message in (
            ("period", self.period, "it is 0, so max_trainings would limit nothing; allowed: a longer one, such as 30d"),
            ("max_age", self.max_age, "each run of the monitoring would train again; allowed: a longer one, such as 90d"),
        ):
            if given is not None and not given:
                raise ValidationError.from_exception_data("RetrainingPolicy", [mistake(message, duration_text(given), key)])
        if len(set(self.triggers)) < len(self.triggers):
            message = "a trigger is given twice; give each once"
            raise ValidationError.from_exception_data("RetrainingPolicy", [mistake(message, list(self.triggers), "triggers")])
        if not self.triggers and self.new_labels is None and self.max_age is None:
            message = "without triggers, new_labels or max_age, there is never a reason to train again; give one of them"
            raise ValidationError.from_exception_data("RetrainingPolicy", [mistake(message, list(self.triggers), "triggers")])
        mistakes = [*mistakes_in_actions(self.actions, self.all_triggers)]
        if (self.min_gain is None) == (self.costs is None):
            message = "give one of min_gain, the gain that is worth a training, and costs, from which it follows"
            mistakes.append(mistake(message, self.min_gain, "min_gain"))
        if self.learning_curve and self.new_labels is None:
            message = "the learning curve says what new labels gain; add new_labels, how many of them are a reason, or remove learning_curve"
            mistakes.append(mistake(message, self.learning_curve, "learning_curve"))
        if mistakes:
            raise ValidationError.from_exception_data("RetrainingPolicy", mistakes)
        return self

    @property
    def least_gain(self) -> float:
        """The smallest expected improvement of the metric that is worth a training."""
        return self.costs.min_gain if self.costs is not None else self.min_gain or 0.0

    @property
    def all_triggers(self) -> tuple[str, ...]:
        """Everything that can be a reason."""
        others = {"new_labels": self.new_labels, "age": self.max_age}
        return (*self.triggers, *(name for name, given in others.items() if given is not None))


class LabelAudits(Section):
    """When labels are needed to know whether the metric reaches a target; see `taxiway.monitoring.label_audits`.

    Attributes:
        target: The value that the metric is to reach: at least, or at most if lower values are better.
        tolerance: How far the metric may be on the other side of the target than the answer says.
        max_change: The largest change of the metric per day; None if it is learnt from windows with labels.
    """

    target: Number = Field(allow_inf_nan=False)
    tolerance: Number = Field(gt=0, allow_inf_nan=False)
    max_change: Number | None = Field(default=None, gt=0, allow_inf_nan=False)


class Rollback(Section):
    """When the version before becomes the champion again, because it predicts the requests since the promotion better.

    Attributes:
        confidence: 1 minus the probability that a champion whose rows have no larger loss than those of the version before is ever replaced,
            however often it is looked at.
        max_drop: How much worse the metric may be than that of the version before, in the metric's unit.
    """

    confidence: Number = Field(default=0.99, gt=0.5, le=0.9999)
    max_drop: Number = Field(default=0.0, ge=0, allow_inf_nan=False)


AlertChoice = Literal["realised", "target", "estimated", "data", "check", "outliers", "labels", "audit", "drift"]
"""What can be an alert; see `taxiway.records.served.AlertKind`."""
_NOT_BY_DEFAULT = "drift"


def _method(value: object) -> object:
    """The default method for `true`."""
    return "ecod" if value is True else off_is_none(value)


class Monitor(Section):
    """How the champion is monitored. This makes a second DAG, `TEAM.PIPELINE.monitor`.

    Attributes:
        log: The folder of the Parquet files of the gateway's request log; {data} is the installation's folder of data.
        schedule: When the champion is compared: a cron preset or expression; None for manual runs.
        window: How long a window of requests is: `day`, `week` from Monday on, or `month`.
        windows: How many windows that have ended a run compares, the newest ones, besides the present one. Labels that come later than that are not looked at. `rollback` needs at
            least 14 days, 2 weeks or 2 months.
        metric: The metric; None for `roc_auc` of two classes, `accuracy` of more, and `mae` of a regression.
        retrain: When the model is to be trained again; None if monitoring does not say so.
        audit: When labels are needed next; None if monitoring does not say so.
        checks: Functions of the team's own that look at the rows of each window: `FILE.py:function` with a Python file in the folder of the
            pipeline file, or `package.module:function`. Each gets the rows and the evaluation rows, and returns what it found.
        outliers: How the rows of each window are scored by how unlike the evaluation rows they are: `ecod`, which `true` also is, or
            `isolation_forest`; None if they are not scored.
        previous: Whether the version before predicts the champion's rows with a label, too, for comparison; `rollback` implies it.
        rollback: When the version before becomes the champion again; None if only people decide that.
        labels_after: How long labels take, from the end of a window on, such as 14d; None if that is not known. After that, missing labels are
            an alert of the kind `labels`.
        alerts: What is an alert, which is reported to the team and stands until it is over: `realised` or `estimated` performance that is worse,
            an audit that misses its `target`, anomalies of the `data`, a finding of a `check`, too many `outliers`, `labels` that are late,
            an `audit` that is due, or `drift` of inputs since the window before. By default all but `drift`.
    """

    log: Annotated[str, BeforeValidator(_log)]
    schedule: Annotated[str | None, BeforeValidator(clock_schedule)] = "@daily"
    window: Literal["day", "week", "month"] = "week"
    windows: int = Field(default=8, ge=1, le=366, strict=True)
    metric: MetricName | None = None
    retrain: Annotated[RetrainingPolicy | None, BeforeValidator(off_is_none)] = None
    audit: Annotated[LabelAudits | None, BeforeValidator(off_is_none)] = None
    checks: tuple[str, ...] = ()
    outliers: Annotated[Literal["ecod", "isolation_forest"] | None, BeforeValidator(_method)] = None
    previous: bool = Field(default=False, strict=True)
    rollback: Annotated[Rollback | None, BeforeValidator(off_is_none)] = None
    labels_after: Duration | None = None
    alerts: tuple[AlertChoice, ...] = tuple(kind for kind in get_args(AlertChoice) if kind != _NOT_BY_DEFAULT)

    @model_validator(mode="after")
    def _can_alert(self) -> "Monitor":
        def refuse(message: str) -> ValidationError:
            return ValidationError.from_exception_data("Monitor", [mistake(message, list(self.alerts), "alerts")])

        if len(set(self.alerts)) < len(self.alerts):
            raise refuse("an alert is given twice; give each once")
        if "alerts" not in self.model_fields_set:
            return self
        needed: dict[str, tuple[str, Any]] = {
            "labels": ("labels_after", self.labels_after),
            "check": ("checks", self.checks or None),
            "outliers": ("outliers", self.outliers),
        }
        needed |= dict.fromkeys(("audit", "target"), ("audit", self.audit))
        for kind, (key, value) in needed.items():
            if kind in self.alerts and value is None:
                raise refuse(f"the alert {kind} needs {key}, which is missing; add it, or leave the alert out")
        return self

    @model_validator(mode="after")
    def _can_roll_back(self) -> "Monitor":
        if self.rollback is not None and self.metric is not None and parse_metric(self.metric).name not in ROW_LOSSES:
            message = (
                f"a rollback is decided by the losses of single rows, and {self.metric} has none; allowed with rollback: "
                f"{', '.join(ROW_LOSSES)}"
            )
            raise ValidationError.from_exception_data("Monitor", [mistake(message, self.metric, "metric")])
        fewest = _ROLLBACK_WINDOWS[self.window]
        if self.rollback is not None and self.windows < fewest:
            message = (
                "a rollback is decided by whole weeks after the promotion, and only while the promotion is in the newest windows; allowed with "
                f"rollback and windows of a {self.window}: at least {fewest}"
            )
            raise ValidationError.from_exception_data("Monitor", [mistake(message, self.windows, "windows")])
        return self

    @property
    def actions(self) -> tuple[Action, ...]:
        """What a run can do that monitoring has started; empty if monitoring starts none."""
        return self.retrain.actions if self.retrain is not None else ()
