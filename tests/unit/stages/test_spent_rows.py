"""Evaluation rows are spent by answers: reruns are counted, scores are withheld until they cost nothing, and crashes count once."""

import logging
import math
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stages.asked_once import GOOD_ENOUGH, TOO_GOOD, Asked, asked, pipeline, run
from stages.conftest import Site

from taxiway.errors import TerminalError
from taxiway.ledger.answers.chains import all_entries
from taxiway.ledger.chain import Ledger
from taxiway.lineage.verdicts import judged_version
from taxiway.records import Outcome, ReasonCode, Status, Verdict
from taxiway.records.recorder import InMemoryRun
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.review import PipelineReview, decide_again, show_scores
from taxiway.stages.runner import run_in

SIMPLE = {"thresholds": {"roc_auc": 0.95}, "against_champion": {"metric": "roc_auc", "min_improvement": -0.05}}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Rows that no other test has asked, on the MLflow of all."""
    made = Site(tmp_path, f"small_{uuid.uuid4().hex[:8]}", first_id=uuid.uuid4().int % 10**9 * 100_000)
    made.arrive(1)
    made.arrive(2)
    return made


@pytest.fixture
def failed(tmp_path: Path, for_all: Path) -> Iterator[Asked]:
    """The first of three models did not pass, and its scores are withheld."""
    with asked(tmp_path, for_all / "too_good", TOO_GOOD) as made:
        yield made


@pytest.fixture
def passed(tmp_path: Path, for_all: Path) -> Iterator[Asked]:
    """The first model passed, which ends its evaluation set."""
    with asked(tmp_path, for_all / "good_enough", GOOD_ENOUGH) as made:
        yield made


def reason(verdict: Verdict, code: ReasonCode) -> str:
    return next(each.message for each in verdict.reasons if each.code is code)


def entries(installation: Installation, site: Site) -> list[Any]:
    return all_entries(Ledger(installation.client, installation.services.ledger_keys), f"runner.{site.name}")


def scores_in(log: str) -> list[str]:
    return re.findall(r"\bn (?:= )?0\.\d+", log)


def test_scores_are_withheld_until_no_other_model_may_be_tried(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "taxiway")
    for depth in (1, 2):
        found, verdict = run(installation, pipeline(site, TOO_GOOD, depth))
        assert verdict.status is Status.FAIL
        assert found.evaluation is not None
        assert (found.evaluation.withheld, found.evaluation.metrics, found.evaluation.row_means) == (True, (), ())
        assert found.summary is not None
        logged = installation.client.get_run(found.summary.mlflow_run)
        costs = {"predict.ms_per_row", "model.bytes", "baseline.linear.predict_ms_per_row", "baseline.linear.model_bytes"}
        assert costs & set(logged.data.metrics)
        assert not {name for name in logged.data.metrics if re.match("evaluation|champion|baseline", name)} - costs
        assert not [file.path for file in installation.client.list_artifacts(logged.info.run_id) if "evaluation" in file.path]
        assert "n > 0.95 +/- 0.05: not shown to be met on the 1,000 evaluation rows. Scores are withheld" in reason(
            verdict, ReasonCode.SCORES_WITHHELD
        )
        assert verdict.spent is not None
        assert verdict.spent.describe().startswith(
            f"{depth} of 3 models tried on these 1,000 rows, none passed; up to {3 - depth} more"
        )
    assert not scores_in(caplog.text)
    found, verdict = run(installation, pipeline(site, TOO_GOOD, 3))
    assert found.evaluation is not None
    assert found.evaluation.row_means[0].candidate > 0.6, "the last one: nothing is left to protect"
    assert scores_in(caplog.text), "the same search finds them once they are shown"
    assert "is not met: n = 0." in reason(verdict, ReasonCode.CONDITION)
    found, verdict = run(installation, pipeline(site, TOO_GOOD, 4))
    assert verdict.status is Status.UNDECIDED
    assert found.summary is not None
    assert found.summary.outcome is Outcome.UNDECIDED
    message = reason(verdict, ReasonCode.ROWS_SPENT)
    assert message.startswith("the 1,000 evaluation rows are spent: 3 of 3 models tried (gate.budget.steps). Bring new rows: ")
    assert found.evaluation is not None
    assert found.evaluation.withheld


def test_the_same_model_again_is_free(failed: Asked) -> None:
    site, installation = failed.site, failed.installation
    again = run(installation, pipeline(site, TOO_GOOD))[1]
    assert again.version == failed.verdict.version
    assert [verdict.spent.models for verdict in (failed.verdict, again) if verdict.spent] == [1, 1]
    assert len(entries(installation, site)) == 1


def test_a_pass_shows_everything_and_ends_the_set_but_not_the_next_one(passed: Asked) -> None:
    site, installation = passed.site, passed.installation
    assert passed.verdict.status is Status.PASS
    assert passed.evaluation.metrics
    _, second = run(installation, pipeline(site, GOOD_ENOUGH, 2))
    assert second.status is Status.UNDECIDED
    assert "spent: 1 of 3 models tried, 1 passed (gate.budget.adaptivity: first-change)" in reason(
        second, ReasonCode.ROWS_SPENT
    )
    site.arrive(3)
    third = run_in(installation, pipeline(site, GOOD_ENOUGH, 2))
    assert third.verdict is not None
    assert third.verdict.status is Status.PASS


@pytest.mark.parametrize(
    "source",
    [
        {"sample": {"fraction": 0.5, "by": "id"}},
        {"split": {"by": "id", "evaluation": 0.5}, "spans": "{data}/{SPAN}.parquet"},
        {"rows": "b <> 'x'"},
    ],
)
def test_other_settings_do_not_bring_new_rows(passed: Asked, source: dict[str, Any]) -> None:
    site, installation = passed.site, passed.installation
    whole = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y"}
    _, second = run(installation, pipeline(site, GOOD_ENOUGH, 2, source={**whole, **source}))
    assert second.status is Status.UNDECIDED
    assert "on 1 other evaluation set that shares rows with them" in reason(second, ReasonCode.ROWS_SPENT)


def test_a_larger_budget_does_not_bring_new_rows(passed: Asked) -> None:
    site, installation = passed.site, passed.installation
    _, wider = run(installation, pipeline(site, {**GOOD_ENOUGH, "budget": {"steps": 100, "adaptivity": "full"}}, 2))
    assert wider.status is Status.UNDECIDED


def test_thresholds_are_counted_too_and_show_everything(site: Site, installation: Installation) -> None:
    gate = {**SIMPLE, "budget": {"steps": 2}}
    for depth in (1, 2):
        found, verdict = run(installation, pipeline(site, gate, depth))
        assert verdict.status is Status.FAIL
        assert found.evaluation is not None
        assert found.evaluation.metrics
    _, third = run(installation, pipeline(site, gate, 3))
    assert third.status is Status.UNDECIDED
    assert "2 of 2 models tried" in reason(third, ReasonCode.ROWS_SPENT)


def test_rounded_means_are_shown_at_a_price(site: Site, installation: Installation) -> None:
    found, verdict = run(installation, pipeline(site, {**TOO_GOOD, "show": "rounded"}))
    assert found.evaluation is not None
    (means,) = found.evaluation.row_means
    assert (100 * means.candidate) % 1 == pytest.approx(0, abs=1e-9)
    assert f"accuracy about {means.candidate:.2f}" in reason(verdict, ReasonCode.SCORES_WITHHELD)
    (entry,) = entries(installation, site)
    assert entry.log_values == pytest.approx(math.log(101))
    second = run(installation, pipeline(site, {**TOO_GOOD, "show": "rounded"}, 2))[1]
    assert second.spent is not None
    assert second.spent.error_left == pytest.approx(1 / 3 / 101**2)


def test_a_kill_between_booking_and_showing_asks_once(
    site: Site, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    import taxiway.evaluation.evaluate as module

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            run(installation, pipeline(site, TOO_GOOD))
    (entry,) = entries(installation, site)
    assert [one.status for one in entry.answers] == [Status.FAIL], "recorded before it would have been shown"
    _, verdict = run(installation, pipeline(site, TOO_GOOD))
    assert verdict.spent is not None
    assert verdict.spent.models == 1
    assert len(entries(installation, site)) == 1


def report_of(installation: Installation, mlflow_run: str, site: Site) -> str:
    """The gate report in an MLflow run."""
    return Path(installation.client.download_artifacts(mlflow_run, "report/gate.html", str(site.folder))).read_text()


def context_of(installation: Installation, made: Pipeline) -> StageContext:
    return StageContext(made, installation.store, InMemoryRun(), installation.client, "review", installation.services)


def test_a_person_sees_the_scores_and_spends_the_rows(site: Site, installation: Installation) -> None:
    made = pipeline(site, TOO_GOOD)
    found, verdict = run(installation, made)
    assert found.summary is not None
    reviewed = PipelineReview.of(context_of(installation, made), "small.pipeline.yaml", "runner")
    judged = judged_version(installation.client, installation.store, verdict.model, verdict.version)
    shown = show_scores(reviewed, judged, "ann@host")
    assert shown.evaluation.metrics
    assert "n = 0." in reason(shown.verdict, ReasonCode.CONDITION)
    assert "evaluation.accuracy" in installation.client.get_run(found.summary.mlflow_run).data.metrics
    (entry,) = entries(installation, site)
    assert [(one.shown, one.by) for one in entry.answers] == [("decision", entry.asked.by), ("exact", "ann@host")]
    assert {baseline.name for baseline in shown.evaluation.baselines} == {"dummy", "linear"}
    report = report_of(installation, found.summary.mlflow_run, site)
    assert "compared with the linear model" in report
    assert "Simple models" in report
    logged = installation.client.get_run(found.summary.mlflow_run).data.to_dictionary()
    again = show_scores(reviewed, judged, "ben@host")
    assert (again.evaluation, again.verdict.reasons) == (shown.evaluation, shown.verdict.reasons)
    assert installation.client.get_run(found.summary.mlflow_run).data.to_dictionary() == logged, "all scores were shown before"
    assert report_of(installation, found.summary.mlflow_run, site) == report
    assert len(entries(installation, site)[0].answers) == 2
    _, second = run(installation, pipeline(site, TOO_GOOD, 2))
    assert "because scores were shown" in reason(second, ReasonCode.ROWS_SPENT)


def test_scores_that_a_verdict_has_shown_are_shown_again_as_they_are(passed: Asked) -> None:
    site, installation, verdict = passed.site, passed.installation, passed.verdict
    made = pipeline(site, GOOD_ENOUGH)
    report = report_of(installation, passed.mlflow_run, site)
    reviewed = PipelineReview.of(context_of(installation, made), "small.pipeline.yaml", "runner")
    judged = judged_version(installation.client, installation.store, verdict.model, verdict.version)
    shown = show_scores(reviewed, judged, "ann@host")
    assert (shown.evaluation, shown.verdict) == (passed.evaluation, verdict)
    assert "Simple models" in report
    assert report_of(installation, passed.mlflow_run, site) == report


def test_a_review_of_spent_rows_shows_them_and_asks_nothing(passed: Asked) -> None:
    site, installation, verdict = passed.site, passed.installation, passed.verdict
    made = pipeline(site, GOOD_ENOUGH)
    reviewed = PipelineReview.of(context_of(installation, made), "small.pipeline.yaml", "runner")
    judged = judged_version(installation.client, installation.store, verdict.model, verdict.version)
    again = decide_again(reviewed, judged, verdict.version)
    assert again.today.status is Status.PASS
    assert len(entries(installation, site)) == 1


def test_a_review_that_would_be_another_question_spends_nothing(failed: Asked) -> None:
    site, installation, verdict = failed.site, failed.installation, failed.verdict
    made = pipeline(site, TOO_GOOD)
    judged = judged_version(installation.client, installation.store, verdict.model, verdict.version)
    same = PipelineReview.of(context_of(installation, made), "small.pipeline.yaml", "runner")
    assert decide_again(same, judged, None).today.status is Status.FAIL
    changed = context_of(installation, pipeline(site, {**TOO_GOOD, "conditions": ["n > 0.9 +/- 0.05"]}))
    with pytest.raises(TerminalError, match=r"would be another query about the evaluation rows: 1 of 3 models were tried"):
        decide_again(PipelineReview.of(changed, "small.pipeline.yaml", "runner"), judged, None)
    assert len(entries(installation, site)) == 1


def test_a_metric_whose_code_changes_is_another_question(site: Site, installation: Installation) -> None:
    """Otherwise, a function that gives one label away would read them all, as the same query about the same predictions."""
    own = site.folder / "own.py"
    metric = {"function": f"{own}:right", "better": "higher", "range": [0, 1]}
    gate = {
        "conditions": [{"condition": "n > 0.95 +/- 0.05", "metric": "right"}],
        "metrics": {"right": metric},
        "budget": {"steps": 3},
    }
    own.write_text("def right(labels, predicted, rows):\n    return (labels == predicted).astype(float)\n")
    run(installation, pipeline(site, gate))
    own.write_text("def right(labels, predicted, rows):\n    return (labels == labels[0]).astype(float)  # of one row\n")
    _, second = run(installation, pipeline(site, gate))
    assert second.spent is not None
    assert second.spent.models == 2


def test_a_condition_that_was_not_decided_is_not_said_to_be_met(site: Site, installation: Installation) -> None:
    gate = {"conditions": ["n > 0.6 +/- 0.05", "n - o > -0.01 +/- 0.1"], "budget": {"steps": 3, "adaptivity": "passes:3"}}
    _, verdict = run(installation, pipeline(site, gate))
    message = reason(verdict, ReasonCode.SCORES_WITHHELD)
    assert message.startswith("n > 0.6 +/- 0.05: met on the 1,000 evaluation rows. Scores are withheld (gate.show: decision)")


def test_scores_are_shown_as_they_were_decided(failed: Asked) -> None:
    site, installation, verdict = failed.site, failed.installation, failed.verdict
    judged = judged_version(installation.client, installation.store, verdict.model, verdict.version)
    looser = context_of(installation, pipeline(site, GOOD_ENOUGH))
    with pytest.raises(TerminalError, match=r"version 1 was decided by other rules, or against another champion"):
        show_scores(PipelineReview.of(looser, "small.pipeline.yaml", "runner"), judged, "ann@host")
    assert [len(entry.answers) for entry in entries(installation, site)] == [1]
