"""The model gate's reasons about conditions: the decision, its numbers, and what to bring if there are too few rows."""

from datetime import date
from typing import Any

import pytest

from taxiway.gates.conditions.reasons import condition_reasons
from taxiway.gates.model_gate import UnscorableChampion, decide
from taxiway.records import Candidate, DataReport, Evaluation, Interval, MetricResult, Reason, RowGroups, RowMeans, Status
from taxiway.spec.gate import Gate

COSTS = {"cost": {"costs": {"a": {"b": 5}, "b": {"a": 10}}}}


def gate(*conditions: Any, **keys: Any) -> Gate:
    return Gate.model_validate({"conditions": conditions, **keys})


def evaluation(rows: int, new: float, old: float | None = None, d: float | None = 0.1, **keys: Any) -> Evaluation:
    metric = keys.pop("metric", "accuracy")
    champion = {} if old is None else {"champion": old, "disagreement": d, "variance": keys.pop("variance", d)}
    means = RowMeans(metric=metric, rows=rows, units=keys.pop("units", rows), candidate=new, **champion)
    interval = Interval(value=new, low=new, high=new, rows=rows)
    return Evaluation(
        snapshot="s",
        model="f.m",
        candidate=2,
        champion=None if old is None else 1,
        confidence=0.99,
        metrics=(MetricResult(metric=metric, candidate=interval, champion=None, difference=None),),
        row_means=(means,),
        **keys,
    )


def reason(found: Evaluation, asked: Gate) -> Reason:
    (only,) = condition_reasons(found, asked)
    return only


def test_a_clear_gain_passes_with_its_numbers() -> None:
    found = reason(evaluation(20_000, 0.87, 0.84), gate("n - o > 0.01 +/- 0.01"))
    assert found.status is Status.PASS
    for part in (
        "n - o > 0.01 +/- 0.01 is met: n - o = +0.030 (+0.0",
        "Bennett or exact binomial of wins and losses)",
        "accuracy: n 0.8700, o 0.8400; 20,000 rows",
        "99% confidence for all of 8 models on these rows",
    ):
        assert part in found.message


def test_a_regression_has_no_disagreement_and_is_compared_row_by_row() -> None:
    metrics = {"minutes": {"function": "m.py:f", "range": [0, 60], "problem": "regression"}}
    asked = gate({"condition": "o - n > 0 +/- 1", "metric": "minutes"}, metrics=metrics)
    found = reason(evaluation(20_000, 9.1, 9.8, d=None, variance=16.0, metric="minutes"), asked)
    assert (found.status, found.method) == (Status.PASS, "empirical Bernstein for the difference")
    assert "o - n > 0 +/- 1 is met: o - n = +0.7" in found.message


def test_a_clear_loss_fails() -> None:
    found = reason(evaluation(20_000, 0.81, 0.84), gate("n - o > 0 +/- 0.01"))
    assert (found.status, "is not met" in found.message) == (Status.FAIL, True)


@pytest.mark.parametrize(
    ("mode", "status", "said"), [("fp-free", Status.FAIL, "is not shown"), ("fn-free", Status.PASS, "is not refuted")]
)
def test_with_enough_rows_the_mode_decides_about_the_same_within_the_noise(mode: str, status: Status, said: str) -> None:
    found = reason(evaluation(20_000, 0.842, 0.84), gate({"condition": "n - o > 0 +/- 0.01", "mode": mode}))
    assert found.status is status
    assert f"{said}, although there are enough rows for its tolerance ({mode})" in found.message
    assert "which includes 0, the same within noise: a difference of 0.0" in found.message


@pytest.mark.parametrize("mode", ["fp-free", "fn-free"])
def test_with_too_few_rows_it_is_undecided_and_says_what_to_bring(mode: str) -> None:
    found = reason(evaluation(5_000, 0.842, 0.84), gate({"condition": "n - o > 0 +/- 0.01", "mode": mode}))
    assert found.status is Status.UNDECIDED
    assert "its tolerance needs 9,519 rows, which is 4,519 more; 5,000 rows support n - o > 0 +/- 0.0139" in found.message


