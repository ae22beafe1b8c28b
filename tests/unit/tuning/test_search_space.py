"""The parameters that a sweep tries: within their bounds, no two alike, the same ones at every look."""

import json
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from helping import examples
from taxiway.spec.sweep import Sweep
from taxiway.tuning.search_space import parameter_sets


def sweep(**keys: object) -> Sweep:
    return Sweep.model_validate({"search": "random", **keys})


def test_a_grid_is_every_combination() -> None:
    found = parameter_sets(sweep(search="grid", space={"depth": [3, 5], "loss": ["a", "b", None]}))
    expected = [{"depth": depth, "loss": loss} for depth in (3, 5) for loss in ("a", "b", None)]
    assert len(found) == len(expected) == 6
    assert all(point in found for point in expected)


@examples(60)
@given(data=st.data())
def test_drawn_values_are_within_their_bounds_and_of_their_kind(data: st.DataObject) -> None:
    whole, log = data.draw(st.booleans()), data.draw(st.booleans())
    low = data.draw(st.integers(1, 1000) if whole else st.floats(1e-4, 10))
    high = low + data.draw(st.integers(1, 100_000) if whole else st.floats(1e-3, 1000))
    space = {"x": {"low": low, "high": high, "log": log}, "kind": ["a", "b"]}
    trials = min(20, 2 * (high - low + 1)) if whole else 20
    found = parameter_sets(sweep(trials=trials, space=space))
    assert found == parameter_sets(sweep(trials=trials, space=space))
    for point in found:
        assert isinstance(point["x"], int if whole else float)
        assert low * (1 - 1e-12) <= point["x"] <= high * (1 + 1e-12)
        assert json.loads(json.dumps(point)) == point
    assert len({json.dumps(point, sort_keys=True) for point in found}) == len(found) == trials


def test_both_ends_of_whole_numbers_come_up() -> None:
    for log in (False, True):
        found = parameter_sets(sweep(trials=3, space={"x": {"low": 1, "high": 3, "log": log}}))
        assert {point["x"] for point in found} == {1, 2, 3}


def test_with_log_each_magnitude_is_as_likely() -> None:
    found = parameter_sets(sweep(trials=1000, space={"x": {"low": 1e-4, "high": 1.0, "log": True}}))
    shares = [sum(math.floor(math.log10(point["x"])) == power for point in found) / len(found) for power in (-4, -3, -2, -1)]
    assert all(0.2 < share < 0.3 for share in shares)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"search": "grid", "space": {"x": {"low": 1, "high": 2}}}, "a grid search needs a list of values"),
        ({"search": "grid", "trials": 4, "space": {"x": [1, 2]}}, "a grid search tries all 2 combinations; remove trials"),
        ({"search": "grid", "space": {"x": [1]}}, "1 combinations; allowed: 2 to 1,000"),
        ({"space": {"x": [1, 2]}}, "a random search needs trials"),
        ({"trials": 9, "space": {"x": [1, 2, 3], "y": [1, 2]}}, "only 6 combinations"),
        ({"trials": 20, "space": {"x": {"low": 2, "high": 4}}}, "only 3 combinations"),
        ({"trials": 4, "space": {"x": [1, 1, 1, 1]}}, "1 combinations; allowed: 2 to 1,000"),
        ({"trials": 4, "space": {}}, "at least 1"),
        ({"trials": 4, "space": {"x": {"low": 2, "high": 1}}}, "low is 2 and high is 1; allowed: low below high"),
        ({"trials": 4, "space": {"x": {"low": 0, "high": 1, "log": True}}}, "allowed with log: above 0"),
        ({"trials": 4, "space": {"x": {"low": 0, "hi": 1}}}, "allowed: a list of values, or"),
        ({"trials": 4, "space": {"x": 3}}, "allowed: a list of values, or"),
        ({"trials": 2, "space": {"x": [date(2026, 1, 1), 2]}}, "allowed in a list: text, finite numbers"),
        ({"trials": 2, "space": {"x": [float("nan"), 2]}}, "allowed in a list: text, finite numbers"),
        ({"trials": 4, "search": "tpe", "space": {"x": [1, 2]}}, "'grid' or 'random'"),
        ({"trials": 4, "space": {"x": {"low": float("nan"), "high": 1}}}, "finite"),
    ],
)
def test_a_wrong_sweep_says_what_is_allowed(keys: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        sweep(**keys)
