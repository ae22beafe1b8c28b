"""Outlier scores: which rows are outliers, why, and that windows without a change rarely have too many."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from taxiway.monitoring.outliers.detectors import Ecod, Method
from taxiway.monitoring.outliers.scores import OutlierScores

METHODS: tuple[Method, ...] = ("ecod", "isolation_forest")


def rows(number: int, seed: int, **change: Any) -> pd.DataFrame:
    """Five columns of numbers, one of them often missing, and three of categories."""
    rng = np.random.default_rng(seed)
    made = {f"n{at}": rng.normal(size=number) for at in range(5)}
    made["n4"][rng.random(number) < 0.2] = np.nan
    texts = {f"c{at}": rng.choice(list("abcd"), number, p=[0.4, 0.3, 0.29, 0.01]) for at in range(3)}
    frame = pd.DataFrame({**made, **{name: pd.Series(cells, dtype="object") for name, cells in texts.items()}})
    for name, value in change.items():
        frame[name] = pd.Series([value] * number, dtype="float64" if name.startswith("n") else "object")
    return frame


@pytest.mark.parametrize("method", METHODS)
def test_rows_with_several_extreme_inputs_are_outliers_because_of_them(method: Method) -> None:
    scores = OutlierScores(rows(5000, 0), method)
    after = rows(500, 1, n0=1e9, n1=-1e9, c0="new")
    found = scores.scores(after)
    assert (found > scores.threshold).mean() > 0.95
    changed = {"n0", "n1", "c0"}
    assert all(len(changed.intersection(reasons)) >= (3 if method == "ecod" else 2) for reasons in scores.reasons(after[:5]))
    assert scores.share(found).too_many
    assert scores.tail(float(found.max())) == 0


def test_a_missing_number_is_as_extreme_as_it_is_rare() -> None:
    scores = OutlierScores(rows(5000, 0), "ecod")
    often, never = (float(np.median(scores.scores(rows(500, 1, **{name: np.nan})))) for name in ("n4", "n3"))
    assert never > often + 4
    assert scores.reasons(rows(1, 1, n3=np.nan)) == [("n3", *scores.reasons(rows(1, 1, n3=np.nan))[0][1:])]


@pytest.mark.parametrize("method", METHODS)
def test_the_score_of_a_row_does_not_depend_on_the_others(method: Method) -> None:
    scores, after = OutlierScores(rows(1000, 0), method), rows(300, 1)
    together = scores.scores(after)
    alone = [float(scores.scores(after[at : at + 1])[0]) for at in range(0, 300, 50)]
    assert together[::50].tolist() == alone


def test_the_score_is_the_sum_of_logarithms_of_shares() -> None:
    reference = np.array([[0.0, 1.0], [1.0, np.nan], [2.0, 3.0]])
    found = Ecod(reference).scores(np.array([[1.0, 1.0], [-5.0, np.nan], [2.0, 9.0]]))
    expected = -np.log((np.array([[2, 1], [0, 1], [1, 0]]) + 0.5) / 4).sum(axis=1)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(("method", "times"), [("ecod", 200), ("isolation_forest", 10)])
def test_windows_without_a_change_rarely_have_more_outliers(method: Method, times: int) -> None:
    """The p-values of windows of the same distribution are not smaller than they say, for few and for many reference rows."""
    found = []
    for seed in range(times):
        scores = OutlierScores(rows((200, 1000)[seed % 2], 2 * seed), method)
        found.append(scores.share(scores.scores(rows(400, 2 * seed + 1))))
    for level in (0.05, 0.2):
        most = times * level + 3 * np.sqrt(times * level)
        assert sum(each.p_value <= level for each in found) <= most
    assert not any(each.too_many for each in found)
    inside = sum(each.share.low <= each.usual <= each.share.high for each in found)
    assert inside > 0.6 * times, "the threshold of few reference rows is not exact"


def test_as_many_as_by_chance_are_not_too_many_and_more_are() -> None:
    scores = OutlierScores(rows(4000, 0), "ecod")
    most = scores.share(np.full(1000, scores.threshold)).by_chance
    edge = round(most * 1000)
    low, high = scores.threshold - 1, scores.threshold + 1

    def share(count: int) -> Any:
        return scores.share(np.array([high] * count + [low] * (1000 - count)))

    assert (share(edge).too_many, share(edge + 1).too_many) == (False, True)
    assert share(0).p_value == pytest.approx(1)


def test_a_column_without_values_or_with_one_value_is_scored() -> None:
    before = rows(500, 0, n0=np.nan, n1=7.0, c0=None, c1="a")
    for method in METHODS:
        scores = OutlierScores(before, method)
        assert np.isfinite(scores.scores(rows(100, 1))).all()
        if method == "ecod":  # a forest does not cut columns without different values
            assert np.median(scores.scores(rows(100, 1))) > float(np.median(scores.scores(before))) + 10
