"""Which evaluation sets share rows, by their samples, against the sets themselves."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from taxiway.evaluation.evaluation_set import evaluation_set
from taxiway.gates.evaluation_sets import Entry, account_of, is_spent, overlaps, shared_rows
from taxiway.records import Answered, Asked, EvaluationSet, Show, Status

AT = datetime(2026, 3, 1, tzinfo=UTC)
ALL = pd.DataFrame({"a": np.arange(20_000), "b": np.arange(20_000) * 0.5})


def of(rows: pd.DataFrame) -> EvaluationSet:
    return evaluation_set(rows, ())


@pytest.mark.parametrize("rows", [100, 5_000])
@pytest.mark.parametrize("shared", [0.0, 0.1, 0.5, 1.0])
def test_the_share_of_common_rows_is_estimated_from_the_samples(rows: int, shared: float) -> None:
    begin = round(rows * (1 - shared))
    old, new = of(ALL[:rows]), of(ALL[begin : begin + rows])
    assert shared_rows(new, old) == pytest.approx(shared, abs=0.001 if rows == 100 else 0.08)
    assert overlaps(new, old) is (shared > 0)


def test_a_part_of_a_set_overlaps_with_it() -> None:
    assert overlaps(of(ALL[:500]), of(ALL[:5_000]))
    assert shared_rows(of(ALL[:500]), of(ALL[:5_000])) == pytest.approx(1, abs=0.25)


def test_fresh_rows_of_a_table_with_few_values_do_not_overlap() -> None:
    random = np.random.default_rng(20261127)

    def draw(rows: int) -> pd.DataFrame:
        return pd.DataFrame({name: random.integers(0, 4, rows) for name in "abcd"})

    assert not any(overlaps(of(draw(400)), of(draw(400))) for _ in range(50))
    same = draw(400)
    assert overlaps(of(same), of(same.sample(frac=1, random_state=1)))


def asked(key: str, **fields: object) -> Asked:
    common = {"model": "m", "version": 1, "evaluation_set": of(ALL[:100]), "steps": 2, "passes": 1, "by": "d/r", "at": AT}
    return Asked(key=key, **{**common, **fields})


def answered(key: str, status: Status, shown: Show = "decision", log_values: float | None = 0.0) -> Answered:
    return Answered(key=key, log_share=-0.7, status=status, shown=shown, log_values=log_values, by="d/r", at=AT)


def test_answers_are_counted_by_what_they_have_shown() -> None:
    failed = Entry(asked("a"), (answered("a", Status.FAIL),))
    passed = Entry(asked("b"), (answered("b", Status.PASS),))
    open_one = Entry(asked("c"))
    seen = Entry(asked("d"), (answered("d", Status.FAIL), answered("d", Status.FAIL, "exact", None)))
    assert not is_spent(account_of([failed]), asked("x"))
    assert is_spent(account_of([failed, failed]), asked("x")), "two models of two"
    assert is_spent(account_of([passed]), asked("x")), "after a pass, new rows are needed"
    assert not is_spent(account_of([open_one]), asked("x")), "killed before anybody saw its answer"
    assert is_spent(account_of([seen]), asked("x")), "everything about the rows is known"


def test_without_conditions_only_the_models_are_counted() -> None:
    simple = asked("x", guaranteed=False)
    entry = Entry(asked("a", guaranteed=False), (answered("a", Status.PASS, "exact", None),))
    assert not is_spent(account_of([entry]), simple)
    assert is_spent(account_of([entry, entry]), simple)


@pytest.mark.parametrize("kinds", [200, 800, 2_000])
def test_values_that_return_by_chance_are_no_overlap(kinds: int) -> None:
    random = np.random.default_rng(kinds)
    sets = [of(pd.DataFrame({"a": random.integers(0, kinds, 1_000)})) for _ in range(60)]
    assert not any(overlaps(new, old) for old, new in itertools.pairwise(sets))


def test_a_question_that_came_too_late_and_was_refused_does_not_count() -> None:
    answers = [Entry(asked(key), (answered(key, Status.FAIL),)) for key in "ab"]
    assert account_of([*answers, Entry(asked("late"))]).steps == 2


def test_a_decision_without_scores_is_no_pass() -> None:
    entry = Entry(asked("a"), (answered("a", Status.NOT_APPLICABLE),))
    assert not is_spent(account_of([entry]), asked("x"))
