"""When a model is trained again, what people are told, and that no series of evidence exceeds the cooldown and the budget."""

import itertools
import runpy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from helping import examples
from taxiway.monitoring.retraining import WaitKind, decide
from taxiway.monitoring.retraining.evidence import Evidence
from taxiway.monitoring.retraining.expected_gain import Training, Trigger, TriggerKind
from taxiway.records import Interval
from taxiway.spec.monitor import RetrainingPolicy
from taxiway.spec.monitor.action import Action

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = RetrainingPolicy(min_gain=0.01)
TRIGGERS = ("performance", "concept_drift", "input_drift")
ALL = RetrainingPolicy(min_gain=0.01, triggers=TRIGGERS, new_labels=1_000, max_age=90 * DAY)


def interval(value: float, margin: float = 0.01) -> Interval:
    return Interval(value=value, low=value - margin, high=value + margin, rows=5_000)


def trainings(kind: TriggerKind, size: float, *gains: float) -> tuple[Training, ...]:
    """Trainings for one reason, the newest 20 days ago."""
    days = range(20 * len(gains), 0, -20)
    return tuple(Training(NOW - day * DAY, Trigger(kind, size), gain) for day, gain in zip(days, gains, strict=True))


SAME = Evidence(
    at=NOW, metric="accuracy", reference=interval(0.84), trainings=(Training(NOW - 20 * DAY),), realised=interval(0.845)
)
WORSE = replace(SAME, realised=interval(0.782, 0.013))
LABELS = replace(SAME, new_labels=1_200)


def test_a_clear_loss_of_performance_is_a_reason() -> None:
    found = decide(POLICY, WORSE)
    assert found.message == (
        "retrain: the realised accuracy 0.782 (0.769 to 0.795) is below the 0.840 (0.830 to 0.850) of the evaluation rows; "
        "a training can regain up to 0.058 (0.042 to 0.074)"
    )
    assert (found.retrain, found.reason, found.trigger) == (
        True,
        "performance",
        Trigger(TriggerKind.PERFORMANCE, pytest.approx(0.058)),
    )


def test_numbers_that_decide_read_differently() -> None:
    evidence = replace(SAME, reference=interval(0.84, 0.0001), realised=interval(0.8397, 0.0001))
    assert (
        "0.8397 (0.8396 to 0.8398) is below the 0.8400 (0.8399 to 0.8401)"
        in decide(POLICY.model_copy(update={"min_gain": 0}), evidence).message
    )


def test_without_a_reason_the_sentence_says_what_is_known() -> None:
    history = trainings(TriggerKind.AGE, 90, 0.001, 0.0, 0.001)
    assert decide(ALL, replace(SAME, trainings=history)).message == (
        "wait: 3 trainings gained 0.002 in total, and the realised accuracy 0.845 (0.835 to 0.855) is above "
        "the 0.840 (0.830 to 0.850) of the evaluation rows"
    )
    assert decide(ALL, replace(SAME, realised=None)).message == "wait: accuracy is not known in the newest window"


def test_realised_performance_below_the_estimate_of_the_same_rows_is_concept_drift() -> None:
    evidence = replace(SAME, reference=interval(0.75), realised=interval(0.76), estimated=interval(0.8))
    found = decide(POLICY, evidence)
    assert found.message == (
        "retrain: the realised accuracy 0.760 (0.750 to 0.770) is below the 0.800 (0.790 to 0.810) that was estimated for "
        "the same rows; a training can regain up to 0.040 (0.030 to 0.050)"
    )
    assert not decide(POLICY.model_copy(update={"triggers": ("performance",)}), evidence).retrain


def test_the_estimate_decides_without_labels() -> None:
    found = decide(POLICY, replace(WORSE, realised=None, estimated=WORSE.realised))
    assert found.retrain
    assert "the estimated accuracy 0.782" in found.message


def test_an_error_is_worse_if_it_is_higher() -> None:
    evidence = replace(SAME, metric="mae", reference=interval(12.0, 1), realised=interval(15.0, 1))
    assert "is above" in decide(POLICY, evidence).message
    assert not decide(POLICY, replace(evidence, realised=interval(9.0, 1))).retrain


def test_a_loss_that_trainings_never_regained_is_no_reason() -> None:
    found = decide(POLICY, replace(WORSE, trainings=trainings(TriggerKind.PERFORMANCE, 0.05, 0.002, 0.0, 0.004)))
    assert found.message == (
        "wait: the realised accuracy 0.782 (0.769 to 0.795) is below the 0.840 (0.830 to 0.850) of the evaluation rows, but "
        "the last 3 trainings for such a reason gained 0.002 (-0.003 to 0.007) on average, "
        "less than the 0.01 that a training is worth"
    )
    assert found.reason is WaitKind.SMALL_GAIN


