"""Drift of inputs: hardly any alert without a change, and the changes that must be found."""

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitoring.drifting import found, made, p_values_of, replaced

from helping import examples, rounds
from taxiway.monitoring.drift import COLUMN_FALSE_ALERTS, SMALLEST_CHANGE, categorical_change, drifted, numeric_change

ROWS = 2000


def fisher(before: int, after: int, rows: tuple[int, int]) -> float:
    """Twice the smaller tail of the hypergeometric distribution, by its definition."""
    marked, total = before + after, sum(rows)
    possible = range(max(0, marked - rows[1]), min(marked, rows[0]) + 1)
    weights = {count: math.comb(rows[0], count) * math.comb(rows[1], marked - count) for count in possible}
    tails = (sum(weight for count, weight in weights.items() if compare(count)) for compare in (before.__ge__, before.__le__))
    return min(1.0, 2 * min(tails) / math.comb(total, marked))


def test_a_p_value_is_that_of_fisher_for_each_share() -> None:
    before, after = (
        np.array(["a"] * 30 + ["b"] * 50, dtype=object),
        np.array(["a"] * 70 + ["b"] * 40 + [None] * 10, dtype=object),
    )
    change = categorical_change(before, after)
    assert change is not None
    shares = {("missing", None): (0, 10), ("equal", "a"): (30, 70), ("equal", "b"): (50, 40)}
    p_values = {of: 3 * fisher(*counts, (80, 120)) for of, counts in shares.items()}
    smallest = min(p_values, key=p_values.__getitem__)
    assert (change.kind, change.value) == smallest
    assert change.p_value == pytest.approx(p_values[smallest], rel=1e-9)
    assert (change.before, change.after) == tuple(count / rows for count, rows in zip(shares[smallest], (80, 120), strict=True))


@examples(24)
@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, math.inf, math.nan]), min_size=9, max_size=9), st.integers(3, 6))
def test_of_all_ways_to_split_rows_no_more_have_a_small_p_value_than_it_says(values: list[float], rows: int) -> None:
    everything = np.array(values)
    p_values = []
    for chosen in combinations(range(len(values)), rows):
        in_reference = np.isin(np.arange(len(values)), chosen)
        change = numeric_change(everything[in_reference], everything[~in_reference])
        p_values.append(1.0 if change is None else change.p_value)
    for p_value in set(p_values):
        assert np.mean(np.array(p_values) <= p_value) <= p_value + 1e-12


@pytest.mark.deep
@pytest.mark.parametrize(("columns", "weeks"), [(15, 100), (150, rounds(40, 100))])
def test_weeks_without_a_change_have_at_most_one_alert(columns: int, weeks: int) -> None:
    """If each of 150 columns were compared as a single one is, 5 of the first 40 weeks would have an alert, and 16 of all.

    With twice the rows, fewer changes by chance are as large as the smallest that counts.
    """
    for seed in range(30 // columns + 1):
        rng = np.random.default_rng(seed)
        reference = before = made(rng, ROWS // 2, columns)  # one for all weeks: their errors depend on each other
        alerts = []
        for _ in range(weeks):
            window = made(rng, ROWS // 4, columns)
            alerts.append(bool(found(reference, window)) or bool(found(before, window)))
            before = window
        assert sum(alerts) <= 1


def test_the_p_values_of_a_column_are_not_too_small() -> None:
    rng = np.random.default_rng(3)
    drawn = [p_values_of(made(rng, 200, 7), made(rng, 300, 7)) for _ in range(300)]
    for name in drawn[0]:
        of_column = np.array([p_values[name] for p_values in drawn])
        assert np.mean(of_column <= 0.1) <= 0.15, name


DRIFTS: dict[str, tuple[str, Callable[[Any, np.random.Generator], Any]]] = {
    "a shift by 0.3 standard deviations": ("normal-0", lambda values, rng: values + 0.3),
    "half as much spread again": ("normal-0", lambda values, rng: values * 1.5),
    "a placeholder within the range": ("skewed-1", lambda values, rng: replaced(values, 0.5, 0.18, rng)),
    "a number becomes frequent": ("count-2", lambda values, rng: replaced(values, 2.0, 0.15, rng)),
    "a tenth is missing": ("normal-0", lambda values, rng: replaced(values, np.nan, 0.1, rng)),
    "nothing but missing numbers": ("gaps-3", lambda values, rng: replaced(values, np.nan, 1.0, rng)),
    "nothing but missing categories": ("many-5", lambda values, rng: replaced(values, None, 1.0, rng)),
    "nothing is missing any more": ("gaps-3", lambda values, rng: np.nan_to_num(values)),
    "a category is more frequent": ("category-4", lambda values, rng: replaced(values, "a", 0.2, rng)),
    "a new category": ("flag-6", lambda values, rng: replaced(values, "maybe", 0.1, rng)),
    "a fifth of many values is written otherwise": (
        "many-5",
        lambda values, rng: np.where(
            rng.random(len(values)) < 0.2, np.char.add("n", values.astype(str)).astype(object), values
        ),
    ),
}


@pytest.mark.parametrize("columns", [15, 150])
@pytest.mark.parametrize("drift", DRIFTS)
def test_a_drift_of_one_column_is_found(drift: str, columns: int) -> None:
    column, change = DRIFTS[drift]
    rng = np.random.default_rng(5)
    reference, window = made(rng, ROWS, columns), made(rng, ROWS, columns)
    assert found(reference, window | {column: change(window[column], rng)}) == [column]


@pytest.mark.parametrize("columns", [15, 150])
def test_gradual_and_seasonal_drifts_are_found_once_they_are_large(columns: int) -> None:
    rng = np.random.default_rng(6)
    reference = made(rng, ROWS, columns)

    def shifted(by: float) -> bool:
        window = made(rng, ROWS, columns)
        return bool(found(reference, window | {"normal-0": window["normal-0"] + by}))

    gradual = [shifted(0.04 * week) for week in range(10)]
    assert gradual[0] is False
    assert all(gradual[-2:])
    seasonal = {week: shifted(0.5 * math.sin(2 * math.pi * week / 52)) for week in (0, 13, 26, 39)}
    assert seasonal == {0: False, 13: True, 26: False, 39: True}


def test_a_significant_but_small_change_of_a_million_rows_is_no_drift() -> None:
    rng = np.random.default_rng(7)
    before, after = rng.normal(size=(2, 1_000_000))
    assert numeric_change(before, after + 0.05) is None
    larger = numeric_change(before, after + 0.15)
    assert larger is not None
    assert larger.p_value < 1e-100
    assert larger.distance > SMALLEST_CHANGE


def test_claims_of_a_window_are_decided_together() -> None:
    p_values = {"c": 0.9, "b": COLUMN_FALSE_ALERTS / 2.5, "d": 0.0, "a": COLUMN_FALSE_ALERTS / 3.5}
    assert drifted(p_values) == ["b", "d", "a"]  # each leaves its part of the error to the others
    assert drifted({name: p_values[name] for name in ("c", "b")} | {"e": 0.9, "f": 0.9}) == []
    assert drifted({}) == []


@pytest.mark.parametrize("rows", [(0, 5), (5, 0), (0, 0)])
def test_nothing_is_compared_without_rows(rows: tuple[int, int]) -> None:
    assert numeric_change(*(np.zeros(each) for each in rows)) is None
    assert categorical_change(*(np.array(["a"] * each, dtype=object) for each in rows)) is None
