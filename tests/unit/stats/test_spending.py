"""The error of an evaluation set: over all paths of answers, no more is spent than there is, also if the budget changes on the way."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.stats.multiplicity import log_models
from taxiway.stats.spending import Account

BUDGETS = st.tuples(st.integers(1, 6), st.integers(1, 6))


def spent(account: Account, budgets: list[tuple[int, int]], values: list[int]) -> float:
    """The shares of all queries that can follow, by brute force over all answers; query i has the i-th budget."""
    if not budgets:
        return 0.0
    (steps, passes), shown = budgets[0], values[0]
    share = account.log_share(steps, passes)
    if share is None:
        return 0.0
    branches = [
        account.after(steps, passes, passed=passed, log_values=math.log(shown))
        for passed in (False, True)
        for _ in range(shown)
    ]
    return math.exp(share) + sum(spent(branch, budgets[1:], values[1:]) for branch in branches)


@given(st.lists(st.tuples(BUDGETS, st.integers(1, 2)), min_size=1, max_size=5))
def test_no_tree_of_answers_has_more_than_the_whole_error(path: list[tuple[tuple[int, int], int]]) -> None:
    assert spent(Account(), [budget for budget, _ in path], [values for _, values in path]) <= 1 + 1e-9


@pytest.mark.parametrize(("steps", "passes"), [(1, 1), (5, 1), (5, 2), (5, 5), (6, 3)])
def test_a_constant_budget_is_spent_to_the_end_in_equal_shares(steps: int, passes: int) -> None:
    assert spent(Account(), [(steps, passes)] * steps, [1] * steps) == pytest.approx(1)
    account = Account()
    for number in range(steps):
        share = account.log_share(steps, passes)
        assert share is not None
        assert share == pytest.approx(Account().log_share(steps, passes)), f"query {number + 1}"
        account = account.after(steps, passes, passed=False)
    assert account.log_share(steps, passes) is None


@given(st.integers(1, 200), st.integers(1, 200))
def test_an_answer_has_at_least_the_share_that_was_planned(steps: int, passes: int) -> None:
    share = Account().log_share(steps, passes)
    assert share is not None
    assert share >= -log_models(steps, min(passes, steps)) - 1e-9


def test_a_pass_ends_a_budget_that_allows_one() -> None:
    account = Account().after(8, 1, passed=False).after(8, 1, passed=True)
    assert account.log_share(8, 1) is None
    assert account.log_share(8, 2) is None, "nothing is left of the error, whatever the budget says now"


def test_if_nobody_sees_the_answers_a_pass_spends_no_more() -> None:
    account = Account().after(8, 1, passed=None)
    assert account.log_share(8, 1) == pytest.approx(-math.log(8))


def test_a_larger_budget_does_not_refill() -> None:
    account = Account()
    for _ in range(8):
        account = account.after(8, 1, passed=False)
    assert account.log_share(20, 1) is None
    half = Account()
    for _ in range(4):
        half = half.after(8, 1, passed=False)
    share = half.log_share(20, 1)
    assert share is not None
    assert share == pytest.approx(math.log(0.5 / 16)), "the half that is left, for 16 more models"


def test_what_else_is_shown_is_paid_by_the_answers_that_follow() -> None:
    rounded = Account().after(8, 1, passed=False, log_values=math.log(101))
    assert rounded.log_share(8, 1) == pytest.approx(-math.log(8) - math.log(101))
    exact = Account().after(8, 1, passed=False, log_values=math.inf)
    assert exact.log_share(8, 1) is None
