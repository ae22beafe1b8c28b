"""Columns that leak the label are found by the order of their values, by the values, and by which rows lack one."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from taxiway.evaluation.leakage import columns_alone
from taxiway.spec.metrics import Problem

ROWS = 2_000
RNG = np.random.default_rng(0)
LATE = RNG.integers(0, 2, ROWS).astype(float)
MINUTES = RNG.gamma(2, 10, ROWS)
NOISE = RNG.normal(size=ROWS)


def found(problem: Problem, labels: Any, **columns: Any) -> list[tuple[str, str]]:
    return [(alone.column, alone.by) for alone in columns_alone(pd.DataFrame(columns), labels, problem)]


@pytest.mark.parametrize(
    ("column", "by"),
    [
        (LATE * 3 + NOISE / 2, "order"),
        (np.where(RNG.random(ROWS) < 0.3, np.nan, -LATE), "order"),
        (np.where(LATE == 1, "left", "stayed"), "values"),
        (np.where(LATE == 1, RNG.choice([1, 3], ROWS), RNG.choice([2, 4], ROWS)), "values"),
        (np.where(LATE == 1, NOISE, np.nan), "missing"),
        (np.where(LATE == 1, NOISE.astype(str), None), "missing"),
    ],
)
def test_a_column_that_gives_two_classes_away_is_found(column: Any, by: str) -> None:
    innocent = {
        "noise": NOISE,
        "id": np.arange(ROWS),
        "name": [f"n{at}" for at in range(ROWS)],
        "code": RNG.integers(0, 9, ROWS),
    }
    assert found("classification", LATE, **innocent, leak=column) == [("leak", by)]


@pytest.mark.parametrize(
    ("column", "by"),
    [
        (np.exp(MINUTES / 10), "order"),
        (pd.cut(MINUTES, 40).astype(str), "values"),
    ],
)
def test_a_column_that_gives_a_number_away_is_found(column: Any, by: str) -> None:
    assert found("regression", MINUTES, noise=NOISE, constant=np.ones(ROWS), leak=column) == [("leak", by)]


def test_the_order_is_scored_by_the_roc_auc() -> None:
    column = LATE * 3 + np.round(NOISE)
    (alone,) = columns_alone(pd.DataFrame({"x": column}), LATE, "classification")
    assert (alone.metric, alone.value) == ("roc_auc", pytest.approx(roc_auc_score(LATE, column), abs=0.001))


def test_a_sample_of_many_rows_finds_the_same() -> None:
    many = np.tile(LATE, 50)
    assert found("classification", many, leak=many, noise=RNG.normal(size=many.size)) == [("leak", "order")]


@pytest.mark.parametrize("labels", [LATE[:30], np.ones(ROWS), np.r_[np.ones(19), np.zeros(1000)]])
def test_too_few_rows_of_a_class_tell_nothing(labels: Any) -> None:
    assert found("classification", labels, leak=labels) == []


def test_a_column_without_any_value_and_infinite_numbers_are_no_obstacle() -> None:
    with np.errstate(all="raise"):
        assert (
            found(
                "classification",
                LATE,
                empty=np.full(ROWS, np.nan),
                text=[None] * ROWS,
                endless=np.where(NOISE > 0, np.inf, 1.0),
            )
            == []
        )
