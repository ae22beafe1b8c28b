"""`taxiway monitor` compares a window with the one before, too: what is new differs from what is not as in the evaluation rows."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli.local_runs import NAME, taxiway
from cli.logged_weeks import Cells, log_week
from cli.turned_champion import TURNED

from taxiway.stages.monitor.windows.drift import ColumnDrift, WindowDrift
from taxiway.stages.monitor.windows.earlier import DriftSince, EarlierRows, has_new_drift

FIRST = date(2026, 1, 5)


def windows(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(taxiway("monitor", NAME, "--log", "log", "--json", *arguments).output)["windows"]
    return found


def shifted(cells: Cells) -> dict[str, list[Any]]:
    return {"a": [value + 1 for value in cells["a"]]}


def columns(window: dict[str, Any]) -> tuple[list[str], list[str] | None]:
    """The inputs that differ from the evaluation rows, and those that differ from the window before."""
    since = window["drift_since_before"]
    return [each["column"] for each in window["drift"]], since and [each["column"] for each in since["drift"]["columns"]]


@pytest.mark.usefixtures("champion_site")
def test_a_change_that_stays_is_new_in_its_first_window_only() -> None:
    log_week(0, 1000)
    log_week(1, 1000, change=shifted)
    log_week(2, 1000, change=shifted)
    assert [columns(window) for window in windows()] == [([], None), (["a"], ["a"]), (["a"], [])]
    log_week(3, 1000)
    *_, newest = windows()
    assert columns(newest) == ([], ["a"]), "back to what it was"
    output = taxiway("monitor", NAME, "--log", "log").output
    (change,) = newest["drift_since_before"]["drift"]["columns"]
    assert " in the window from 2026-01-19 to " in change["message"]
    assert f"from 2026-01-26: {change['message']}" in output


@pytest.mark.usefixtures("champion_site")
def test_a_week_without_a_gateway_is_left_out_and_those_around_it_are_compared() -> None:
    log_week(0, 1000, labelled=500)
    log_week(2, 1000, labelled=500)
    log_week(3, 50)
    log_week(4, 1000, change=shifted)
    found = windows()
    assert [window["first"] for window in found] == ["2026-01-05", "2026-01-19", "2026-01-26", "2026-02-02"]
    assert [window["alert"] for window in found[:2]] == ["", ""]
    before = [window["drift_since_before"] and window["drift_since_before"]["first"] for window in found]
    assert before == [None, "2026-01-05", None, "2026-01-19"], "the newest one with enough rows"
    assert columns(found[3]) == (["a"], ["a"])
    assert "0 rows" not in taxiway("monitor", NAME, "--log", "log").output
    (only,) = windows("--since", "2026-02-02")
    assert only["drift_since_before"]["first"] == "2026-01-19", "also if it is before the first window"


def test_drift_is_new_if_it_is_not_in_the_last_window_with_enough_rows() -> None:
    rows, drifted = pd.DataFrame({"a": [1.0]}), WindowDrift((ColumnDrift("a", 0.2, 1e-6, "a changed"),), None)
    same, other = DriftSince(FIRST, WindowDrift((), None)), DriftSince(FIRST, drifted)
    before = EarlierRows(FIRST, rows, None, drifted)
    assert [has_new_drift(drifted, *given) for given in ((None, None), (other, before), (same, before))] == [True, True, False]
    assert has_new_drift(drifted, same, EarlierRows(FIRST, rows, None, WindowDrift((), None))), "a slow change"
    assert not has_new_drift(drifted, same, EarlierRows(FIRST, rows, None)), "it was not compared with the evaluation rows"
    assert not has_new_drift(WindowDrift((), None), None, None)


@pytest.mark.usefixtures("turned_site")
def test_the_first_window_of_a_version_is_compared_with_one_of_the_version_before() -> None:
    log_week(0, 1000)
    log_week(1, 1000, version=TURNED, change=shifted)
    (window,) = windows()
    assert (window["first"], window["drift_since_before"]["first"]) == ("2026-01-12", "2026-01-05")
    assert columns(window)[1] == ["a"]
    (later,) = windows("--since", "2026-01-12")
    assert columns(later)[1] == ["a"], "also if --since leaves the window before out"


@pytest.mark.usefixtures("champion_site")
def test_limits_of_drift_compare_a_window_with_the_one_before() -> None:
    schema = Path("small.schema.yaml")
    schema.write_text(schema.read_text().replace("range: {min: -100, max: 100}", "drift: {limit: 0.1, severity: error}"))
    log_week(0, 500, change=shifted)
    log_week(1, 500, change=shifted)
    log_week(2, 500)
    found = [window["anomalies"] for window in windows("--schema", str(schema))]
    assert found[:2] == [[], []]
    (message,) = found[2]
    assert "differs from the window from 2026-01-12" in message
