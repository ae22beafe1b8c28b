"""How many rows a condition needs: the paper's numbers, and that no method asks for more than Hoeffding's bound."""

import dataclasses
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from helping import examples
from taxiway.gates.sample_size import (
    GuaranteedCondition,
    Method,
    Mode,
    log_errors,
    log_sum,
    row_capacity,
    rows_suffice,
    sample_size,
)
from taxiway.spec.conditions import parse_condition
from taxiway.spec.conditions.budget import Budget

SINGLE, DIFFERENCE = "n > 0.8 +/- 0.05", "n - o > 0.02 +/- 0.01"
PATTERN = "n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01"
RATIO = "n - 1.1 * o > 0.01 +/- 0.01 /\\ d < 0.1 +/- 0.01"


def guaranteed(
    text: str,
    *,
    confidence: float = 0.9999,
    steps: int = 32,
    adaptivity: str = "none",
    method: Method = "best",
    mode: Mode = "fp-free",
    disagreement: float | None = None,
) -> GuaranteedCondition:
    budget = Budget(steps=steps, adaptivity=adaptivity)
    return GuaranteedCondition(parse_condition(text), confidence, budget, mode, method, disagreement)


@pytest.mark.parametrize(
    ("text", "adaptivity", "rows"),
    [
        (SINGLE, "none", 2_536),
        (SINGLE, "first-change", 2_536),
        (SINGLE, "full", 6_279),
        (SINGLE, "passes:3", 3_565),
        (SINGLE, "passes:100", 6_279),
        (DIFFERENCE, "none", 267_385),
        (DIFFERENCE, "full", 641_684),
        (RATIO, "none", 310_076),
    ],
)
def test_hoeffding_needs_the_rows_of_the_paper(text: str, adaptivity: str, rows: int) -> None:
    assert sample_size(guaranteed(text, adaptivity=adaptivity, method="hoeffding")).rows == rows


def test_each_comparison_has_its_own_plan() -> None:
    found = sample_size(guaranteed(RATIO, method="hoeffding"))
    assert [clause.rows for clause in found.clauses] == [310_076, 66_847]


def test_the_best_method_needs_fewer_rows_and_is_named() -> None:
    single = sample_size(guaranteed(SINGLE))
    assert single.rows < 2_060  # which is exact for any share, not only for those near 0.8
    assert single.clauses[0].method == "exact binomial"
    pattern = sample_size(guaranteed(PATTERN))
    assert pattern.rows < 29_048  # the paper's optimization of this pattern
    assert [clause.method for clause in pattern.clauses] == [
        "Bennett or exact binomial of wins and losses, with the limit of d",
        "exact binomial",
    ]
    zero = sample_size(guaranteed("n - o > 0 +/- 0.01 and d < 0.1 +/- 0.01"))
    assert zero.rows < 0.8 * pattern.rows
    assert zero.clauses[0].method == "exact binomial of wins and losses, with the limit of d"
    assert sample_size(guaranteed(PATTERN, adaptivity="full")).rows < 67_706
    known = sample_size(guaranteed(DIFFERENCE, disagreement=0.1))
    assert known.rows < 30_000
    assert "10%" in known.clauses[0].method


def test_only_disagreements_decide_about_a_difference() -> None:
    found = sample_size(guaranteed(PATTERN))
    assert found.differing == math.ceil(0.1 * found.rows)
    assert sample_size(guaranteed(DIFFERENCE)).differing is None  # nothing is known about the disagreement
    assert sample_size(guaranteed(SINGLE, disagreement=0.1)).differing is None  # every row counts for the accuracy itself
    assert sample_size(guaranteed("d < 0.1 +/- 0.01")).differing == 0


@pytest.mark.parametrize(
    ("adaptivity", "steps"),
    [("none", 81), ("full", 6)],
)
def test_rows_can_answer_so_many_questions(adaptivity: str, steps: int) -> None:
    asked = guaranteed("n > 0.8 +/- 0.03", confidence=0.99, steps=steps, adaptivity=adaptivity, method="hoeffding")
    found = row_capacity(asked, 5_000)
    assert (found.enough, found.steps) == (True, steps)
    assert not rows_suffice(dataclasses.replace(asked, budget=Budget(steps=steps + 1, adaptivity=adaptivity)), 5_000)


