"""When to train again: the decision on what is known of the champion, and its reason.

A trigger alone is not a reason. Performance may be worse because the rows have become harder, which no training changes, and new
rows may teach a model nothing. So the expected gain decides, if something is measured from which it follows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from taxiway.messages import counted, names_text, number_text
from taxiway.monitoring.retraining.evidence import (
    Evidence,
    loss_by_concept_drift,
    loss_since_evaluation,
    performance_text,
)
from taxiway.monitoring.retraining.expected_gain import (
    ExpectedGain,
    Training,
    Trigger,
    TriggerKind,
    gain_after_similar,
    is_similar,
    total_gain_text,
)
from taxiway.monitoring.retraining.learning_curve import Unknown, gain_of_labels
from taxiway.spec.monitor import RetrainingPolicy
from taxiway.spec.monitor.action import Action

_DAY = timedelta(days=1)


class WaitKind(StrEnum):
    """Why a model is not trained again.

    Attributes:
        NO_TRIGGER: There is no trigger.
        COOLDOWN: The last training was too short a time ago.
        BUDGET: There were too many trainings in the period.
        SMALL_GAIN: The expected gain is not worth a training.
    """

    NO_TRIGGER = "no_trigger"
    COOLDOWN = "cooldown"
    BUDGET = "budget"
    SMALL_GAIN = "small_gain"


@dataclass(frozen=True)
class RetrainingDecision:
    """Whether to train again.

    Attributes:
        retrain: Whether to.
        reason: The trigger's kind, or why not.
        message: One sentence with the numbers.
        trigger: The trigger that decided, or the first of those that did not suffice; None if there is none.
        gain: What a training is expected to gain; None if nothing is known about it.
        action: What the training does; None if there is none.
    """

    retrain: bool
    reason: TriggerKind | WaitKind
    message: str
    trigger: Trigger | None = None
    gain: ExpectedGain | None = None
    action: Action | None = None

    def described(self) -> dict[str, Any]:
        """The decision as content for JSON."""
        return {
            "message": self.message,
            "reason": str(self.reason),
            "trigger": self.trigger and self.trigger.described(),
            **({"action": self.action.what} if self.action is not None else {}),
        }


@dataclass(frozen=True)
class _Found:
    """A trigger in the evidence, and what of it shows what a training would gain."""

    trigger: Trigger
    message: str
    gain: ExpectedGain | None = None


def decide(policy: RetrainingPolicy, evidence: Evidence) -> RetrainingDecision:
    """Decide whether to train again.

    The triggers are evaluated in this order: performance, concept drift, age, new labels, drift of inputs. The first whose expected
    gain is at least `min_gain`, or what follows from `costs`, or about whose gain nothing is known, decides. The expected gain is
    the mean of what the last trainings after similar triggers gained. With fewer than three of them, it is the loss of performance,
    which a training can regain at most, or for new labels, what they gain by the learning curve of the last training. Only if the
    whole interval of the latter is below `min_gain`, the trigger does not decide: a training shows what new labels gain, a curve
    only extrapolates it. What the training does is chosen by `choose_action`.

    Args:
        policy: The policy.
        evidence: What is known.
    """
    triggers = list(_triggers(policy, evidence))
    if not triggers:
        history = total_gain_text(evidence.trainings)
        message = f"wait: {history and f'{history}, and '}{performance_text(evidence)}"
        return RetrainingDecision(False, WaitKind.NO_TRIGGER, message)
    first, limit = triggers[0], _limit(policy, evidence)
    if limit is not None:
        return RetrainingDecision(False, limit[0], f"wait: {first.message}, but {limit[1]}", first.trigger)
    small: list[RetrainingDecision] = []
    for found in triggers:
        action, skipped = choose_action(policy.actions, found.trigger, evidence.trainings)
        if found.trigger.kind is TriggerKind.AGE:
            message = f"{action.text}: {found.message}{skipped}"
            return RetrainingDecision(True, TriggerKind.AGE, message, found.trigger, action=action)
        gain, known = _expected_gain(found, policy, evidence, action)
        if gain is None or not gain.is_less(policy.least_gain):
            message = f"{action.text}: {found.message}; {known}{skipped}"
            return RetrainingDecision(True, found.trigger.kind, message, found.trigger, gain, action)
        message = f"wait: {found.message}, but {known}"
        small.append(RetrainingDecision(False, WaitKind.SMALL_GAIN, message, found.trigger, gain))
    return small[0]


def _expected_gain(
    found: _Found, policy: RetrainingPolicy, evidence: Evidence, action: Action
) -> tuple[ExpectedGain | None, str]:
    """What a training is expected to gain, None if that is not known; and what is known about it, for people."""
    gain = gain_after_similar(found.trigger, evidence.trainings, action) or found.gain
    if gain is None and found.trigger.kind is TriggerKind.NEW_LABELS and evidence.curve is not None:
        curve = evidence.curve
        by_curve = curve if isinstance(curve, Unknown) else gain_of_labels(curve, evidence.new_labels, action)
        if isinstance(by_curve, Unknown):
            return (
                None,
                f"nothing is known about what a training gains, and the learning curve of the last one {by_curve.reason}",
            )
        gain = by_curve
    if gain is None:
        return None, "nothing is known about what a training gains"
    if gain.is_less(policy.least_gain):
        return gain, f"{gain.message}, less than the {_worth_text(policy)}"
    if gain.low < policy.least_gain and gain.is_extrapolated:
        return gain, f"{gain.message}, so it may be the {_worth_text(policy)}"
    return gain, gain.message


def _worth_text(policy: RetrainingPolicy) -> str:
    """`0.01 that a training is worth`, with the costs from which it follows."""
    worth = f"{number_text(policy.least_gain)} that a training is worth"
    costs = policy.costs
    if costs is None:
        return worth
    labels = f", {number_text(costs.training)} and {counted(costs.labels, 'label')} at {number_text(costs.label)}"
    return f"{worth}, as it costs {number_text(costs.total)}{labels if costs.labels else ''}"


def choose_action(actions: Sequence[Action], trigger: Trigger, trainings: Sequence[Training]) -> tuple[Action, str]:
    """What a training does for a trigger: the first action that is for it and has not gained nothing; else the last one.

    An action has gained nothing if a run with it for a similar trigger did, or failed, since a training for whatever reason gained
    something.

    Args:
        actions: The actions of the policy.
        trigger: The trigger.
        trainings: The trainings, oldest first.

    Returns:
        The action, and which ones gained nothing, as the end of a sentence; empty if none did.
    """
    better = [at for at, training in enumerate(trainings) if (training.gain or 0.0) > 0]
    since = trainings[better[-1] + 1 :] if better else trainings
    *others, last = [action for action in actions if not action.triggers or trigger.kind in action.triggers]
    skipped: list[str] = []
    for action in others:
        tried = [each for each in since if is_similar(each, trigger, action) and (each.failed or each.gain is not None)]
        if not tried:
            return action, _skipped_text(skipped)
        skipped.append(action.text)
    return last, _skipped_text(skipped)


def _skipped_text(skipped: Sequence[str]) -> str:
    return f"; for such a reason, {' and '.join(skipped)} gained nothing" if skipped else ""


def _triggers(policy: RetrainingPolicy, evidence: Evidence) -> Iterator[_Found]:
    losses = (
        (TriggerKind.PERFORMANCE, loss_since_evaluation),
        (TriggerKind.CONCEPT_DRIFT, loss_by_concept_drift),
    )
    for kind, measure in losses:
        loss = measure(evidence) if kind in policy.triggers else None
        if loss is not None:
            yield _Found(Trigger(kind, loss.gain.value), loss.message, loss.gain)
    age = evidence.at - evidence.trainings[-1].at if evidence.trainings else None
    if policy.max_age is not None and age is not None and age >= policy.max_age:
        yield _Found(Trigger(TriggerKind.AGE, age / _DAY), f"the last training was {_days(age)} ago")
    if policy.new_labels is not None and evidence.new_labels >= policy.new_labels:
        message = f"{counted(evidence.new_labels, 'row')} with a label are new since the last training"
        yield _Found(Trigger(TriggerKind.NEW_LABELS, evidence.new_labels), message)
    if TriggerKind.INPUT_DRIFT in policy.triggers and evidence.drifted:
        message = f"the inputs {names_text(evidence.drifted)} have drifted"
        yield _Found(Trigger(TriggerKind.INPUT_DRIFT, len(evidence.drifted)), message)


def _limit(policy: RetrainingPolicy, evidence: Evidence) -> tuple[WaitKind, str] | None:
    """What forbids a training now, whatever the trigger."""
    if evidence.trainings and evidence.at - evidence.trainings[-1].at < policy.cooldown:
        ago = _days(evidence.at - evidence.trainings[-1].at)
        return WaitKind.COOLDOWN, f"the last training was {ago} ago, less than the cooldown of {_days(policy.cooldown)}"
    within = sum(evidence.at - each.at < policy.period for each in evidence.trainings)
    if within >= policy.max_trainings:
        allowed = f"allowed: {policy.max_trainings} in {_days(policy.period)}"
        return WaitKind.BUDGET, f"the last {_days(policy.period)} had {counted(within, 'training')} ({allowed})"
    return None


def _days(time: timedelta) -> str:
    if time < timedelta(hours=1):
        return counted(max(1, round(time / timedelta(minutes=1))), "minute")
    if time < _DAY:
        return counted(round(time / timedelta(hours=1)), "hour")
    days = round(time / _DAY, 1)
    return f"{number_text(days)} {'day' if days == 1 else 'days'}"
