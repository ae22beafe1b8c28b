"""Shapley values of drifted inputs, exact or by a sample of orders, and reference rows that are changed to be distributed as a window."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monitoring.drifting import KINDS, change_of

from helping import examples
from taxiway.monitoring.attribution import EXACT_NAMES, MAX_NAMES, _exact, moved, shapley

ROWS = 2000


@examples(20)
@given(st.lists(st.floats(-5, 5), min_size=16, max_size=16))
def test_a_shapley_value_is_the_mean_of_what_a_name_adds_in_all_orders(drawn: list[float]) -> None:
    names = "abcd"

    def value(some: frozenset[str]) -> float:
        return drawn[sum(2 ** names.index(name) for name in some)]

    made = shapley(lambda sets: list(map(value, sets)), names)
    found = made.values
    assert set(made.errors.values()) == {0}
    for name in names:
        orders = [order[: order.index(name)] for order in permutations(names)]
        added = [value(frozenset({*earlier, name})) - value(frozenset(earlier)) for earlier in orders]
        assert found[name] == pytest.approx(np.mean(added), abs=1e-9)
    assert sum(found.values()) == pytest.approx(value(frozenset(names)) - value(frozenset()), abs=1e-9)


@pytest.mark.parametrize("count", [EXACT_NAMES + 1, 8, MAX_NAMES])
def test_many_names_are_sampled_with_an_error_and_few_sets(count: int) -> None:
    names = [f"x{at}" for at in range(count)]
    rng = np.random.default_rng(4)
    own, pairs = rng.normal(size=count), np.triu(rng.normal(size=(count, count)), 1)
    calls: list[int] = []

    def values(sets: Sequence[frozenset[str]]) -> list[float]:
        calls.append(len(sets))
        chosen = [np.array([name in each for name in names], dtype=float) for each in sets]
        return [float(own @ some + some @ pairs @ some) for some in chosen]

    found = shapley(values, names)
    assert len(calls) == 1
    assert calls[0] <= 258
    everything, nothing = values([frozenset(names), frozenset()])
    assert sum(found.values.values()) == pytest.approx(everything - nothing)
    # Each pair of inputs adds to both alike, so an order and its reverse have no error.
    expected = own + (pairs + pairs.T).sum(axis=1) / 2
    assert list(found.values.values()) == pytest.approx(expected)
    assert max(found.errors.values()) < 1e-9


def test_sampled_values_are_within_their_errors_of_the_exact_ones() -> None:
    names = [f"x{at}" for at in range(8)]
    drawn = np.random.default_rng(5).normal(size=256)

    def values(sets: Sequence[frozenset[str]]) -> list[float]:
        return [float(drawn[sum(1 << names.index(name) for name in each)]) for each in sets]

    found = shapley(values, names)
    assert (found.orders, shapley(values, names)) == (36, found)
    exact = _exact(values, names).values
    distances = [abs(found.values[name] - exact[name]) / found.errors[name] for name in names]
    assert max(distances) < 2
    assert np.mean(distances) < 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_is_moved_is_distributed_as_in_the_window(kind: str) -> None:
    rng = np.random.default_rng(1)
    before, after = KINDS[kind](rng, ROWS), KINDS[kind](rng, ROWS // 2)
    of_type = "object" if before.dtype == object else "float64"
    after = np.roll(np.sort(after), 1)[: ROWS // 4] if of_type == "float64" else after[after != after[0]]
    found = moved(pd.Series(before, dtype=of_type), pd.Series(after, dtype=of_type))
    assert found.dtype == of_type
    assert change_of(before, after) is not None
    assert change_of(found.to_numpy(), after) is None
    shares = (pd.Series(values, dtype=of_type).value_counts(normalize=True, dropna=False) for values in (found, after))
    assert (next(shares).sub(next(shares), fill_value=0).abs() < 0.01).all()


def test_a_column_that_has_not_changed_is_not_moved() -> None:
    rng = np.random.default_rng(2)
    for kind in KINDS.values():
        values = kind(rng, ROWS)
        column = pd.Series(values, dtype="object" if values.dtype == object else "float64")
        pd.testing.assert_series_equal(moved(column, column.sample(frac=1, random_state=0)), column)


def test_numbers_keep_their_ranks_and_as_many_categories_as_possible_stay() -> None:
    rng = np.random.default_rng(3)
    before, after = pd.Series(rng.normal(size=ROWS)), pd.Series(rng.exponential(size=ROWS))
    assert moved(before, after).rank().equals(before.rank())
    categories = pd.Series(["a"] * 600 + ["b"] * 400, dtype="object")
    found = moved(categories, pd.Series(["a"] * 40 + ["b"] * 50 + [None] * 10, dtype="object"))
    assert (found == categories).sum() == 800
    assert found.isna().sum() == 100


def test_missing_numbers_come_and_go() -> None:
    numbers = pd.Series([1.0, 2.0, 3.0, np.nan])
    assert moved(numbers, pd.Series([np.nan] * 3)).isna().all()
    assert sorted(moved(numbers, pd.Series([5.0, 6.0]))) == [5, 5, 6, 6]
    assert moved(pd.Series([np.nan] * 4), pd.Series([7.0, np.nan])).isna().sum() == 2