def test_rows_support_a_tolerance() -> None:
    asked = guaranteed(DIFFERENCE, disagreement=0.1)
    found = row_capacity(asked, 20_000)
    assert not found.enough and found.condition is not None
    assert sample_size(dataclasses.replace(asked, condition=found.condition)).rows <= 20_000
    (clause,) = found.condition.clauses
    tighter = dataclasses.replace(clause, tolerance=clause.tolerance * 0.98)
    assert (
        sample_size(dataclasses.replace(asked, condition=dataclasses.replace(found.condition, clauses=(tighter,)))).rows
        > 20_000
    )


@pytest.mark.parametrize(
    ("adaptivity", "rows", "passes"),
    [
        ("first-change", 29_000, 0),
        ("first-change", 30_000, 1),
        ("passes:3", 29_000, 0),
        ("passes:3", 40_000, 2),
        ("passes:3", 42_000, 3),
        ("full", 59_217, 8),
        ("full", 72_000, 32),
    ],
)
def test_rows_support_passes(adaptivity: str, rows: int, passes: int) -> None:
    asked = guaranteed(DIFFERENCE, adaptivity=adaptivity, disagreement=0.1)
    found = row_capacity(asked, rows)
    assert (found.passes, found.enough) == (passes, passes == asked.budget.passes)


def test_too_few_rows_support_no_tolerance() -> None:
    found = row_capacity(guaranteed("n > 0.95 +/- 0.01"), 20)
    assert (found.enough, found.steps, found.passes, found.condition) == (False, 0, 0, None)


CLAUSES = st.one_of(
    st.builds("n > {} +/- {}".format, st.floats(0.1, 0.9), st.floats(0.01, 0.1)),
    st.builds("o < {} +/- {}".format, st.floats(0.1, 0.9), st.floats(0.01, 0.1)),
    st.builds("d < {} +/- {}".format, st.floats(0.02, 0.9), st.floats(0.01, 0.1)),
    st.builds("{} * n - {} * o > 0.01 +/- {}".format, st.floats(0.5, 2), st.floats(0.5, 2), st.floats(0.01, 0.1)),
    st.builds("n - o > {} +/- {}".format, st.floats(-0.1, 0.1), st.floats(0.01, 0.1)),
    st.builds("n - o + {} * d > 0 +/- {}".format, st.floats(0.1, 1), st.floats(0.01, 0.1)),
)
QUESTIONS = st.builds(
    guaranteed,
    st.lists(CLAUSES, min_size=1, max_size=3).map(" and ".join),
    confidence=st.floats(0.9, 0.9999),
    steps=st.integers(1, 40),
    adaptivity=st.sampled_from(["none", "full", "first-change", "passes:2"]),
    mode=st.sampled_from(["fp-free", "fn-free"]),
    disagreement=st.none() | st.floats(0.01, 0.9),
)


@examples(100)
@given(QUESTIONS)
def test_the_best_method_never_needs_more_rows_than_hoeffding(asked: GuaranteedCondition) -> None:
    assert sample_size(asked).rows <= sample_size(dataclasses.replace(asked, method="hoeffding")).rows


@examples(60)
@given(asked=QUESTIONS, method=st.sampled_from(["best", "hoeffding"]), times=st.floats(1.01, 3))
def test_more_tolerance_less_confidence_and_fewer_steps_need_no_more_rows(
    asked: GuaranteedCondition, method: Method, times: float
) -> None:
    asked = dataclasses.replace(asked, method=method)
    rows = sample_size(asked).rows
    clauses = tuple(dataclasses.replace(clause, tolerance=clause.tolerance * times) for clause in asked.condition.clauses)
    looser = dataclasses.replace(asked.condition, clauses=clauses)
    assert sample_size(dataclasses.replace(asked, condition=looser)).rows <= rows
    assert sample_size(dataclasses.replace(asked, confidence=0.85)).rows <= rows
    assert sample_size(dataclasses.replace(asked, budget=asked.budget.model_copy(update={"steps": 1}))).rows <= rows
    for steps, adaptivity in ((asked.budget.steps, "none"), (asked.budget.steps, "first-change")):
        assert sample_size(dataclasses.replace(asked, budget=Budget(steps=steps, adaptivity=adaptivity))).rows <= rows


@examples(60)
@given(QUESTIONS)
def test_comparisons_share_the_error_and_each_has_enough(asked: GuaranteedCondition) -> None:
    rows = sample_size(asked).rows
    parts = log_errors(asked, rows)
    for bound, part in zip(asked.bounds, parts, strict=True):
        assert bound.log_error(rows) <= part + 1e-9
    if asked.splits_error:
        assert log_sum(parts) <= asked.log_error + 1e-9
    assume(rows > 1)
    assert not rows_suffice(asked, rows - 1)
