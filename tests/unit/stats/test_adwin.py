"""ADWIN2 finds what river's implementation finds, keeps what a window of all values would, and seldom errs."""

import math
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.stats.adwin import MAX_BUCKETS, MIN_PART, Adwin

BERNOULLI = (np.random.default_rng(42).random(2000) < np.repeat([0.1, 0.3], 1000)).astype(float)


def uniform() -> np.ndarray:
    rng = np.random.default_rng(42)
    return np.concatenate([rng.uniform(0, 0.1, 1000), rng.uniform(0.8, 0.9, 1000)])


def documented() -> np.ndarray:
    """The stream of the example in river's documentation."""
    rng = random.Random(12345)
    return np.array(rng.choices([0, 1], k=1000) + rng.choices(range(4, 8), k=1000), dtype=float)


def rates(seed: int, *probabilities: float, rows: int = 3000) -> np.ndarray:
    return (np.random.default_rng(seed).random(rows * len(probabilities)) < np.repeat(probabilities, rows)).astype(float)


def found_in(stream: np.ndarray, delta: float) -> list[tuple[int, int, float]]:
    """Where changes are found, with the width and the mean of the window then; it begins anew after each, as river's does."""
    window, found = Adwin(delta), []
    for at, value in enumerate(stream):
        if window.add(float(value)):
            found.append((at, window.width, round(window.mean, 9)))
            window = Adwin(delta)
    return found


@pytest.mark.parametrize(
    ("stream", "delta", "expected"),
    [
        (BERNOULLI, 0.002, [(1183, 672, 0.148809524)]),
        (BERNOULLI, 1e-5, [(1247, 864, 0.158564815)]),
        (uniform(), 0.002, [(1023, 64, 0.350449466)]),
        (uniform(), 1e-5, [(1023, 224, 0.136738603)]),
        (documented(), 0.002, [(1023, 32, 4.5)]),
        (rates(7, 0.2), 0.002, []),
        (rates(8, 0.2, 0.35, 0.2), 0.002, [(3327, 1280, 0.21875), (6303, 2464, 0.318587662)]),
    ],
)
def test_changes_are_found_where_river_finds_them(
    stream: np.ndarray, delta: float, expected: list[tuple[int, int, float]]
) -> None:
    """The values are those of river 0.26.1 with its defaults."""
    assert found_in(stream, delta) == expected


class AllValues:
    """The same window, which keeps every value and computes everything from them."""

    def __init__(self, delta: float) -> None:
        self.delta, self.values, self.sizes = delta, [], []

    def add(self, value: float) -> bool:
        self.values.append(value)
        self.sizes.append(1)
        while (crowded := next((size for size in self.sizes if self.sizes.count(size) > MAX_BUCKETS), None)) is not None:
            at = self.sizes.index(crowded)
            self.sizes[at : at + 2] = [2 * crowded]
        found = False
        while len(self.values) > 10 and self._has_cut():
            del self.values[: self.sizes.pop(0)]
            found = True
        return found

    def _has_cut(self) -> bool:
        values, n = np.array(self.values), len(self.values)
        log_term = math.log(2 * math.log(n) / self.delta)
        for cut in np.cumsum(self.sizes)[:-1]:
            if min(cut, n - cut) >= MIN_PART:
                inverse = 1 / (cut - MIN_PART + 1) + 1 / (n - cut - MIN_PART + 1)
                bound = math.sqrt(2 * inverse * values.var() * log_term) + 2 / 3 * log_term * inverse
                if abs(values[:cut].mean() - values[cut:].mean()) > bound:
                    return True
        return False


@examples(60)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 60)), min_size=1, max_size=5),
    st.integers(0, 1000),
    st.sampled_from([0.3, 0.05]),
)
def test_the_histogram_is_the_window_of_all_values(pieces: list[tuple[float, int]], seed: int, delta: float) -> None:
    rng, window, everything = np.random.default_rng(seed), Adwin(delta, clock=1), AllValues(delta)
    for rate, rows in pieces:
        for value in np.clip(rate + rng.normal(0, 0.1, rows), 0, 1).round(6):
            assert window.add(float(value)) == everything.add(float(value))
            assert window.width == len(everything.values)
            assert window.mean == pytest.approx(np.mean(everything.values), abs=1e-9)
            assert window.deviations / window.width == pytest.approx(np.var(everything.values), abs=1e-9)


@pytest.mark.parametrize(
    "stream", [lambda rng: rng.random(4000) < 0.2, lambda rng: rng.random(4000), lambda rng: rng.beta(2, 8, 4000)]
)
def test_a_stream_without_a_change_seldom_has_one(stream: Callable[[np.random.Generator], np.ndarray]) -> None:
    alarms = sum(bool(found_in(np.asarray(stream(np.random.default_rng(seed)), dtype=float), 0.002)) for seed in range(25))
    assert alarms == 0


def test_a_window_without_values_is_empty() -> None:
    window = Adwin(0.002)
    assert (window.width, window.mean) == (0, 0.0)
