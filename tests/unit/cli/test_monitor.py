"""`taxiway monitor`: what is served is compared with the evaluation rows, with labels and without."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from cli.local_runs import NAME, done, refused, run, taxiway
from cli.logged_weeks import START, log_regression, log_single_rows, log_week
from stages.conftest import Site

DAY = 86_400


@pytest.fixture
def champion(champion_site: Site) -> Site:
    return champion_site


@pytest.mark.usefixtures("champion")
def test_a_week_is_an_alert_if_it_is_worse_than_the_evaluation_rows() -> None:
    log_week(0, 1000, labelled=1000)
    quiet = taxiway("monitor", NAME, "--log", "log")
    assert quiet.exit_code == 0, quiet.output
    assert "worse" not in quiet.output
    log_week(1, 1000, flipped=True, labelled=600)  # only labels show it
    log_week(2, 1000, spread=0.1)  # the model is unsure of these rows
    log_week(3, 50, flipped=True, labelled=50)
    result = taxiway("monitor", NAME, "--log", "log")
    assert result.exit_code == 3
    title, _, *lines = result.output.splitlines()
    assert title.startswith(f"roc_auc of {NAME} version 1; on its evaluation rows 0.")
    assert "It does not see that the relation of features and label has changed" in result.output
    marks = [re.search(r"worse \(\w+\)|too few rows|$", line).group() for line in lines[:4]]  # type: ignore[union-attr]
    assert marks == ["", "worse (realised)", "worse (estimated)", "too few rows"]
    assert [line.split()[:3] for line in lines[:4]] == [
        ["2026-01-05", "1,000", "1,000"],
        ["2026-01-12", "1,000", "600"],
        ["2026-01-19", "1,000", "0"],
        ["2026-01-26", "50", "50"],
    ]
    everything = taxiway("monitor", NAME, "--log", "log", "--json").output
    content = json.loads(taxiway("monitor", NAME, "--log", "log", "--json", "--until", "2026-01-18").output)
    first, second = content["windows"]
    assert first["drift"] == second["drift"] == []
    assert first["joint_drift"] is second["joint_drift"] is None
    assert content["causes"]["causes"][0]["kind"] == "concept drift"
    assert "(concept drift)" in content["causes"]["message"]
    assert first["operation"] == {**first["operation"], "requests": 1, "errors": 0}
    assert "from 2026-01-19: 1 request, 0.0% with an error" in result.output
    third = json.loads(everything)["windows"][2]
    (drift,) = third["drift"]
    assert drift["column"] == "a"
    assert drift["message"].startswith("a: the share of values of at most ")
    assert drift["message"].endswith(" in the evaluation rows to 0.0% in the window")
    assert 0.2 < drift["distance"] < 1
    assert drift["p_value"] < 1e-6
    assert third["joint_drift"] is None, "the other columns are as before"
    assert first["estimated"]["low"] <= first["realised"]["value"] <= first["estimated"]["high"]
    assert second["realised"]["value"] < 0.5 < content["evaluation"]["low"] < second["estimated"]["high"]
    assert [window["alert"] for window in (first, second)] == ["", "realised"]
    assert re.search(r"2026-01-12 .*worse \(realised\): concept drift", result.output)
    assert f"from 2026-01-12: {second['concept_drift']}" in result.output
    assert re.match(
        r"concept drift, or wrong labels: the realised roc_auc \S+ \(.*\) is below the .* that was estimated for the same rows, which is "
        "not worse than on the evaluation rows$",
        second["concept_drift"],
    )
    assert (first["concept_drift"], third["concept_drift"]) == ("", "")
    check = first["calibration"]
    assert check["observed"]["low"] <= check["assumed"] <= check["observed"]["high"]
    assert third["calibration"] is None, "it has no labels"


@pytest.mark.usefixtures("champion")
def test_the_day_on_which_the_errors_changed_is_named() -> None:
    """Days of 300 rows: what is true turns around on the eleventh."""
    for day in range(18):
        log_week(day, 300, flipped=day >= 10, labelled=300, at=START + day * DAY)
    found = taxiway("monitor", NAME, "--log", "log", "--metric", "accuracy")
    (line,) = re.findall(r"^the error rate of .*$", found.output, re.M)
    assert re.fullmatch(
        r"the error rate of version 1 rose from 2\d\.\d% to 7\d\.\d% at about 2026-01-15 \(2026-01-1[45] to 2026-01-1[56]; 3,000 rows with a "
        r"label before, 2,400 after\)",
        line,
    ), line
    content = json.loads(taxiway("monitor", NAME, "--log", "log", "--metric", "accuracy", "--json").output)
    (change,) = content["changes"]
    assert (change["loss"], change["day"]) == ("error rate", "2026-01-15")
    quiet = json.loads(taxiway("monitor", NAME, "--log", "log", "--until", "2026-01-14", "--json").output)
    assert quiet["changes"] == []


def windows() -> list[dict[str, Any]]:
    """The windows of the log."""
    found: list[dict[str, Any]] = json.loads(taxiway("monitor", NAME, "--log", "log", "--json").output)["windows"]
    return found


@pytest.mark.usefixtures("champion")
def test_inputs_that_are_missing_or_related_otherwise_have_drifted() -> None:
    log_week(0, 1000, change=lambda cells: {"b": [None] * len(cells["b"])})
    log_week(1, 1000, change=lambda cells: {"b": ["x" if a < -0.43 else "y" if a < 0.43 else "z" for a in cells["a"]]})
    result = taxiway("monitor", NAME, "--log", "log")
    (missing,) = windows()[0]["drift"]
    assert (
        missing["message"] == "b: the share of missing values changed from 0.0% in the evaluation rows to 100.0% in the window"
    )
    second = windows()[1]
    assert second["drift"] == []
    assert set(second["joint_drift"]["columns"]) == {"a", "b"}
    assert 0.7 < second["joint_drift"]["auc"] < 1
    assert second["joint_drift"]["message"] in result.output
    assert re.search(r"2026-01-12 .* several together", result.output)


@pytest.mark.usefixtures("champion")
def test_a_worse_estimate_is_divided_among_the_inputs_that_drifted() -> None:
    log_week(0, 1000, spread=0.1, change=lambda cells: {"b": ["x"] * len(cells["b"])})  # `b` says nothing about the label
    result = taxiway("monitor", NAME, "--log", "log")
    causes = json.loads(taxiway("monitor", NAME, "--log", "log", "--json").output)["causes"]
    first, second = causes["causes"]
    assert [(each["kind"], each["name"]) for each in (first, second)] == [("input", "a"), ("input", "b")]
    assert (first["share"], second["share"]) == (pytest.approx(1, abs=0.1), pytest.approx(0, abs=0.1))
    assert first["error"] is None, "the shares of two inputs are exact"
    assert re.match(
        r"estimated roc_auc fell from 0\.8\d\d for evaluation rows to 0\.5\d\d in the window from 2026-01-05; "
        r"\d+\.\d% of it from a \(the share of values of at most .* in the window\)(, \d\.\d% of it from b)?$",
        causes["message"],
    )
    assert causes["message"] in result.output
    assert f"  1. input: {100 * first['share']:.1f}%: {first['message']}" in result.output


@pytest.mark.usefixtures("champion")
def test_what_may_be_a_cause_without_a_share_follows_and_says_since_when() -> None:
    log_week(0, 1000, labelled=1000)
    log_week(1, 1000, flipped=True, labelled=600)
    log_week(2, 50)  # too few rows to end the run of worse windows
    log_week(3, 1000, spread=0.1, labelled=600, flipped=True, change=lambda cells: {"a": [500.0, *cells["a"][1:]]})
    output = taxiway("monitor", NAME, "--log", "log", "--schema", "small.schema.yaml", "--json").output
    causes = json.loads(output)["causes"]
    assert (causes["first"], causes["since"]) == ("2026-01-26", "2026-01-12")
    kinds = [each["kind"] for each in causes["causes"]]
    assert kinds[:3] == ["input", "concept drift", "anomaly"]
    assert causes["causes"][0]["share"] == pytest.approx(1, abs=0.1)
    assert all(each["share"] is None for each in causes["causes"][1:])
    assert causes["causes"][2]["message"].startswith("anomaly 1: a in the requests of ")
    assert "worse since the window from 2026-01-12; realised roc_auc 0." in causes["message"]
    assert "; the estimated roc_auc fell from 0." in causes["message"]
    assert causes["message"].endswith("; anomaly 1)")


@pytest.mark.usefixtures("champion")
def test_inputs_that_the_log_does_not_have_are_not_compared() -> None:
    log_week(0, 1000, spread=3, settings={"omit_columns": ("b",), "hash_columns": ("a",)})
    (window,) = windows()
    assert window["drift"] == []
    assert window["joint_drift"] is None


@pytest.mark.usefixtures("champion")
def test_what_cannot_be_shown_says_why() -> None:
    assert "nowhere is not a folder" in refused("monitor", NAME, "--log", "nowhere")
    log_week(0, 200)
    assert "rmse is a metric for regression, and the model is for classification" in refused(
        "monitor", NAME, "--log", "log", "--metric", "rmse"
    )
    ece = refused("monitor", NAME, "--log", "log", "--metric", "expected_calibration_error")
    assert (
        "expected_calibration_error is larger for fewer rows, so windows cannot be compared by it; allowed: accuracy, " in ece
    )
    reversed_days = refused("monitor", NAME, "--log", "log", "--since", "2026-02-01", "--until", "2026-01-01")
    assert "the first day 2026-02-01 is after the last one, 2026-01-01" in reversed_days
    assert "mcc is not a metric" in refused("monitor", NAME, "--log", "log", "--metric", "mcc")
    assert " 2026-01-01 " in done("monitor", f"{NAME}/1", "--log", "log", "--every", "month", "--metric", "log_loss")
    later = refused("monitor", NAME, "--log", "log", "--since", "2026-06-01")
    assert f"log has no logged requests of {NAME} on these days" in later


def test_the_errors_of_a_regression_are_estimated_and_realised(site: Site) -> None:
    path = Path("small.pipeline.yaml")
    text = path.read_text().replace("label: y", "label: a").replace("LogisticRegression", "LinearRegression")
    path.write_text(
        text.replace("roc_auc: 0.6", "mae: 9").replace("roc_auc, min_improvement: -0.05", "mae, min_improvement: -1")
    )
    schema = Path("small.schema.yaml")
    schema.write_text(schema.read_text().replace("label: y", "label: a"))
    assert run().exit_code == 0
    log_regression()
    result = taxiway("monitor", NAME, "--log", "log")
    assert result.exit_code == 3
    assert "worse (realised)" in result.output
    log_week(1, 500, labelled=300, change=lambda cells: {"y": [value > 0 for value in cells["a"]]})
    content = json.loads(taxiway("monitor", NAME, "--log", "log", "--json").stdout)
    windows = content["windows"]
    assert [window["realised"] is not None for window in windows] == [True, True]
    of_labelled, realised = windows[1]["estimated_of_labelled"], windows[1]["realised"]
    assert windows[1]["estimated"]["rows"] == 500
    assert of_labelled["rows"] == realised["rows"] == 300
    assert windows[1]["estimated"]["value"] == pytest.approx(content["evaluation"]["value"], rel=0.1)
    assert realised["low"] > windows[1]["estimated"]["high"], "the labels have more noise than those of the evaluation rows"
    rsquared = taxiway("monitor", NAME, "--log", "log", "--metric", "r2", "--since", "2026-01-12").output
    assert "of a regression, only mae and rmse can be estimated without labels" in rsquared


@pytest.mark.usefixtures("champion")
def test_requests_are_validated_by_the_columns_that_they_have() -> None:
    log_week(0, 300)
    log_week(1, 300, change=lambda cells: {"a": [*cells["a"][:-3], 500.0, -700.0, 600.0]})
    schema = Path("small.schema.yaml")
    schema.write_text(f"min_rows: 1000\n{schema.read_text()}rules: {{y_known: {{sql: y is not null}}}}\n")
    content = json.loads(done("monitor", NAME, "--log", "log", "--schema", str(schema), "--json"))
    first, second = (window["anomalies"] for window in content["windows"])
    assert first == []
    (message,) = second
    assert message.startswith(f"a in the requests of {NAME} version 1 is outside -100 to 100 in 3 of 300 rows")
    assert message in taxiway("monitor", NAME, "--log", "log", "--schema", str(schema)).output


@pytest.mark.usefixtures("champion")
def test_limits_of_skew_compare_the_requests_with_the_training_rows() -> None:
    schema = Path("small.schema.yaml")
    text = schema.read_text().replace("range: {min: -100, max: 100}", "skew: {limit: 0.1, severity: error}")
    schema.write_text(text.replace("domain: open", "domain: open, skew: {limit: 0.1, severity: warning}"))
    log_week(0, 500)
    log_week(1, 500, change=lambda cells: {"a": [value + 1 for value in cells["a"]], "b": ["x"] * 500})
    windows = json.loads(done("monitor", NAME, "--log", "log", "--schema", str(schema), "--json"))["windows"]
    assert windows[0]["anomalies"] == []
    (message,) = windows[1]["anomalies"]
    assert message.startswith("a: the serving data differs from the training data (the median changed from ")


@pytest.mark.usefixtures("champion")
def test_single_values_neither_stop_the_comparison_nor_hide_a_column() -> None:
    log_week(0, 1000, change=lambda cells: {"a": [math.nan, *(value + 3 for value in cells["a"][1:])]})
    log_week(1, 1000, change=lambda cells: {"a": [12345678901234567890123456789012, *(value + 3 for value in cells["a"][1:])]})
    for window in windows():
        (drift,) = window["drift"]
        assert drift["column"] == "a"


@pytest.mark.usefixtures("champion")
def test_requests_of_the_future_are_not_looked_at() -> None:
    log_week(0, 1000, flipped=True, labelled=1000)
    log_week(4000, 1000)
    result = taxiway("monitor", NAME, "--log", "log", "--json")
    assert result.exit_code == 3
    assert [window["first"] for window in json.loads(result.output)["windows"]] == ["2026-01-05"]


@pytest.mark.usefixtures("champion")
def test_repeated_requests_are_left_out_and_the_labelled_one_counts() -> None:
    log_single_rows(400, 0)
    once = windows()
    log_single_rows(400, 200, day=7, labelled=150)
    result = taxiway("monitor", NAME, "--log", "log")
    assert (
        "from 2026-01-12: 200 repeated requests are left out: the same caller sent the same rows at most 5 minutes"
        in result.output
    )
    first, second = windows()
    assert [first] == once
    assert (first["repeated"], first["rows"]) == (0, 400)
    assert (second["repeated"], second["rows"], second["labelled"]) == (200, 400, 150)
    assert second["estimated"]["rows"] == 400
    assert second["realised"]["rows"] == 150
    assert second["operation"]["requests"] == 600, "all of them were answered"


@pytest.mark.usefixtures("champion")
def test_a_window_whose_rows_are_all_alike_says_so_and_is_no_alert() -> None:
    log_week(0, 1000, labelled=500, change=lambda cells: {"id": [1] * 1000, "a": [0.1] * 1000, "b": ["x"] * 1000})
    result = taxiway("monitor", NAME, "--log", "log")
    assert result.exit_code == 0
    assert "rows alike" in result.output
    assert "1,000 of 1,000 rows are the same, so the performance of others is not known" in result.output
    (window,) = windows()
    assert (window["alike"], window["estimated"], window["realised"]) == (1000, None, None)
