"""Conditions are three-valued: interval arithmetic encloses, and wrong answers are as rare as promised."""

import dataclasses
import functools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.gates.bounds.clause import Seen, expression_range
from taxiway.gates.conditions.decide import Truth, answer, kleene_and, truth_of
from taxiway.gates.sample_size import GuaranteedCondition, sample_size
from taxiway.records import Status
from taxiway.spec.conditions import Clause, parse_condition
from taxiway.spec.conditions.budget import Budget

ONCE = Budget(steps=1, adaptivity="none")


def guaranteed(text: str, confidence: float = 0.95, **options: object) -> GuaranteedCondition:
    return GuaranteedCondition(parse_condition(text), confidence, ONCE, **options)


def seen(rows: int, n: float, o: float = 0.5, d: float = 0.1) -> Seen:
    """On each row on which the predictions differ, one of them is right."""
    return Seen(rows, {"n": n, "o": o, "d": d}, (d - (n - o) ** 2) * rows / max(rows - 1, 1))


def intervals() -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda ends: (min(ends), max(ends)))


@examples(150)
@given(
    factors=st.tuples(*[st.floats(-3, 3)] * 3),
    comparison=st.sampled_from("<>"),
    bound=st.floats(-2, 2),
    ends=st.tuples(intervals(), intervals(), intervals()),
    at=st.tuples(*[st.floats(0, 1)] * 3),
)
def test_interval_arithmetic_encloses_every_point(factors, comparison, bound, ends, at) -> None:  # type: ignore[no-untyped-def]
    named = tuple((name, factor) for name, factor in zip(("n", "o", "d"), factors, strict=True) if factor != 0)
    if not named:
        return
    clause = Clause(named, comparison, bound, 0.1)
    by_name = dict(zip(("n", "o", "d"), ends, strict=True))
    low, high = expression_range(clause, by_name)
    point = {name: low + share * (high - low) for (name, (low, high)), share in zip(by_name.items(), at, strict=True)}
    value = clause.value(point)
    assert low - 1e-12 <= value <= high + 1e-12
    truth = truth_of(clause, (low, high))
    holds = value > bound if comparison == ">" else value < bound
    if abs(value - bound) > 1e-9:
        assert truth is Truth.UNKNOWN or (truth is Truth.TRUE) is holds


@given(st.lists(st.sampled_from(Truth), min_size=1, max_size=4))
def test_a_conjunction_is_what_it_is_for_all_values_of_the_unknown(truths: list[Truth]) -> None:
    def possible(truth: Truth) -> set[bool]:
        return {Truth.TRUE: {True}, Truth.FALSE: {False}, Truth.UNKNOWN: {True, False}}[truth]

    outcomes = {True}
    for truth in truths:
        outcomes = {before and now for before in outcomes for now in possible(truth)}
    assert possible(kleene_and(truths)) == outcomes


@pytest.mark.parametrize(
    ("estimate", "fp_free", "fn_free"),
    [(0.095, Status.FAIL, Status.PASS), (0.089, Status.PASS, Status.PASS), (0.111, Status.FAIL, Status.FAIL)],
)
def test_an_estimate_within_the_tolerance_is_decided_by_the_mode(estimate: float, fp_free: Status, fn_free: Status) -> None:
    for mode, expected in (("fp-free", fp_free), ("fn-free", fn_free)):
        asked = guaranteed("d < 0.1 +/- 0.01", method="hoeffding", mode=mode)
        rows = sample_size(asked).rows
        assert answer(asked, Seen(rows, {"d": estimate})).status is expected


