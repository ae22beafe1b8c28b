"""`taxiway monitor --outliers`: the requests whose rows are unlike the evaluation rows."""

import json
import re
from typing import Any

import pytest
from cli.local_runs import NAME, taxiway
from cli.logged_weeks import log_week
from stages.conftest import Site


@pytest.fixture
def champion(champion_site: Site) -> Site:
    return champion_site


def changed(rows: int) -> Any:
    """Changes the first rows: an unknown category and a large number."""
    return lambda cells: {"a": [50.0] * rows + cells["a"][rows:], "b": ["new"] * rows + cells["b"][rows:]}


@pytest.mark.usefixtures("champion")
def test_the_most_outlying_rows_are_named_with_what_makes_them_so() -> None:
    log_week(0, 1000)
    log_week(1, 1000, change=changed(80))
    result = taxiway("monitor", NAME, "--log", "log", "--outliers", "ecod")
    assert result.exit_code == 0, result.output
    assert re.search(r"^from 2026-01-12: \S+ \(.* to .*\) of 1,000 rows are outliers \(ecod\); without", result.output, re.M)
    assert re.search(r"^  1\. request week-1, row \d+: score .*a 50 \(above all evaluation rows\)", result.output, re.M)
    content = json.loads(taxiway("monitor", NAME, "--log", "log", "--outliers", "ecod", "--json").output)
    quiet, loud = (window["outliers"] for window in content["windows"])
    assert (quiet["too_many"], loud["too_many"]) == (False, True)
    assert 0.08 <= loud["share"]["value"] < 0.12
    (most,) = loud["most"]
    assert most["request"] == "week-1", "of the one request, its most outlying row"
    assert most["row"] < 80
    assert 'b "new" (no evaluation row)' in most["inputs"]


@pytest.mark.usefixtures("champion")
def test_a_window_with_too_few_rows_and_one_that_is_not_to_be_scored_have_none() -> None:
    log_week(0, 50)
    few = taxiway("monitor", NAME, "--log", "log", "--outliers", "ecod", "--json")
    assert [window["outliers"] for window in json.loads(few.output)["windows"]] == [None]
    log_week(1, 500)
    result = taxiway("monitor", NAME, "--log", "log")
    assert "outliers" not in result.output
