"""Errors of many decisions: how many models can be reached, and Holm's procedure."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.stats.bounds import hoeffding_rows
from taxiway.stats.multiplicity import holm, log_models


def test_models_are_counted_by_their_passes() -> None:
    assert math.exp(log_models(32, 1)) == pytest.approx(32)
    assert math.exp(log_models(5, 2)) == pytest.approx(5 + 10)
    assert math.exp(log_models(5, 5)) == pytest.approx(2**5)
    assert log_models(10_000, 10_000) == pytest.approx(10_000 * math.log(2))


@pytest.mark.parametrize(("passes", "rows"), [(1, 2_536), (2, 3_096), (3, 3_565), (4, 3_969), (8, 5_148), (32, 6_279)])
def test_rows_by_passes(passes: int, rows: int) -> None:
    assert hoeffding_rows(0.05, math.log(1e-4) - log_models(32, passes)) == rows


@examples(60)
@given(steps=st.integers(1, 200), data=st.data())
def test_more_steps_and_more_passes_reach_more_models(steps: int, data: st.DataObject) -> None:
    passes = data.draw(st.integers(1, steps))
    found = log_models(steps, passes)
    assert found <= log_models(steps + 1, passes) + 1e-9
    assert found <= log_models(steps, passes + 1) + 1e-9
    exact = math.log(2**steps if passes == steps else sum(math.comb(steps, count) for count in range(1, passes + 1)))
    assert found == pytest.approx(exact)


def rejected(p_values: list[float], error: float) -> list[bool]:
    """Holm's procedure as it is usually written: on sorted p-values."""
    order = sorted(range(len(p_values)), key=lambda claim: p_values[claim])
    found = [False] * len(p_values)
    for rank, claim in enumerate(order):
        if p_values[claim] > error / (len(p_values) - rank):
            break
        found[claim] = True
    return found


@examples(100)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=6), st.floats(0.01, 0.5))
def test_claims_are_those_of_holm_on_p_values(p_values: list[float], error: float) -> None:
    claims = [lambda level, p=p: math.log(p) <= level for p in p_values]
    levels = holm(claims, math.log(error))
    found = [claim(level) for claim, level in zip(claims, levels, strict=True)]
    assert found == rejected(p_values, error)


def test_a_claim_that_is_shown_leaves_its_part_to_the_others() -> None:
    shown, not_shown = (lambda level: True), (lambda level: False)
    assert holm([shown, not_shown, not_shown], 0.0) == pytest.approx((-math.log(3), -math.log(2), -math.log(2)))
    assert holm([not_shown], -1.0) == (-1.0,)
