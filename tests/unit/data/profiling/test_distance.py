"""Distances: the published numbers, brute force, and that chance alone is no drift."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from helping import shared_data
from taxiway.data.profiling.distance import (
    Density,
    divergence,
    jensen_shannon,
    jensen_shannon_critical_value,
    l_infinity,
    l_infinity_critical_value,
    value_divergence,
    value_divergence_critical_value,
)
from taxiway.data.profiling.profile import ColumnProfile, Profile, ValueCount

ProfileOf = Callable[[pd.DataFrame], Profile]


def texts(**counts: int) -> ColumnProfile:
    values = tuple(ValueCount(value=value, rows=count) for value, count in counts.items())
    return ColumnProfile(name="x", type="string", storage="VARCHAR", rows=sum(counts.values()), missing=0, values=values)


def column(profile_of: ProfileOf, values: object) -> ColumnProfile:
    found = profile_of(pd.DataFrame({"x": values})).column("x")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("a", "b", "distance", "value"),
    [
        (texts(hello=1, world=9), texts(hello=3, world=7), 0.2, "hello"),
        (texts(b=9, c=1), texts(a=3, b=7), 0.3, "a"),
        (texts(a=3, b=7), texts(b=9, c=1), 0.3, "a"),
        (texts(a=1, b=2, c=7), texts(a=3, b=1, c=6), 0.2, "a"),
        (texts(), texts(), 0.0, ""),
        (texts(), texts(a=1), 1.0, "a"),
    ],
)
def test_l_infinity_gives_the_published_numbers_and_names_the_value(
    a: ColumnProfile, b: ColumnProfile, distance: float, value: str
) -> None:
    change = l_infinity(a, b)
    assert change.distance == pytest.approx(distance)
    assert change.value == value


def test_l_infinity_ignores_missing_rows() -> None:
    half_missing = texts(a=5, b=5).model_copy(update={"rows": 20, "missing": 10})
    assert l_infinity(texts(a=5, b=5), half_missing).distance == 0


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (Density(pieces=((1, 2, 0.5), (2, 3, 0.5))), Density(pieces=((1, 2, 0.5), (2, 3, 0.5))), 0.0),
        (Density(pieces=((1, 2, 1),)), Density(pieces=((2, 3, 1),)), 1.0),
        (Density(pieces=((1, 2, 0.5), (2, 3, 0.5))), Density(pieces=((2, 4, 0.5), (4, 6, 0.5))), 0.655639),
        (Density(atoms=((0, 0.5), (1, 0.5))), Density(atoms=((0, 0.5), (2, 0.5))), 0.5),
        (Density(atoms=((1, 1),)), Density(pieces=((0, 2, 1),)), 1.0),
        (Density(elsewhere=(("nan", 1),)), Density(elsewhere=(("nan", 1),)), 0.0),
        (Density(elsewhere=(("above", 1),)), Density(elsewhere=(("below", 1),)), 1.0),
        (Density(), Density(), 0.0),
        (Density(), Density(atoms=((0, 1),)), 1.0),
    ],
)
def test_divergence_gives_the_published_numbers_both_ways(a: Density, b: Density, expected: float) -> None:
    assert divergence(a, b) == pytest.approx(expected, abs=1e-6)
    assert divergence(b, a) == pytest.approx(expected, abs=1e-6)


pieces = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), min_size=1, max_size=6)


def density_from(steps: list[tuple[int, int]], start: int) -> Density | None:
    total = sum(mass for _, mass in steps)
    if not total:
        return None
    made, at = [], start
    for width, mass in steps:
        made.append((float(at), float(at + width), mass / total))
        at += width
    return Density(pieces=tuple(made))


@given(pieces, pieces, st.integers(0, 5))
def test_divergence_agrees_with_adding_up_unit_cells(
    one: list[tuple[int, int]], other: list[tuple[int, int]], start: int
) -> None:
    a, b = density_from(one, 0), density_from(other, start)
    if a is None or b is None:
        return
    cells_a, cells_b = np.zeros(40), np.zeros(40)
    for cells, made in ((cells_a, a), (cells_b, b)):
        for low, high, mass in made.pieces:
            cells[int(low) : int(high)] += mass / (high - low)
    middle = (cells_a + cells_b) / 2
    brute = sum(p[p > 0] @ np.log2(p[p > 0] / middle[p > 0]) for p in (cells_a, cells_b)) / 2
    assert divergence(a, b) == pytest.approx(brute, abs=1e-9)
    assert 0 <= divergence(a, b) <= 1


def test_columns_of_real_rows_come_near_the_true_divergence(profile_of: ProfileOf) -> None:
    rng = np.random.default_rng(1)
    a = column(profile_of, rng.uniform(0, 2, 40_000))
    b = column(profile_of, rng.uniform(1, 3, 40_000))
    assert jensen_shannon(a, b) == pytest.approx(0.5, abs=0.02)
    assert jensen_shannon(a, a) == 0
    assert jensen_shannon(a, column(profile_of, rng.uniform(5, 6, 1000))) == pytest.approx(1)


def test_point_masses_are_compared_at_their_own_number_only(profile_of: ProfileOf) -> None:
    a = column(profile_of, [0.0, 1.0] * 500)
    b = column(profile_of, [0.0, 2.0] * 500)
    near = column(profile_of, [0.0, 1.0001] * 500)
    assert jensen_shannon(a, b) == pytest.approx(0.5, abs=0.01)
    assert jensen_shannon(a, near) == pytest.approx(0.5, abs=0.01)


def test_a_zero_filled_share_is_seen_beside_a_density(profile_of: ProfileOf) -> None:
    rng = np.random.default_rng(2)
    clean = rng.normal(50, 10, 20_000)
    filled = np.where(rng.random(20_000) < 0.1, 0.0, clean)
    distance = jensen_shannon(column(profile_of, clean), column(profile_of, filled))
    # The mass of 0.1 has no counterpart: its own term, and what is missing elsewhere.
    exact = (0.1 + math.log2(1 / 0.95) + 0.9 * math.log2(0.9 / 0.95)) / 2
    assert distance == pytest.approx(exact, abs=0.015)


def test_nan_everywhere_on_both_sides_is_no_distance(profile_of: ProfileOf) -> None:
    # TFDV gives 1.0 here. Infinities likewise.
    nan = ColumnProfile(name="x", type="number", storage="DOUBLE", rows=10, missing=0, nan=10)
    infinite = ColumnProfile(name="x", type="number", storage="DOUBLE", rows=10, missing=0, above=10)
    assert jensen_shannon(nan, nan) == 0
    assert jensen_shannon(infinite, infinite) == 0
    assert jensen_shannon(nan, infinite) == 1


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "weekdays": lambda rng, n: rng.integers(0, 7, n),
    "minutes": lambda rng, n: rng.integers(0, 60, n),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.9, 0, rng.exponential(size=n)),
    "rounded": lambda rng, n: np.round(rng.normal(size=n) * 8) / 4,
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("rows", [(10, 1000), (40, 40), (50, 50), (40, 1000), (300, 1000), (2000, 6000)])
def test_samples_of_one_distribution_stay_below_the_noise(name: str, rows: tuple[int, int], profile_of: ProfileOf) -> None:
    rng = np.random.default_rng(3)
    one, other = (
        profile_of(pd.DataFrame({f"x{i}": DISTRIBUTIONS[name](rng, n).astype(float) for i in range(5)})) for n in rows
    )
    for a, b in zip(one.columns, other.columns, strict=True):
        assert jensen_shannon(a, b) <= jensen_shannon_critical_value(a, b)


def test_samples_of_the_same_words_stay_below_the_noise_and_other_words_do_not() -> None:
    rng = np.random.default_rng(4)
    above = 0
    for _ in range(500):
        draws = [rng.multinomial(n, [0.5, 0.3, 0.15, 0.05]) for n in (10, 1000)]
        a, b = (texts(**dict(zip("abcd", map(int, draw), strict=True))) for draw in draws)
        above += l_infinity(a, b).distance > l_infinity_critical_value(a, b)
    assert above <= 2
    a, b = texts(a=900, b=100), texts(a=1000, b=1000)
    assert l_infinity(a, b).distance > l_infinity_critical_value(a, b)


def test_noise_vanishes_with_rows_and_hides_everything_without_them() -> None:
    few, many = texts(a=1), texts(a=10**8)
    assert l_infinity_critical_value(few, texts()) == math.inf
    assert l_infinity_critical_value(many, many) < 0.001
    empty = ColumnProfile(name="x", type="number", storage="DOUBLE", rows=0, missing=0)
    assert jensen_shannon_critical_value(empty, few) == 1


def test_fifty_rows_that_have_nothing_in_common_are_far_apart_beyond_chance(profile_of: ProfileOf) -> None:
    low, high = column(profile_of, np.linspace(0, 1, 50)), column(profile_of, np.linspace(5, 6, 50))
    assert jensen_shannon(low, high) > jensen_shannon_critical_value(low, high)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8))
def test_the_divergence_of_values_is_that_of_scipy(counts: list[tuple[int, int]]) -> None:
    assume(all(map(sum, zip(*counts, strict=True))))
    a, b = (texts(**{f"v{at}": pair[side] for at, pair in enumerate(counts) if pair[side]}) for side in (0, 1))
    expected = jensenshannon(*map(list, zip(*counts, strict=True)), base=2) ** 2
    assert value_divergence(a, b).distance == pytest.approx(expected, abs=1e-9)
    assert value_divergence(b, a).distance == pytest.approx(expected, abs=1e-9)


def test_values_that_are_not_listed_make_the_divergence_no_larger() -> None:
    short = texts(a=60, b=30).model_copy(update={"rows": 100, "values_complete": False})
    assert (
        value_divergence(short, texts(a=60, b=30, c=6, d=4)).distance
        <= value_divergence(texts(a=60, b=30, c=10), texts(a=60, b=30, d=10)).distance
    )
    assert value_divergence(short, short).distance == 0


def test_the_divergence_of_values_is_the_distance_of_evidently_for_adult(profile_of: ProfileOf) -> None:
    """Evidently 0.7.23: the rows without three degrees against those with them; its distance is `sqrt(d * ln 2)`."""
    rows = pd.read_csv(shared_data("adult.csv.gz"))
    most = rows["education"].isin(["Some-college", "HS-grad", "Bachelors"])
    distances = {
        "education": 0.8325546111576977,
        "occupation": 0.15589188382439845,
        "native-country": 0.10817985055184558,
        "workclass": 0.040949142183795625,
    }
    for name, distance in distances.items():
        found = value_divergence(column(profile_of, rows[name][~most]), column(profile_of, rows[name][most])).distance
        assert math.sqrt(found * math.log(2)) == pytest.approx(distance, abs=1e-6), name


def test_samples_of_the_same_values_stay_below_the_critical_value_of_their_divergence() -> None:
    rng, above = np.random.default_rng(7), 0
    for _ in range(2000):
        a, b = (dict(zip("abcdefgh", rng.multinomial(rows, np.arange(1, 9) / 36), strict=True)) for rows in (400, 900))
        first, second = (texts(**{key: int(count) for key, count in found.items() if count}) for found in (a, b))
        above += value_divergence(first, second).distance > value_divergence_critical_value(first, second)
    assert above <= 7, "0.001 of 2,000 are 2; more than 7 have a probability below 0.001"
