"""`taxiway gate ledger` and `gate show`, after local runs: what was asked, what is left, and the scores for their price."""

import json
from pathlib import Path

import pytest
from cli.local_runs import NAME, PIPELINE, done, refused, run, taxiway
from stages.conftest import Site

GATE = PIPELINE[: PIPELINE.index("gate:")] + 'gate: {conditions: ["n > 0.95 +/- 0.05"], budget: {steps: 3}}\n'
SHOW = ("gate", "show", f"{NAME}/1", "--dags", "small.pipeline.yaml", "--data", "data")


@pytest.fixture
def site(site: Site) -> Site:
    (site.folder / "small.pipeline.yaml").write_text(GATE)
    return site


@pytest.mark.usefixtures("site")
def test_what_was_asked_is_listed_and_scores_are_shown_for_the_rows() -> None:
    first = run()
    assert "Scores are withheld (gate.show: decision), because up to 2 more models may be tried" in first.output
    assert "accuracy 0." not in first.output
    listed = done("gate", "ledger", NAME).splitlines()
    assert listed[0] == f"{NAME}: 1 query about 1 evaluation set"
    assert listed[2].startswith("1,000 rows, ")
    assert listed[2].endswith(": 1 of 3 models tried, 0 of 1 pass; 66.7% of the error is left")
    assert "version 1: FAIL, 1 bit shown  (by runner.small/local__" in listed[3]

    (content,) = json.loads(done("gate", "ledger", NAME, "--json"))
    assert (content["rows"], content["models"], content["passes"]) == (1000, 1, 0)
    assert content["error_left"] == pytest.approx(2 / 3)
    assert [answer["bits"] for answer in content["queries"][0]["answers"]] == [1]

    assert taxiway(*SHOW).exit_code != 0, "it asks first"
    assert json.loads(done("gate", "ledger", NAME, "--json"))[0]["error_left"] > 0
    shown = done(*SHOW, "--yes")
    assert "n > 0.95 +/- 0.05 is not met: n = 0." in shown
    assert "all scores are in its MLflow run now" in shown
    listed = done("gate", "ledger", NAME).splitlines()
    assert listed[2].endswith("everything about the rows may be known")
    assert "more shown to " in listed[3]
    assert "all scores shown" in listed[3]
    assert done(*SHOW) == shown, "scores that were shown before are shown without a prompt"


@pytest.mark.usefixtures("site")
def test_nothing_asked_and_no_such_model_are_measured_shift() -> None:
    Path("small.pipeline.yaml").write_text(PIPELINE)
    assert run("--until", "train").exit_code == 0
    assert done("gate", "ledger", NAME) == f"nothing was asked about versions of {NAME}: it has spent no evaluation rows\n"
    assert "MLflow has no model runner.smal; allowed: runner.small" in refused("gate", "ledger", "runner.smal")


@pytest.mark.usefixtures("site")
def test_a_copy_of_the_pipeline_under_another_name_has_the_same_rows_to_spend() -> None:
    passes = GATE.replace("n > 0.95", "n > 0.6")
    Path("small.pipeline.yaml").write_text(passes)
    assert "other pipelines" not in run().output
    copy = passes.replace("pipeline: small", "pipeline: copy")
    command = ("run", "copy.pipeline.yaml", "--data", "data")
    Path("copy.pipeline.yaml").write_text(copy)
    assert taxiway(*command).exit_code == 0, "the same predictions are the same query"
    copy = copy.replace("LogisticRegression", "LogisticRegression, params: {C: 0.01}")
    Path("copy.pipeline.yaml").write_text(copy)
    refusal = taxiway(*command, "--again", "other parameters").output
    spent = f"1 passed (gate.budget.adaptivity: first-change); among them 1 model of other pipelines ({NAME}). Bring new rows"
    assert spent in refusal
    assert f"what was asked: taxiway gate ledger {NAME}" in refusal
    assert (
        "If whoever makes models of runner.copy does not know those answers, state it with gate.budget.shared: false."
        in refusal
    )

    stating = copy.replace("pipeline: copy", "pipeline: third").replace("steps: 3}", "steps: 3, shared: false}")
    Path("third.pipeline.yaml").write_text(stating)
    stated = taxiway("run", "third.pipeline.yaml", "--data", "data").output
    assert "2 models of other pipelines (runner.copy, runner.small) tried on these rows: not counted, because" in stated
    assert "PASS: n > 0.6 +/- 0.05 is met" in stated
    listed = done("gate", "ledger", "runner.third").splitlines()
    assert listed[3].startswith(
        "    2 queries, not counted (gate.budget.shared: false), about models of other pipelines: runner."
    )
    (content,) = json.loads(done("gate", "ledger", "runner.third", "--json"))
    assert (content["elsewhere"], content["counts_elsewhere"]) == ({NAME: 1, "runner.copy": 1}, False)
    assert content["models"] == 1
    (content,) = json.loads(done("gate", "ledger", NAME, "--json"))
    assert (content["elsewhere"], content["models"]) == ({"runner.copy": 1, "runner.third": 1}, 2)