def test_a_tolerance_that_no_rows_support_is_undecided() -> None:
    found = reason(evaluation(5_000, 0.842, 0.84), gate("n - o > 0 +/- 0.0000001"))
    assert (found.status, "needs more than 10^12 rows" in found.message) == (Status.UNDECIDED, True)


def test_a_budget_makes_intervals_wider() -> None:
    one, many = (
        reason(evaluation(5_000, 0.865, 0.84), gate("n - o > 0 +/- 0.01", budget={"steps": steps, "adaptivity": "full"}))
        for steps in (1, 200)
    )
    assert (one.status, many.status) == (Status.PASS, Status.UNDECIDED)


def test_groups_of_rows_count_as_groups() -> None:
    grouped = evaluation(20_000, 0.87, 0.84, units=50.0, groups=RowGroups(column="day", groups=50))
    found = reason(grouped, gate("n - o > 0 +/- 0.01", group_by="day"))
    assert found.status is Status.UNDECIDED
    assert "20,000 rows in groups by day, worth 50.0 independent ones" in found.message
    assert "groups, which is" in found.message


def test_costs_have_their_own_range() -> None:
    asked = gate({"condition": "o - n > 0.05 +/- 0.1", "metric": "cost"}, metrics=COSTS)
    cheaper = evaluation(20_000, 0.5, 0.8, metric="cost", variance=2.0)
    found = reason(cheaper, asked)
    assert (found.status, "empirical Bernstein for the difference" in found.message) == (Status.PASS, True)
    assert reason(evaluation(300, 0.5, 0.8, metric="cost", variance=2.0), asked).status is Status.UNDECIDED


def test_several_conditions_share_the_error_by_holm() -> None:
    """The clear one is shown with half of the error, and leaves all of it to the other."""
    found = evaluation(5_000, 0.842, 0.84)
    alone = gate("n - o > 0 +/- 0.01", budget={"steps": 1})
    both = gate("n > 0.5 +/- 0.1", "n - o > 0 +/- 0.01", budget={"steps": 1})
    hopeless = gate("n > 0.95 +/- 0.01", "n - o > 0 +/- 0.01", budget={"steps": 1})
    (single,) = condition_reasons(found, alone)
    assert [*condition_reasons(found, both)][1] == single
    assert [*condition_reasons(found, hopeless)][1] != single


def test_without_a_champion_only_the_new_model_is_judged() -> None:
    asked = gate("n > 0.8 +/- 0.02 and n - o > 0 +/- 0.01", "d < 0.2 +/- 0.05")
    compared, alone = condition_reasons(evaluation(20_000, 0.87), asked)
    assert (compared.status, "no champion: d < 0.2 +/- 0.05 is about the champion" in compared.message) == (
        Status.NOT_APPLICABLE,
        True,
    )
    assert (alone.status, alone.message.startswith("n > 0.8 +/- 0.02 is met")) == (Status.PASS, True)


REPORT = DataReport(snapshot="s", schema_version="schema", status=Status.PASS, checks=9)
CANDIDATE = Candidate(
    model="f.m",
    version=2,
    snapshot="s",
    report=REPORT.digest,
    features="f",
    schema_version="schema",
    estimator="e",
    params="{}",
)


@pytest.mark.parametrize(("new", "status"), [(0.87, Status.PASS), (0.842, Status.FAIL)])
def test_a_gate_of_conditions_alone_decides(new: float, status: Status) -> None:
    asked = gate("n - o > 0 +/- 0.01")
    verdict = decide(CANDIDATE, REPORT, evaluation(20_000, new, 0.84), asked, today=date(2026, 11, 1))
    assert verdict.status is status


def test_conditions_on_the_new_model_can_replace_a_champion_that_cannot_be_scored() -> None:
    asked = gate("n > 0.9 +/- 0.01", champion_unscorable="thresholds")
    verdict = decide(
        CANDIDATE,
        REPORT,
        evaluation(20_000, 0.87),
        asked,
        today=date(2026, 11, 1),
        unscorable=UnscorableChampion(1, "champion version 1 cannot be scored"),
    )
    assert verdict.status is Status.FAIL
