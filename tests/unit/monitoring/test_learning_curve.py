"""What more rows gain by a learning curve: known curves are found again, and what the points do not determine is not known."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from taxiway.monitoring.retraining import WaitKind, decide
from taxiway.monitoring.retraining.evidence import Evidence
from taxiway.monitoring.retraining.expected_gain import ExpectedGain, Training, Trigger, TriggerKind
from taxiway.monitoring.retraining.learning_curve import MeasuredCurve, Unknown, gain_of_labels, gain_of_rows
from taxiway.records import Interval, LearningCurve
from taxiway.spec.monitor import RetrainingPolicy
from taxiway.spec.monitor.action import RETRAIN_AS_BEFORE, WARM_START, Action, Rehearsal

ROWS, LEARNED = 100_000, 80_000
NOW = datetime(2026, 6, 1, tzinfo=UTC)
POLICY = RetrainingPolicy(min_gain=0.01, new_labels=1_000, learning_curve=True)


def sizes(count: int = 6) -> tuple[int, ...]:
    return tuple(LEARNED >> times for times in reversed(range(count)))


def covariances(of: Sequence[int], error: float) -> "NDArray[np.float64]":
    """Errors that all values share, and errors of which values of neighbouring sizes share most."""
    own = error**2 / np.sqrt(np.array(of) / of[0])
    steps = np.cumsum(own[::-1])[::-1]
    return 9 * error**2 + np.minimum.outer(steps, steps)


def curve(
    exponent: float,
    factor: float,
    error: float = 0.0005,
    *,
    rng: np.random.Generator | None = None,
    count: int = 6,
    scatter: float = 0.0,
) -> LearningCurve:
    """A curve with the area 0.75 - factor for `ROWS` rows; with `rng`, its values have errors.

    `scatter` is what the sample of training rows adds to the errors, as a share of the distance from 0.75.
    """
    of = sizes(count)
    distance = factor * (np.array(of) / ROWS) ** -exponent
    between, values = covariances(of, error), 0.75 - distance
    if rng is not None:
        values = values + rng.multivariate_normal(np.zeros(count), between) + scatter * distance * rng.normal(size=count)
    return LearningCurve(
        features="f" * 32,
        metric="roc_auc",
        rows=ROWS,
        held_out=20_000,
        sizes=of,
        values=tuple(float(value) for value in values),
        covariances=tuple(tuple(float(each) for each in row) for row in between),
    )


def known(gain: ExpectedGain | Unknown) -> ExpectedGain:
    assert isinstance(gain, ExpectedGain), gain
    return gain


@pytest.mark.parametrize(
    ("exponent", "factor", "error", "scatter"),
    [
        (0.3, 0.02, 0.0005, 0.0),
        (0.3, 0.02, 0.00005, 0.1),
        (1.0, 0.002, 0.0002, 0.1),
        (0.1, 0.1, 0.0005, 0.02),
        (1.0, 0.0, 0.0005, 0.0),
    ],
)
def test_the_interval_contains_the_gain_of_a_known_curve(exponent: float, factor: float, error: float, scatter: float) -> None:
    rng, more = np.random.default_rng(17), 28_000
    true = factor * (1 - (1 + more / ROWS) ** -exponent)
    found = [known(gain_of_rows(curve(exponent, factor, error, rng=rng, scatter=scatter), more)) for _ in range(100)]
    assert sum(gain.low <= true <= gain.high for gain in found) >= 95
    assert np.median([gain.value for gain in found]) == pytest.approx(true, abs=0.0003)


@given(st.floats(0.06, 1.5), st.floats(0.0005, 0.1), st.integers(1, 100_000))
def test_a_curve_without_errors_is_found_again(exponent: float, factor: float, more: int) -> None:
    gain = known(gain_of_rows(curve(exponent, factor, 0.0001), more))
    true = factor * (1 - (1 + more / ROWS) ** -exponent)
    assert gain.value == pytest.approx(true, rel=0.02, abs=3e-6)
    assert gain.low * 0.99 <= true <= gain.high * 1.01, "many exponents are tried, but not all"


@given(st.integers(0, 2**32 - 1), st.integers(1, 100_000), st.integers(1, 100_000))
def test_more_rows_gain_more_and_never_less_than_nothing(seed: int, rows: int, others: int) -> None:
    """Also of values that are only noise."""
    noise = curve(0.5, 0.0, 0.01, rng=np.random.default_rng(seed))
    less, more = (known(gain_of_rows(noise, each)) for each in sorted((rows, others)))
    for name in ("value", "low", "high"):
        assert 0 <= getattr(less, name) <= getattr(more, name) + 1e-12
    for gain in (less, more):
        assert gain.low <= gain.value <= gain.high <= 1 - noise.values[-1]


@given(st.integers(0, 2**32 - 1))
def test_a_higher_confidence_makes_the_interval_wider(seed: int) -> None:
    of = curve(0.3, 0.02, rng=np.random.default_rng(seed))
    narrow, wide = (known(gain_of_rows(of, 20_000, confidence)) for confidence in (0.8, 0.99))
    assert wide.low <= narrow.low <= narrow.value <= narrow.high <= wide.high
    assert narrow.value == wide.value


def test_lower_errors_are_gains() -> None:
    up = curve(0.5, 0.02)
    down = up.model_copy(update={"metric": "brier", "values": tuple(1 - value for value in up.values)})
    of_down, of_up = (known(gain_of_rows(each, 20_000)) for each in (down, up))
    assert (of_down.value, of_down.low, of_down.high) == pytest.approx((of_up.value, of_up.low, of_up.high))


def test_models_that_predict_the_same_gain_nothing() -> None:
    same = curve(0.5, 0.0).model_copy(update={"covariances": ((0.0001,) * 6,) * 6})
    gain = known(gain_of_rows(same, 50_000))
    assert (gain.value, gain.low) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    assert gain.high < 0.0001


def test_what_the_points_do_not_determine_is_not_known() -> None:
    assert gain_of_rows(curve(0.5, 0.02, count=3), 1_000) == Unknown("has 3 sizes, and at least 4 are needed")
    far = gain_of_rows(curve(0.5, 0.02), 300_000)
    assert far == Unknown("was measured with up to 80,000 rows, too few to follow it to 400,000")
    four = known(gain_of_rows(curve(0.3, 0.02, rng=np.random.default_rng(1), count=4), 28_000))
    six = known(gain_of_rows(curve(0.3, 0.02, rng=np.random.default_rng(1)), 28_000))
    assert four.high - four.low > six.high - six.low


def evidence(of: LearningCurve, new_labels: int = 28_000, *gains: float) -> Evidence:
    reasons = (
        Training(NOW - timedelta(days=40 + at), Trigger(TriggerKind.NEW_LABELS, new_labels), gain)
        for at, gain in enumerate(gains)
    )
    return Evidence(
        at=NOW,
        metric="roc_auc",
        reference=Interval(value=0.73, low=0.72, high=0.74, rows=5_000),
        realised=Interval(value=0.73, low=0.72, high=0.74, rows=5_000),
        trainings=[*reasons, Training(NOW - timedelta(days=30))],
        new_labels=new_labels,
        curve=MeasuredCurve(of, "all", spans=12, has_all_spans=True),
    )


def test_new_labels_from_which_a_training_would_gain_too_little_wait() -> None:
    found = decide(POLICY, evidence(curve(0.3, 0.02)))
    assert found.message == (
        "wait: 28,000 rows with a label are new since the last training, but by the learning curve of the last training, they gain "
        "0.0014 (0.0012 to 0.0017), less than the 0.01 that a training is worth"
    )
    assert found.reason is WaitKind.SMALL_GAIN


def test_new_labels_from_which_a_training_would_gain_enough_are_a_reason() -> None:
    policy = POLICY.model_copy(update={"min_gain": 0.001})
    found = decide(policy, evidence(curve(0.3, 0.02)))
    assert found.message == (
        "retrain: 28,000 rows with a label are new since the last training; by the learning curve of the last training, they gain "
        "0.0014 (0.0012 to 0.0017)"
    )
    assert found.gain is not None
    assert found.gain.is_extrapolated


def test_a_curve_that_leaves_the_gain_open_does_not_prevent_a_training() -> None:
    policy = POLICY.model_copy(update={"min_gain": 0.0016})
    found = decide(policy, evidence(curve(0.3, 0.02)))
    assert found.retrain
    assert found.message.endswith("gain 0.0014 (0.0012 to 0.0017), so it may be the 0.0016 that a training is worth")


def test_what_trainings_gained_counts_before_the_curve() -> None:
    policy = POLICY.model_copy(update={"min_gain": 0.001})
    assert decide(policy, evidence(curve(0.3, 0.02), 28_000, 0.0, 0.0)).retrain, "two trainings are too few"
    found = decide(policy, evidence(curve(0.3, 0.02), 28_000, 0.0, 0.0, 0.0))
    assert found.message.endswith(
        "but the last 3 trainings for such a reason gained 0.000 (0.000 to 0.000) on average, less than the 0.001 that a training is worth"
    )
    assert decide(POLICY, evidence(curve(0.3, 0.02), 28_000, 0.02, 0.02, 0.02)).retrain, "the curve expects less"


def test_an_unknown_gain_says_why() -> None:
    assert decide(POLICY, evidence(curve(0.3, 0.02), 300_000)).message == (
        "retrain: 300,000 rows with a label are new since the last training; nothing is known about what a training gains, and the "
        "learning curve of the last one was measured with up to 80,000 rows, too few to follow it to 400,000"
    )


def test_the_curve_counts_only_if_the_training_gets_more_rows() -> None:
    of = MeasuredCurve(curve(0.3, 0.02), "all", spans=12, has_all_spans=True)
    assert isinstance(gain_of_labels(of, 1_000, RETRAIN_AS_BEFORE), ExpectedGain)
    assert isinstance(gain_of_labels(replace(of, window=12), 1_000, Action(action="retrain", window="all")), ExpectedGain)
    others = {
        "12 spans: other rows, but not more": (replace(of, window=12), RETRAIN_AS_BEFORE),
        "the same spans: other rows, but not more": (replace(of, window=None), RETRAIN_AS_BEFORE),
        "3 spans: other rows, but not more": (of, Action(action="retrain", window=3)),
        "it is not known how many more rows a training has": (
            replace(of, has_all_spans=False),
            Action(action="retrain", window="all"),
        ),
    }
    for message, (measured, action) in others.items():
        unknown = gain_of_labels(measured, 1_000, action)
        assert isinstance(unknown, Unknown)
        assert unknown.reason.endswith(message)
    for action in (WARM_START, Action(action="recalibrate"), Action(action="retrain", rehearsal=Rehearsal(rows=100))):
        assert isinstance(gain_of_labels(of, 1_000, action), Unknown)


def test_only_rows_that_a_training_gets_count() -> None:
    """A curve that is followed to all labelled rows promises the gain of ten times as many as `sample` lets a training read."""
    action = Action(action="retrain", window="all")
    of = MeasuredCurve(curve(0.3, 0.02), "all", spans=12, has_all_spans=True)
    part, whole = known(gain_of_labels(replace(of, share=0.08), 350_000, action)), known(gain_of_labels(of, 28_000, action))
    assert (part.value, part.low, part.high) == (whole.value, whole.low, whole.high)
    assert part.message == (
        "by the learning curve of the last training, the 28,000 of them that are trained on gain 0.0014 (0.0012 to 0.0017)"
    )
    filtered = gain_of_labels(replace(of, is_filtered=True), 28_000, action)
    assert isinstance(filtered, Unknown)
    assert "source.rows leaves rows out" in filtered.reason


def test_the_curve_of_a_real_training_problem_predicts_what_more_rows_gain() -> None:
    """The excess squared error of a regression by least squares with d inputs is d / n, a power law with the exponent 1."""
    inputs, rng = 40, np.random.default_rng(3)
    truth = rng.normal(size=inputs)

    def rows(count: int) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        matrix = rng.normal(size=(count, inputs))
        return matrix, matrix @ truth + rng.normal(size=count)

    inside = 0
    for _ in range(40):
        matrix, labels = rows(2_000)
        held, held_labels = rows(2_000)
        losses = np.array(
            [
                (held @ np.linalg.lstsq(matrix[:size], labels[:size])[0] - held_labels) ** 2
                for size in (125, 250, 500, 1000, 2000)
            ]
        )
        means = losses.mean(axis=1)
        measured = LearningCurve(
            features="f" * 32,
            metric="log_loss",  # any metric without an upper limit, of which lower values are better
            rows=2_000,
            held_out=2_000,
            sizes=(125, 250, 500, 1000, 2000),
            values=tuple(float(mean) for mean in means),
            covariances=tuple(tuple(float(each) for each in row) for row in np.cov(losses) / 2_000),
        )
        gain = known(gain_of_rows(measured, 2_000))
        inside += gain.low <= inputs / 2_000 - inputs / 4_000 <= gain.high
    assert inside >= 36
    assert math.isfinite(gain.high)