def test_what_a_training_costs_says_what_it_must_gain() -> None:
    costs = {"training": 40, "labels": 2000, "label": 0.05, "value": 50_000}
    policy = RetrainingPolicy.model_validate({"costs": costs})
    assert policy.least_gain == pytest.approx(0.0028)
    assert decide(policy, WORSE).retrain
    dear = RetrainingPolicy.model_validate({"costs": {**costs, "value": 500}})
    found = decide(dear, WORSE)
    assert found.reason is WaitKind.SMALL_GAIN
    assert found.message.endswith("less than the 0.28 that a training is worth, as it costs 140, 40 and 2,000 labels at 0.05")
    without = RetrainingPolicy.model_validate({"costs": {"training": 140, "value": 500}})
    assert decide(without, WORSE).message.endswith("less than the 0.28 that a training is worth, as it costs 140")


@pytest.mark.parametrize("given", [{}, {"min_gain": 0.1, "costs": {"training": 1, "value": 1}}])
def test_a_policy_has_the_gain_or_the_costs(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give one of min_gain, the gain that is worth a training, and costs"):
        RetrainingPolicy.model_validate(given)


def test_a_learning_curve_is_measured_for_new_labels() -> None:
    with pytest.raises(ValidationError, match="add new_labels, how many of them are a reason, or remove learning_curve"):
        RetrainingPolicy(min_gain=0.1, learning_curve=True)


def test_a_loss_twice_as_large_as_those_before_is_a_new_situation() -> None:
    history = trainings(TriggerKind.PERFORMANCE, 0.028, 0.0, 0.0, 0.0)
    assert decide(POLICY, replace(WORSE, trainings=history)).retrain


def test_other_reasons_say_nothing_about_this_one() -> None:
    assert decide(POLICY, replace(WORSE, trainings=trainings(TriggerKind.AGE, 90, 0.0, 0.0, 0.0))).retrain


def test_new_labels_are_a_reason_until_they_have_gained_nothing() -> None:
    found = decide(ALL, LABELS)
    assert found.message == (
        "retrain: 1,200 rows with a label are new since the last training; nothing is known about what a training gains"
    )
    assert (
        decide(ALL, replace(LABELS, trainings=trainings(TriggerKind.NEW_LABELS, 1_000, 0.0, 0.0, 0.0))).reason == "small_gain"
    )


def test_drift_of_inputs_is_a_reason_only_if_the_policy_says_so() -> None:
    evidence = replace(SAME, drifted=("carrier", "distance"))
    assert decide(ALL, evidence).message.startswith("retrain: the inputs carrier, distance have drifted")
    assert decide(POLICY, evidence).reason is WaitKind.NO_TRIGGER


def test_age_is_a_reason_whatever_trainings_gained() -> None:
    history = tuple(replace(each, at=each.at - 80 * DAY) for each in trainings(TriggerKind.AGE, 90, 0.0, 0.0, 0.0))
    assert decide(ALL, replace(SAME, trainings=history)).message == "retrain: the last training was 100 days ago"


def test_cooldown_and_budget_say_until_when_they_forbid_a_training() -> None:
    soon = decide(POLICY, replace(WORSE, trainings=(Training(NOW - DAY),)))
    assert soon.message.endswith(
        "of the evaluation rows, but the last training was 1 day ago, less than the cooldown of 7 days"
    )
    often = decide(POLICY, replace(WORSE, trainings=tuple(Training(NOW - day * DAY) for day in (28, 21, 14, 8))))
    assert often.message.endswith("but the last 30 days had 4 trainings (allowed: 4 in 30 days)")
    assert (soon.reason, often.reason) == (WaitKind.COOLDOWN, WaitKind.BUDGET)


RECALIBRATE, WARM, ANEW = (
    Action(action="recalibrate", triggers=("performance",)),
    Action(action="warm_start"),
    Action(action="retrain", window="all"),
)
RANKED = RetrainingPolicy(min_gain=0.01, new_labels=1_000, actions=(RECALIBRATE, WARM, ANEW))


def done(*runs: tuple[Action, float | None], kind: TriggerKind = TriggerKind.PERFORMANCE) -> tuple[Training, ...]:
    """Trainings for one reason that did an action and gained so much, the newest 20 days ago."""
    days = range(20 * len(runs), 0, -20)
    return tuple(
        Training(NOW - day * DAY, Trigger(kind, 0.058), gain, action) for day, (action, gain) in zip(days, runs, strict=True)
    )


def test_the_first_action_for_the_trigger_is_done() -> None:
    found = decide(RANKED, WORSE)
    assert (found.action, found.message.partition(":")[0]) == (RECALIBRATE, "recalibrate")
    assert found.described()["action"] == {"action": "recalibrate"}, "the triggers do not matter to the run"
    found = decide(RANKED, LABELS)
    assert (found.action, found.message.partition(":")[0]) == (WARM, "warm start")
    assert "action" not in decide(RANKED, SAME).described()


def test_an_action_that_gained_nothing_gives_way_to_the_next() -> None:
    found = decide(RANKED, replace(WORSE, trainings=done((RECALIBRATE, 0.0))))
    assert found.action == WARM
    assert found.message.endswith("(0.042 to 0.074); for such a reason, recalibrate gained nothing")
    found = decide(RANKED, replace(WORSE, trainings=done((RECALIBRATE, 0.0), (WARM, 0.0))))
    assert (found.action, found.message.partition(":")[0]) == (ANEW, "retrain on all spans")
    assert found.message.endswith("; for such a reason, recalibrate and warm start gained nothing")
    assert decide(RANKED, replace(WORSE, trainings=done((RECALIBRATE, 0.0), (WARM, 0.0), (ANEW, 0.0)))).action == ANEW


def test_an_action_that_fails_gives_way_to_the_next() -> None:
    """Such as a recalibration on rows with a new class, which would fail again and again."""
    failed = [replace(each, failed=True) for each in done((RECALIBRATE, None))]
    assert decide(RANKED, replace(WORSE, trainings=failed)).action == WARM


def test_an_action_is_tried_again_after_another_training_gained_something() -> None:
    for history in (
        done((RECALIBRATE, 0.0), (WARM, 0.02)),
        done((RECALIBRATE, None)),
        done((RECALIBRATE, 0.0), kind=TriggerKind.CONCEPT_DRIFT),
    ):
        assert decide(RANKED, replace(WORSE, trainings=history)).action == RECALIBRATE


def test_what_one_action_gained_says_nothing_about_another() -> None:
    nothing = done((WARM, 0.0), (WARM, 0.0), (WARM, 0.0))
    assert decide(RANKED, replace(WORSE, trainings=nothing)).retrain
    only = RANKED.model_copy(update={"actions": (WARM,)})
    assert decide(only, replace(WORSE, trainings=nothing)).reason is WaitKind.SMALL_GAIN


def test_the_guide_shows_what_its_example_prints(capsys: pytest.CaptureFixture[str]) -> None:
    docs = Path(__file__).parents[3] / "docs"
    runpy.run_path(str(docs / "examples" / "retraining.py"))
    assert f"```\n{capsys.readouterr().out}```" in (docs / "guides" / "monitoring.md").read_text()


accuracies = st.floats(0, 1).map(interval)
evidences = st.builds(
    replace,
    st.just(SAME),
    reference=accuracies,
    realised=st.none() | accuracies,
    estimated=st.none() | accuracies,
    drifted=st.lists(st.sampled_from("abc"), unique=True),
    new_labels=st.integers(0, 10_000),
)
steps = st.lists(st.tuples(evidences, st.timedeltas(timedelta(), 40 * DAY), st.floats(-0.1, 0.1)), max_size=60)
policies = st.builds(
    RetrainingPolicy,
    min_gain=st.floats(0, 0.1),
    triggers=st.lists(st.sampled_from(TRIGGERS), min_size=1, unique=True),
    new_labels=st.none() | st.integers(1, 10_000),
    max_age=st.none() | st.timedeltas(timedelta(seconds=1), 60 * DAY),
    cooldown=st.timedeltas(timedelta(), 20 * DAY),
    max_trainings=st.integers(1, 5),
    period=st.timedeltas(timedelta(seconds=1), 90 * DAY),
)


@examples(200)
@given(policies, steps)
def test_no_series_of_evidence_exceeds_the_cooldown_or_the_budget(policy: RetrainingPolicy, series: list[object]) -> None:
    now, done = NOW, []
    for evidence, passed, gain in series:  # type: ignore[misc]
        now += passed
        found = decide(policy, replace(evidence, at=now, trainings=tuple(done)))
        assert found.retrain == isinstance(found.reason, TriggerKind)
        assert found.message.startswith("retrain: " if found.retrain else "wait: ")
        if found.retrain:
            done.append(Training(now, found.trigger, gain))
    times = [each.at for each in done]
    assert all(later - earlier >= policy.cooldown for earlier, later in itertools.pairwise(times))
    for start in times:
        assert sum(start <= at < start + policy.period for at in times) <= policy.max_trainings
