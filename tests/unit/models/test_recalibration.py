"""Recalibration: it contains the map that changes nothing, undoes known distortions, and keeps rows independent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from helping import examples
from taxiway.errors import DataError
from taxiway.models.recalibration import by_knots, compare_isotonic, fit_knots, fit_lines, recalibrated

RNG = np.random.default_rng(5)
TRUTH = RNG.uniform(0.02, 0.98, size=20_000)
LABELS = (RNG.uniform(size=20_000) < TRUTH).astype(float)


def two(probabilities: np.ndarray) -> np.ndarray:
    return np.stack([1 - probabilities, probabilities], axis=1)


def test_good_probabilities_stay() -> None:
    ((slope, intercept),) = fit_lines(two(TRUTH), LABELS, ["no", "yes"])
    assert (slope, intercept) == (pytest.approx(1, abs=0.04), pytest.approx(0, abs=0.04))


def test_a_distortion_on_the_scale_of_log_odds_is_undone() -> None:
    values = two(expit((logit(TRUTH) - 1.2) / 0.5))
    found = recalibrated(values, fit_lines(values, LABELS, ["no", "yes"]))
    assert np.abs(found[:, 1] - TRUTH).max() < 0.02


def test_probabilities_of_more_classes_add_up_to_1_and_become_better() -> None:
    truth = RNG.dirichlet([1, 1, 1], size=20_000)
    labels = (truth.cumsum(axis=1) < RNG.uniform(size=(20_000, 1))).sum(axis=1).astype(float)
    values = truth**2 / (truth**2).sum(axis=1, keepdims=True)  # too sure
    found = recalibrated(values, fit_lines(values, labels, ["a", "b", "c"]))
    one_hot = np.eye(3)[labels.astype(int)]
    before, after, best = (((each - one_hot) ** 2).sum(axis=1).mean() for each in (values, found, truth))
    assert found.sum(axis=1) == pytest.approx(1)
    assert after - best < 0.2 * (before - best)


def test_certain_and_constant_predictions_have_finite_lines() -> None:
    for values in (two(LABELS), two(np.full(len(LABELS), 0.3)), two(np.zeros(len(LABELS)))):
        lines = fit_lines(values, LABELS, ["no", "yes"])
        assert np.isfinite(recalibrated(values, lines)).all()
    ((slope, intercept),) = fit_lines(np.full(10, 2.0), np.arange(10.0), [])
    assert (slope, intercept) == (1, 2.5)


def test_numbers_get_the_line_of_least_squares() -> None:
    values = RNG.normal(size=1_000)
    assert fit_lines(values, 3 * values - 7, []) == (pytest.approx((3, -7)),)


def test_too_few_rows_of_a_class_are_refused() -> None:
    with pytest.raises(DataError, match=r'4 rows of the class "yes" are new to the champion.*at least 5 of each class'):
        fit_lines(two(TRUTH[:10]), np.array([0] * 6 + [1] * 4), ["no", "yes"])
    with pytest.raises(DataError, match=r"0 rows of the class \"yes\" are new"):
        fit_lines(two(TRUTH[:10]), np.zeros(10), ["no", "yes"])
    with pytest.raises(DataError, match=r"1 row with a label is new to the champion"):
        fit_lines(np.ones(1), np.ones(1), [])


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(np.where(labels == 1, probabilities[:, 1], probabilities[:, 0])).mean())


def capped(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of which all above 0.5 are the same in truth, which is no line on any scale; and labels."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.02, 0.98, size=rows)
    return two(values), (rng.uniform(size=rows) < np.minimum(values, 0.5)).astype(float)


def test_isotonic_regression_is_used_if_it_predicts_held_out_rows_better() -> None:
    values, labels = capped(4_000, 1)
    found = compare_isotonic(values, labels)
    assert found is not None
    assert found.is_isotonic_better
    others, truth = capped(50_000, 2)
    by_line = log_loss(recalibrated(others, fit_lines(values, labels, ["no", "yes"])), truth)
    by_isotonic = log_loss(by_knots(others, fit_knots(values, labels)), truth)
    assert by_isotonic < by_line - 0.005
    assert (found.line, found.isotonic) == (pytest.approx(by_line, abs=0.02), pytest.approx(by_isotonic, abs=0.02))


def test_the_line_is_kept_if_it_is_right() -> None:
    """Of 20 samples with a distortion that a line undoes, isotonic regression is chosen for few."""
    chosen = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(0.02, 0.98, size=2_000)
        labels = (rng.uniform(size=2_000) < truth).astype(float)
        found = compare_isotonic(two(expit(logit(truth) * 2 - 1)), labels)
        assert found is not None
        chosen += found.is_isotonic_better
    assert chosen <= 2


def test_one_row_of_which_a_line_is_certain_and_wrong_does_not_make_its_loss_infinite() -> None:
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=2_000)
    labels = (log_odds > 0).astype(float)
    log_odds[0], labels[0] = 13.0, 0.0
    found = compare_isotonic(two(expit(log_odds / 2)), labels)
    assert found is not None
    assert np.isfinite([found.line, found.isotonic, found.error]).all()


def test_few_rows_get_no_isotonic_regression() -> None:
    values, labels = capped(1_000, 3)
    assert compare_isotonic(values[:999], labels[:999]) is None
    assert compare_isotonic(values, labels) is not None
    rare = (np.arange(1_000) < 99).astype(float)
    assert compare_isotonic(values, rare) is None
    assert compare_isotonic(values, 1 - rare) is None


@examples(50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40), st.lists(st.floats(0, 1), min_size=1))
def test_isotonic_regression_keeps_the_order_and_is_never_certain(rows: list[tuple[float, bool]], others: list[float]) -> None:
    labels = np.array([label for _, label in rows], dtype=float)
    knots = fit_knots(two(np.array([value for value, _ in rows])), labels)
    probabilities = two(np.sort(np.array(others)))
    found = by_knots(probabilities, knots)
    least = 1 / (len(rows) + 2)
    assert (np.diff(found[:, 1]) >= 0).all()
    assert found.min() >= least * (1 - 1e-9)
    assert found.sum(axis=1) == pytest.approx(1)
    alone = np.concatenate([by_knots(probabilities[at : at + 1], knots) for at in range(len(others))])
    assert found.tolist() == alone.tolist(), "a row does not depend on the others"


@examples(50)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.floats(0.1, 5), st.floats(-5, 5))
def test_the_order_stays_and_a_row_does_not_depend_on_the_others(values: list[float], slope: float, intercept: float) -> None:
    probabilities = np.sort(np.array(values))
    found = recalibrated(two(probabilities), [[slope, intercept]])[:, 1]
    assert (np.diff(found) >= 0).all()
    alone = [recalibrated(two(probabilities[at : at + 1]), [[slope, intercept]])[0, 1] for at in range(len(values))]
    assert found == pytest.approx(alone)
