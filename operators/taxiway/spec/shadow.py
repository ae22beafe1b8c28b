"""The `shadow` section: how a challenger is compared with the champion on live requests."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from taxiway.errors import allowed_values
from taxiway.spec.base import (
    Duration,
    Fraction,
    Number,
    Section,
    mistake,
    off_is_none,
)

LossName = Literal["accuracy", "brier", "clipped_log_loss", "mae"]
_OF_CLASSES: tuple[LossName, ...] = ("brier", "accuracy", "clipped_log_loss")
_TOLERANCE = 0.01
_MAX_REPLAYED = timedelta(days=31)
_LONGEST_WAIT = timedelta(days=30)


def _loss(value: Any) -> Any:
    """Check that a metric is the mean of a number for each row."""
    allowed = (*_OF_CLASSES, "mae")
    if value is None or value in allowed:
        return value
    raise ValueError(
        f"labels compare the mean of a number with limits for each request, which {value} is not. Instead of roc_auc or log_loss, brier and "
        f"clipped_log_loss judge the same probabilities; {allowed_values(str(value), allowed)}"
    )


def _whole_days(value: timedelta | None) -> timedelta | None:
    if value is not None and (value % timedelta(days=1) or not timedelta(days=1) <= value <= _MAX_REPLAYED):
        raise ValueError(f"allowed: whole days, 1d to {_MAX_REPLAYED.days}d, because the log is kept by day")
    return value


def _limited_wait(value: timedelta) -> timedelta:
    if value > _LONGEST_WAIT:
        raise ValueError(f"allowed: at most {_LONGEST_WAIT.days}d, because the gateway does not keep a challenger for longer")
    return value


def _no_limit(reason: str) -> str:
    return f"{reason}, so no challenger could be worse than that; allowed: a smaller one"


class ShadowLabels(Section):
    """How the labels of the compared requests decide, as they come by the gateway's feedback.

    Attributes:
        metric: What is compared: `accuracy`, `brier`, `clipped_log_loss`, or for a regression `mae`. None for `brier`, or `mae`.
        tolerance: How much worse than the champion's the challenger's metric may be. None for 0.01; required for a regression.
        max_error: The largest absolute error that counts in a regression, in the label's unit; larger errors count as this one.
        required: What it means if the labels have not decided after `max_wait`: UNDECIDED, or that the other requirements decide alone.
    """

    metric: Annotated[LossName | None, BeforeValidator(_loss)] = None
    tolerance: Number | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_error: Number | None = Field(default=None, gt=0, allow_inf_nan=False)
    required: bool = True

    @property
    def compared(self) -> LossName:
        """The metric that is compared: the given one, or the default."""
        return self.metric or ("brier" if self.max_error is None else "mae")

    @property
    def allowed(self) -> float:
        """How much worse the challenger's metric may be."""
        return _TOLERANCE if self.tolerance is None else self.tolerance


class Shadow(Section):
    """The requirements for a challenger on live requests.

    Attributes:
        deployer: Where the challenger runs: in a `process` of the gateway, or in a `docker` container with its own limits.
        min_requests: The number of requests with a result from both versions, predictions or an error, that a decision needs.
        max_wait: The longest time to wait for them, and for labels, at most 30 days; after that, the decision is UNDECIDED.
        min_agreement: The smallest fraction of rows on which both must agree: equal classes, or numbers within `agree_within`.
        agree_within: The largest difference that counts as agreement in a regression, in the label's unit.
        max_error_rate: The largest fraction of errors of the challenger, among the requests for which the champion returned
            predictions.
        max_p99_ratio: The largest ratio of the challenger's 99th percentile of latency to the champion's.
        labels: How the labels of these requests decide; None if labels are not awaited.
        replay: The number of whole days whose logged requests are also sent to the challenger, without days of which its snapshot may have
            rows; None for no replay.
    """

    deployer: Literal["process", "docker"] = "process"
    min_requests: int = Field(default=2000, ge=100, le=50_000)
    max_wait: Annotated[Duration, AfterValidator(_limited_wait)] = timedelta(days=1)
    min_agreement: Fraction = 0.5
    agree_within: Number | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_error_rate: Fraction = 0.001
    max_p99_ratio: Number = Field(default=1.5, gt=0)
    labels: Annotated[ShadowLabels | None, BeforeValidator(off_is_none)] = None
    replay: Annotated[Duration | None, AfterValidator(_whole_days), BeforeValidator(off_is_none)] = None

    @model_validator(mode="after")
    def _labels_fit(self) -> "Shadow":
        mistakes = list(self._mistakes())
        if mistakes:
            raise ValidationError.from_exception_data("Shadow", mistakes)
        return self

    def _mistakes(self) -> Iterator[InitErrorDetails]:
        labels = self.labels
        if labels is None:
            return
        if self.agree_within is None:  # classes
            if labels.metric == "mae":
                yield mistake(f"mae is for regression; allowed: {', '.join(_OF_CLASSES)}", labels.metric, "labels", "metric")
            if labels.max_error is not None:
                yield mistake("max_error is for regression; remove it", labels.max_error, "labels", "max_error")
            if labels.compared != "clipped_log_loss" and labels.allowed >= 1:
                yield mistake(_no_limit(f"{labels.compared} is at most 1"), labels.tolerance, "labels", "tolerance")
            return
        if labels.metric in _OF_CLASSES:
            yield mistake(f"{labels.metric} is for classification; allowed: mae", labels.metric, "labels", "metric")
        for key, meaning in (
            ("tolerance", "how much larger the challenger's mean error may be"),
            ("max_error", "the largest error that counts"),
        ):
            if getattr(labels, key) is None:
                yield mistake(f"labels of a regression need {key}: {meaning}, in the unit of the label", labels, "labels")
        if labels.tolerance is not None and labels.max_error is not None and labels.tolerance >= labels.max_error:
            yield mistake(_no_limit("no error counts as more than max_error"), labels.tolerance, "labels", "tolerance")