def test_too_few_rows_are_undecided_unless_the_estimate_is_far_from_the_bound() -> None:
    asked = guaranteed("n > 0.8 +/- 0.02")
    needed = sample_size(asked).rows
    few = answer(asked, seen(needed // 4, 0.81))
    assert (few.truth, few.status) == (Truth.UNKNOWN, Status.UNDECIDED)
    assert answer(asked, seen(needed, 0.81)).status is Status.FAIL
    assert answer(asked, seen(needed // 4, 0.9)).status is Status.PASS
    assert answer(asked, seen(needed // 4, 0.7)).status is Status.FAIL


@pytest.mark.parametrize("mode", ["fp-free", "fn-free"])
@pytest.mark.parametrize(
    ("text", "beyond"),
    [
        ("n > 0.8 +/- 0.03", {"n": 0.8301}),
        ("d < 0.2 +/- 0.03", {"d": 0.1699}),
        ("n - o > 0.01 +/- 0.03", {"n": 0.7402, "o": 0.7}),
        ("n - 1.1 * o > 0.01 +/- 0.05", {"n": 0.6102, "o": 0.5}),
        ("n - o > 0.01 +/- 0.02 and d < 0.1 +/- 0.02", {"n": 0.7302, "o": 0.7, "d": 0.0799}),
        ("2 * o - 2 * n < 0.01 +/- 0.04 and n > 0.6 +/- 0.05", {"n": 0.7152, "o": 0.7}),
    ],
)
def test_with_the_planned_rows_an_estimate_beyond_the_tolerance_is_decided(
    text: str, beyond: dict[str, float], mode: str
) -> None:
    for method in ("best", "hoeffding"):
        asked = guaranteed(text, mode=mode, method=method, disagreement=0.1 if method == "best" and "d" not in beyond else None)
        rows = sample_size(asked).rows
        found = answer(asked, seen(rows, **({"n": 0.7, "o": 0.7, "d": 0.1} | beyond)))
        assert found.truth is Truth.TRUE, (method, found)


def counts(rng: np.random.Generator, rows: int, gain: float, disagreement: float, runs: int) -> list[Seen]:
    """What some simulated evaluations see: both models are right on 68% of the rows, and only one on those with a disagreement."""
    wins, losses = (disagreement + gain) / 2, (disagreement - gain) / 2
    both = 0.68
    drawn = rng.multinomial(rows, [wins, losses, both, 1 - both - disagreement], size=runs) / rows
    return [
        Seen(rows, {"n": w + b, "o": lost + b, "d": w + lost}, (w + lost - (w - lost) ** 2) * rows / (rows - 1))
        for w, lost, b, _ in drawn
    ]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("n - o > 0 +/- 0.05", {}),
        ("n - o > 0 +/- 0.05", {"method": "hoeffding"}),
        ("n - o > 0 +/- 0.05", {"is_binary": False}),
        ("n - o > 0 +/- 0.05", {"independent": False}),
        ("n - o > -0.03 +/- 0.05", {}),
        ("n - o > 0.04 +/- 0.05", {}),
        ("n > 0.73 +/- 0.05", {}),
        ("n > 0.73 +/- 0.05", {"is_binary": False}),
        ("d < 0.1 +/- 0.05", {}),
        ("n - 0.5 * o > 0.365 +/- 0.05", {}),
        ("n - o > 0 +/- 0.05 and d < 0.2 +/- 0.05", {}),
        ("n - o > 0 +/- 0.05 and d < 0.1 +/- 0.05", {"mode": "fn-free"}),
    ],
)
def test_wrong_answers_are_as_rare_as_promised_just_at_the_bound(text: str, options: dict[str, object]) -> None:
    """The truth is just at the bounds, with n = o = 0.73 and d = 0.1; with fn-free, it is a rejection that is wrong."""
    runs, error = 250, 0.05
    asked = guaranteed(text, 1 - error, **options)
    wrong = Truth.FALSE if asked.mode == "fn-free" else Truth.TRUE
    gain = asked.condition.clauses[0].bound if asked.condition.clauses[0].is_difference else 0.0
    drawn = counts(np.random.default_rng(5), 800, gain, 0.1, runs)
    found = sum(answer(asked, each).truth is wrong for each in drawn)
    assert found <= runs * error + 6 * math.sqrt(runs * error * (1 - error))


@pytest.mark.parametrize(("adaptivity", "tries"), [("none", 32), ("first-change", 32), ("passes:2", 8), ("full", 8)])
def test_no_try_of_many_passes_more_often_than_promised(adaptivity: str, tries: int) -> None:
    """None of the challengers of a team is better, and the team succeeds if any passes."""
    teams, rows, error = 500, 300, 0.05
    budget = Budget(steps=tries, adaptivity=adaptivity)
    asked = GuaranteedCondition(parse_condition("n - o > 0 +/- 0.05"), 1 - error, budget)
    drawn = np.random.default_rng(7).multinomial(rows, [0.1, 0.1, 0.8], size=(teams, tries))

    @functools.cache
    def passes(wins: int, losses: int) -> bool:
        found = seen(rows, 0.5 + (wins - losses) / rows, 0.5, (wins + losses) / rows)
        return answer(asked, found).truth is Truth.TRUE

    fooled = sum(any(passes(int(wins), int(losses)) for wins, losses, _ in team) for team in drawn)
    assert fooled <= teams * error + 6 * math.sqrt(teams * error * (1 - error))
    if budget.passes == 1:
        assert fooled > 0  # the promise is not kept by passing nothing


def test_a_real_gain_is_found_with_the_planned_rows() -> None:
    asked = guaranteed("n - o > 0 +/- 0.01", 0.99, disagreement=0.1)
    rows = sample_size(asked).rows
    found = [answer(asked, each).status for each in counts(np.random.default_rng(6), rows, 0.02, 0.1, 100)]
    assert found.count(Status.PASS) > 95


@examples(60)
@given(rows=st.integers(10, 5_000), n=st.floats(0, 1), o=st.floats(0, 1), confidence=st.floats(0.6, 0.999))
def test_more_confidence_never_decides_more(rows: int, n: float, o: float, confidence: float) -> None:
    values = {"n": round(n * rows) / rows, "o": round(o * rows) / rows}
    least = abs(values["n"] - values["o"])
    here = seen(rows, **values, d=round(random.Random(rows).uniform(least, 1) * rows) / rows)
    for text in ("n > 0.5 +/- 0.1", "n - o > 0.1 +/- 0.1", "n - 2 * o < 0 +/- 0.1", "n - o > 0 +/- 0.1 and d < 0.5 +/- 0.1"):
        for mode in ("fp-free", "fn-free"):
            asked = guaranteed(text, confidence, mode=mode)
            surer = answer(dataclasses.replace(asked, confidence=(1 + confidence) / 2), here).truth
            assert surer is Truth.UNKNOWN or surer is answer(asked, here).truth


def test_identical_models_are_the_same() -> None:
    same = seen(2_000, 0.8, 0.8, d=0.0)
    assert answer(guaranteed("n - o > -0.01 +/- 0.005"), same).status is Status.PASS
    assert answer(guaranteed("n - o > 0.01 +/- 0.005"), same).status is Status.FAIL
