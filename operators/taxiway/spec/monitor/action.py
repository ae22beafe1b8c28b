"""`monitor.retrain.actions`: what a run does that monitoring has started, instead of training as the pipeline file says."""

from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from taxiway.errors import allowed_values
from taxiway.messages import counted, percent_limit
from taxiway.spec.base import Number, Section, mistake
from taxiway.spec.model.section import Model

ActionName = Literal["recalibrate", "warm_start", "retrain"]
TriggerName = Literal["performance", "concept_drift", "input_drift", "new_labels", "age"]
ACTION_NAMES: tuple[ActionName, ...] = ("recalibrate", "warm_start", "retrain")
BY_ORDER = ("roc_auc", "average_precision")
"""The metrics that depend only on the order of the probabilities, which a recalibration of two classes keeps."""
_MAX_SPANS = 10_000
_TEXTS: dict[ActionName, str] = {"recalibrate": "recalibrate", "warm_start": "warm start", "retrain": "retrain"}


def _spans(value: Any) -> Any:
    """Check a number of spans: a whole number, or `all`."""
    if value == "all" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_SPANS):
        return value
    raise ValueError(f"allowed: all, or a whole number of spans, 1 to {_MAX_SPANS:,}")


Spans = Annotated[int | Literal["all"], BeforeValidator(_spans)]


class Rehearsal(Section):
    """A sample of the rows of earlier spans, which is added to those of the window, so that a model does not forget them.

    Give one of `rows` and `share`.

    Attributes:
        spans: How many spans before the window the rows are drawn from, the newest ones; `all` for all of them.
        rows: How many rows are drawn in total, from each span in proportion to its rows.
        share: The share of the rows of each of these spans that is drawn.
    """

    spans: Spans = "all"
    rows: int | None = Field(default=None, ge=1, strict=True)
    share: Number | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="after")
    def _one_size(self) -> "Rehearsal":
        if (self.rows is None) is (self.share is None):
            raise ValueError(
                "allowed: exactly one of rows and share; for all rows of earlier spans, use window instead of rehearsal"
            )
        return self

    @property
    def text(self) -> str:
        """`20,000 rows of the 12 spans before` or `10% of the rows of all earlier spans`."""
        of = "all earlier spans" if self.spans == "all" else f"the {counted(self.spans, 'span')} before"
        return (
            f"{counted(self.rows, 'row')} of {of}"
            if self.rows is not None
            else f"{percent_limit(self.share or 0)} of the rows of {of}"
        )


