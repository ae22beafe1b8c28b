"""Worse slices of the newest window with labels: what is found, what is not, and how they are called."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cli.local_runs import NAME, taxiway
from cli.logged_weeks import Cells, log_week
from stages.conftest import Site

from taxiway.evaluation.predictions import Predictions
from taxiway.records import Interval
from taxiway.stages.monitor.slices import compared_slices
from taxiway.stages.monitor.windows.labels.rows import LabelledRows
from taxiway.stages.monitor.windows.performance import Reference


@pytest.fixture
def champion(champion_site: Site) -> Site:
    return champion_site


def slices(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(taxiway("monitor", NAME, "--log", "log", "--json", *arguments).output)["slices"]
    return found


def noisy(cells: Cells) -> dict[str, list[Any]]:
    """The signal of the rows of `x` is lost between the source and the gateway."""
    rng = np.random.default_rng(5)
    return {"a": [float(rng.normal()) if b == "x" else a for a, b in zip(cells["a"], cells["b"], strict=True)]}


@pytest.mark.usefixtures("champion")
def test_the_slice_that_is_worse_is_named_with_its_numbers() -> None:
    log_week(0, 1500, labelled=1500, change=noisy)
    log_week(1, 1500)  # without labels
    (found,) = slices()
    assert (found["column"], found["value"]) == ("b", '"x"')
    assert found["realised"]["high"] < found["evaluation"]["low"]
    assert found["realised"]["rows"] > 400
    shown = taxiway("monitor", NAME, "--log", "log").output
    assert "realised roc_auc fell from 0." in shown
    assert '. slice: b = "x": roc_auc 0.' in shown
    assert shown.count("of the evaluation rows\n") == 1


@pytest.mark.usefixtures("champion")
def test_a_quiet_window_and_one_without_labels_have_no_worse_slices() -> None:
    log_week(0, 1500)
    assert slices() == []
    log_week(1, 1500, labelled=1500)
    assert slices() == []
    log_week(2, 1500, labelled=1500, change=noisy, settings={"hash_columns": ("b",)})
    assert slices("--since", "2026-01-19") == [], "the log has no values of b"


def rows(rng: np.random.Generator, count: int, wrong: Mapping[str, float]) -> LabelledRows:
    """Rows of which a tenth is predicted wrongly, of some values of `b` another share."""
    inputs = pd.DataFrame({"b": rng.choice(list("uvwxyz"), count), "c": rng.choice(list("klmn"), count)})
    labels = (rng.random(count) < 0.5).astype(float)
    shares = inputs["b"].map(lambda value: wrong.get(value, 0.1)).to_numpy()
    predicted = np.where(rng.random(count) < shares, 1 - labels, labels)
    return LabelledRows(Predictions(np.column_stack([1 - predicted, predicted]), predicted.astype(np.intp), 1), labels, inputs)


REFERENCE = Reference("accuracy", ("a", "b"), None, Interval(value=0.9, low=0.8, high=1, rows=9), None, None, "")


def test_quiet_windows_have_a_worse_slice_in_one_of_a_hundred_at_most() -> None:
    rng = np.random.default_rng(3)
    found = [compared_slices(REFERENCE, rows(rng, 1500, {}), rows(rng, 900, {})) for _ in range(60)]
    assert sum(map(bool, found)) <= 2


def test_the_largest_losses_are_first_and_at_most_five() -> None:
    rng = np.random.default_rng(4)
    before = rows(rng, 3000, {})
    found = compared_slices(REFERENCE, before, rows(rng, 3000, {"x": 0.6, "y": 0.4}))
    assert [(each.column, each.value) for each in found[:2]] == [("b", '"x"'), ("b", '"y"')]
    assert len(compared_slices(REFERENCE, before, rows(rng, 3000, dict.fromkeys("uvwxyz", 0.5)))) == 5


def test_a_number_is_called_by_its_text_and_a_missing_value_is_no_slice() -> None:
    rng = np.random.default_rng(6)
    codes = {value: float(at) for at, value in enumerate("uvwxy")}
    before, after = (
        replace(each, inputs=pd.DataFrame({"code": each.inputs["b"].map(codes)}))
        for each in (rows(rng, 3000, {}), rows(rng, 3000, {"v": 0.9, "z": 0.9}))
    )
    (found,) = compared_slices(REFERENCE, before, after)
    assert found.describe("accuracy").startswith("code = 1: accuracy 0.")