class Action(Section):
    """What a run does that monitoring has started. Only the name is needed: `retrain` instead of `{action: retrain}`.

    Attributes:
        action: `recalibrate` keeps the champion and fits a calibration of its predictions to the rows of the window that it has not
            learned from; `warm_start` trains the champion's estimator further; `retrain` trains as the pipeline file says, and anew
            if `warm_start` is another action.
        triggers: The triggers that the action is for; empty for all.
        window: How many spans to train on instead of `source.window`, the newest ones; `all` for all spans before the evaluated one.
        rehearsal: A sample of earlier spans that is added; None for none.
    """

    action: ActionName
    triggers: tuple[TriggerName, ...] = ()
    window: Spans | None = None
    rehearsal: Rehearsal | None = None

    @model_validator(mode="after")
    def _keys_fit_the_action(self) -> "Action":
        if self.action == "recalibrate" and (self.window is not None or self.rehearsal is not None):
            key = "window" if self.window is not None else "rehearsal"
            raise ValueError(
                f"recalibrate has {key}, but it uses the rows of source.window that the champion has not learned from; remove {key}, or "
                "use warm_start or retrain"
            )
        if self.window == "all" and self.rehearsal is not None:
            raise ValueError("window: all reads all earlier spans, so there is nothing to rehearse; remove window or rehearsal")
        return self

    @property
    def text(self) -> str:
        """`recalibrate`, `warm start with 20,000 rows of the 12 spans before`, or `retrain on all spans`."""
        text = _TEXTS[self.action]
        if self.window is not None:
            text += " on all spans" if self.window == "all" else f" on {counted(self.window, 'span')}"
        return text if self.rehearsal is None else f"{text} with {self.rehearsal.text}"

    @property
    def what(self) -> dict[str, Any]:
        """What is done, as content for JSON; the triggers do not matter."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"triggers"})


RETRAIN_AS_BEFORE = Action(action="retrain")
WARM_START = Action(action="warm_start")


def named_action(value: Any) -> Any:
    """An action by its name alone."""
    if not isinstance(value, str):
        return value
    if value not in ACTION_NAMES:
        raise ValueError(allowed_values(value, ACTION_NAMES))
    return {"action": value}


def mistakes_in_actions(actions: tuple[Action, ...], triggers: Collection[str]) -> Iterator[InitErrorDetails]:
    """Mistakes in the list of a policy.

    Args:
        actions: The actions.
        triggers: The triggers of the policy.
    """
    if not actions:
        yield mistake(f"it is empty; allowed: at least one of {', '.join(ACTION_NAMES)}", [], "actions")
        return
    unknown = [trigger for action in actions for trigger in action.triggers if trigger not in triggers]
    if unknown:
        allowed = ", ".join(triggers) or "none"
        yield mistake(f"{unknown[0]} is not a trigger of this policy; allowed: {allowed}", list(unknown), "actions")
    if actions[-1].triggers:
        yield mistake(
            "the last action has triggers, but something has to be done for the other triggers, and if the actions before it gained "
            "nothing; remove its triggers, or add another action such as retrain",
            actions[-1].action,
            "actions",
        )
    done = [action.what for action in actions]
    if any(what in done[:at] for at, what in enumerate(done)):
        yield mistake("an action is given twice; give each once", actions[0].action, "actions")


def actions_that_do_not_fit(
    actions: tuple[Action, ...], model: Model, metric: str, *, after_window: bool, sweep: bool
) -> Iterator[str]:
    """Why actions cannot be done by a pipeline.

    Args:
        actions: The actions.
        model: The section `model`.
        metric: The metric that is monitored.
        after_window: Whether runs train on a number of spans and evaluate on the one after them.
        sweep: Whether parameters are searched.
    """
    for action in actions:
        if not after_window and (action.action == "recalibrate" or action.window or action.rehearsal):
            key = "window" if action.window else "rehearsal" if action.rehearsal else "recalibrate"
            yield (
                f"{key} needs whole spans before the one that is evaluated on; allowed with it: a number of spans as source.window, and "
                "no source.split"
            )
        if sweep and (action.action != "retrain" or action.rehearsal):
            key = "rehearsal" if action.action == "retrain" else action.action
            yield f"{key} cannot be combined with sweep, whose trials are trained anew on whole spans; remove one of them"
        if action.action == "recalibrate" and metric in BY_ORDER:
            yield (
                f"recalibrate keeps the order of the probabilities, on which alone {metric} depends, so it could gain nothing; set "
                "monitor.metric to another one, such as brier, log_loss or accuracy, or remove recalibrate"
            )
        if action.action == "warm_start" and (problem := _why_no_warm_start(model)):
            yield f"warm_start: {problem}"


def model_for(model: Model, action: Action | None, actions: tuple[Action, ...]) -> Model:
    """The section `model` as a run follows it that does an action.

    Args:
        model: The section.
        action: The action; None for a run that monitoring has not started.
        actions: All actions of the policy.
    """
    if action is None or action.action == "recalibrate" or model.train is not None:
        return model
    if action.action == "warm_start":
        return model.model_copy(update={"warm_start": "champion"})
    return model.model_copy(update={"warm_start": None}) if has_warm_start(actions) else model


def has_warm_start(actions: tuple[Action, ...]) -> bool:
    """Whether a warm start is one of the actions, so that the others begin anew."""
    return any(action.action == "warm_start" for action in actions)


def _why_no_warm_start(model: Model) -> str:
    """Why a model cannot be trained further from the champion; empty if it can, by its section alone."""
    if model.train is not None:
        return ""  # its parameter previous is looked up when it is called
    if model.command is not None:
        return (
            "a command does not get the champion; allowed: an estimator, build, or a train function with a parameter previous"
        )
    try:
        Model.model_validate({**model.model_dump(), "warm_start": "champion"})
    except ValidationError as error:
        return str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    return ""
