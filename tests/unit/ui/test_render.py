"""What a page shows is what was recorded: escaped, with intervals where they belong, and messages where something is missing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ui.hostile_pages import FORMS, PAGES, PLACES, every_page, seen
from ui.hostile_records import HOSTILE, UP, WHEN, hostile_decisions, hostile_records

from taxiway.ledger.entry import Entry, State
from taxiway.lineage.run_records import RunRecords
from taxiway.records import (
    Anomaly,
    Baseline,
    Candidate,
    DataReport,
    DecisionKind,
    Evaluation,
    FeatureSet,
    Interval,
    MetricResult,
    Promotion,
    RowMeans,
    Severity,
    ShadowReport,
    SliceResult,
    SpentRows,
    Status,
    Verdict,
    Waiver,
)
from taxiway.stages.review import Reopening, ReviewedVersion, Standing
from taxiway_ui.airflow_db import APPROVAL, Question
from taxiway_ui.history.ledger_view import LedgerView
from taxiway_ui.overview.overview import Overview
from taxiway_ui.overview.rows import Row
from taxiway_ui.people.forms import Forms
from taxiway_ui.render import WIDTH, page, scale_of, side, waivable_names
from taxiway_ui.reviews.reviews import Reviewed
from taxiway_ui.runs.marks import OPTIONAL, STAGES, SWEEP, Mark, stages, stopped_at
from taxiway_ui.runs.states import State as RowState
from taxiway_ui.views import History, RunPage


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_is_shown_and_never_markup(name: str) -> None:
    html = every_page()[name]
    assert "alert(" in html
    assert "<script>alert" not in html
    assert html.count("<script") == 1, "the only script is the page's own file"
    # Links to a pipeline and to a run hold its name as one part of the path.
    assert f'href="/taxiway/pipelines/{HOSTILE[0]}' not in html


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_a_page_needs_what_its_policy_forbids(name: str) -> None:
    html = every_page()[name]
    assert " style=" not in html
    assert "<style" not in html
    assert not [word for word in ("onclick", "onload", "onerror") if f" {word}=" in html]


def test_an_address_that_is_not_of_the_web_does_not_become_a_link() -> None:
    run = seen({}, url="javascript:alert(1)")
    html = page("run.html", view=RunPage(run, RunRecords(), ()), **PLACES)
    assert "javascript:" not in html
    assert "MLflow run" not in html


def test_the_stages_name_the_one_that_stopped_the_run() -> None:
    run = seen({"ingest": "success", "validate_data": "failed", "transform": "upstream_failed"})
    assert [stage.name for stage in stages(run)] == [name for name in STAGES if name not in OPTIONAL]
    assert [stage.mark for stage in stages(run)] == [Mark.DONE, Mark.STOPPED, *[Mark.OPEN] * 5]
    assert stopped_at(run) == "validate_data"


def test_data_that_did_not_pass_is_a_warning_if_the_run_continued() -> None:
    run = seen({"ingest": "success", "validate_data": "success", "train": "success"})
    report = hostile_records().report
    assert report is not None
    marks = {stage.name: stage.mark for stage in stages(run, RunRecords(report=report))}
    assert (marks["validate_data"], marks["train"]) == (Mark.WARNED, Mark.DONE)
    passed = report.model_copy(update={"status": Status.PASS})
    assert {stage.name: stage.mark for stage in stages(run, RunRecords(report=passed))}["validate_data"] is Mark.DONE


def test_a_run_that_failed_or_was_skipped_says_why() -> None:
    run = seen({"ingest": "success", "train": "failed", "push": "upstream_failed"})
    run = replace(run, reasons={"train": "could not be fitted\n<script>", "ingest": "of an earlier try"})
    text = page("run.html", here="", airflow="", view=RunPage(run, RunRecords(), ()))
    assert "train: failed" in text
    assert "could not be fitted\n&lt;script&gt;" in text
    assert "of an earlier try" not in text
    assert "has no records" not in text


def test_a_shadow_that_compared_nothing_is_not_shown_as_passed() -> None:
    run = seen({"ingest": "success", "shadow": "success"})
    nothing = ShadowReport(model="a.b", version=1, status=Status.NOT_APPLICABLE, reasons=())
    assert {stage.name: stage.mark for stage in stages(run, RunRecords(shadow=nothing))}["shadow"] is Mark.SKIPPED
    compared = nothing.model_copy(update={"status": Status.PASS})
    assert {stage.name: stage.mark for stage in stages(run, RunRecords(shadow=compared))}["shadow"] is Mark.DONE
    without_section = nothing.model_copy(update={"version": 2, "champion": 1})
    shown = page("run.html", view=RunPage(run, RunRecords(shadow=without_section), ()), **PLACES)
    assert "compared with champion version" not in shown


def test_an_approval_that_nobody_was_asked_for_is_a_dash() -> None:
    run = seen({"ingest": "success", APPROVAL: "success"})
    records = hostile_records()
    assert {stage.name: stage.mark for stage in stages(run, records)}[APPROVAL] is Mark.SKIPPED
    given = hostile_decisions()[1].model_copy(update={"kind": DecisionKind.APPROVAL})
    answered = replace(records, approval=given)
    assert {stage.name: stage.mark for stage in stages(run, answered)}[APPROVAL] is Mark.DONE


def test_the_stages_of_a_sweep_have_its_trials_and_their_failure() -> None:
    run = seen({"ingest": "success", "transform": "success", SWEEP: "failed", "train": "upstream_failed"})
    assert [stage.name for stage in stages(run)] == [name for name in STAGES if name != APPROVAL]
    assert stopped_at(run) == SWEEP


@pytest.mark.parametrize("state", ["running", "queued", "deferred", "up_for_retry", "scheduled"])
def test_a_running_stage_is_not_shown_as_stopped(state: str) -> None:
    run = seen({"ingest": "success", "shadow": state})
    assert {stage.name: stage.mark for stage in stages(run)}["shadow"] is Mark.RUNNING
    assert stopped_at(run) == ""


def test_a_user_without_permissions_sees_no_form_and_one_without_keys_a_sentence() -> None:
    history = History("a.b", None, LedgerView(writable=False), (), (), False)
    nothing = Forms("t", may_decide=False, may_run=False, user="ann")
    assert "<form" not in page("pipeline.html", view=history, forms=nothing, **PLACES)
    decides = Forms("t", may_decide=True, may_run=False, user="ann")
    html = page("pipeline.html", view=history, forms=decides, **PLACES)
    assert "Set [taxiway] ledger_keys" in html
    assert "<form" not in html


def test_only_approvers_are_shown_the_form_of_an_answer() -> None:
    asked = Question("a.b", "r", APPROVAL, "Push?", WHEN, ("ann",))
    history = History("a.b", None, LedgerView(writable=True), (), (), False, (asked,))
    for user, forms in (("ann", 1), ("bob", 0)):
        html = page("pipeline.html", view=history, forms=Forms("t", True, False, user), **PLACES)
        assert html.count('data-action="approve"') == forms
        assert "may be answered by ann" in html


def test_better_is_by_the_metrics_own_direction() -> None:
    assert side("roc_auc", UP) == "better"
    assert side("log_loss", UP) == "worse"
    assert side("roc_auc", Interval(value=0.0, low=-0.1, high=0.1, rows=1)) == "open"
    assert side("unheard_of", UP) == "open"
    assert side("cost", UP, "lower") == "worse"
    assert side("revenue", UP, "higher") == "better"


def test_a_runs_page_says_what_complexity_costs_and_what_was_found_in_the_training() -> None:
    records = hostile_records()
    shown = page("run.html", view=RunPage(seen({}), records, (), "6.0 times slower", "it is overfitted"), **PLACES)
    assert "<td>linear model</td>" in shown
    assert "Version 2: 6.0 times slower" in shown
    assert "<dd>it is overfitted</dd>" in shown
    assert "nothing wrong with the history" in page("run.html", view=RunPage(seen({}), records, (), "", "none"), **PLACES)
    assert "Findings" not in page("run.html", view=RunPage(seen({}), records, ()), **PLACES)


def test_a_run_with_a_gate_report_links_to_it() -> None:
    run = seen({})
    linked = page("run.html", view=RunPage(run, RunRecords(), (), has_gate_report=True), **PLACES)
    assert f'href="{run.mlflow_url}/artifacts/report/gate.html">Gate report</a>' in linked
    assert "Gate report" not in page("run.html", view=RunPage(run, RunRecords(), ()), **PLACES)
    nowhere = seen({}, "")
    assert "Gate report" not in page("run.html", view=RunPage(nowhere, RunRecords(), (), has_gate_report=True), **PLACES)


def test_a_runs_page_names_the_columns_of_every_kind_and_the_threshold() -> None:
    features = FeatureSet(
        snapshot="s",
        schema_version="v",
        numeric=("price",),
        categorical=(),
        text=("review",),
        dates=("ordered_at",),
        label="y",
        classes=("no", "yes"),
        transform="t",
        rows="r",
        row_count=7,
    )
    candidate = Candidate(
        model="m",
        version=2,
        snapshot="s",
        report="r",
        features="f",
        schema_version="v",
        estimator="e",
        params="{}",
        threshold=0.3,
    )
    shown = page("run.html", view=RunPage(seen({}), RunRecords(features=features, candidate=candidate), ()), **PLACES)
    for text in ("<dd>price</dd>", "<dt>Free text</dt><dd>review</dd>", "<dt>Dates</dt><dd>ordered_at</dd>"):
        assert text in shown
    assert "<dd>yes from a probability of 0.3</dd>" in shown


@pytest.mark.parametrize(("direction", "colour"), [("lower", "worse"), ("higher", "better")])
def test_a_metric_of_a_teams_own_has_colours_wherever_it_is_drawn(direction: str, colour: str) -> None:
    found = MetricResult(metric="cost", candidate=UP, champion=UP, difference=UP, better=direction)
    evaluation = Evaluation(
        snapshot="s",
        model="m",
        candidate=2,
        champion=1,
        confidence=0.99,
        metrics=(found,),
        slices=(SliceResult(metric="cost", column="city", value="Rome", rows=500, confidence=0.999, difference=UP),),
        baselines=(Baseline(name="linear", metric="cost", score=UP, difference=UP, rows=500),),
    )
    shown = page("run.html", view=RunPage(seen({}), RunRecords(evaluation=evaluation), ()), **PLACES)
    assert shown.count(f'class="picture {colour}"') == 3
    assert shown.count('class="picture ') == 3


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3).map(sorted), max_size=5))
def test_every_interval_lies_within_its_picture_with_zero_in_the_middle(ends: list[list[float]]) -> None:
    intervals = [Interval(value=value, low=low, high=high, rows=1) for low, value, high in ends]
    scale = scale_of(intervals)
    assert scale.x(0) == WIDTH / 2
    for interval in intervals:
        assert 0 <= scale.x(interval.low) <= scale.x(interval.value) <= scale.x(interval.high) <= WIDTH


def test_a_reopened_verdict_is_on_all_three_pages_with_what_to_do() -> None:
    reasons = (Reopening("the waiver of range in a was valid until 2026-01-01", "taxiway waive d --anomaly range:a"),)
    version = ReviewedVersion("a.b", 2, Standing.PRODUCTION, "ann", Status.PASS, reasons)
    reviewed = Reviewed((version,), ("a.b: the source does not answer",))
    row = Row("a.b", RowState.PROMOTED)
    overview = page("pipelines.html", view=Overview((row,), (row,), 1, reviewed=reviewed), **PLACES)
    assert "version 2, in production: the waiver of range in a was valid until 2026-01-01" in overview
    assert "Nothing: no run waits" not in overview
    promotion = Promotion(
        model="a.b", alias="champion", to_version=2, by="a.b/run 7", at=WHEN, verdict="v", shadow="s", reason="better"
    )
    promoted = LedgerView(promotions=(Entry("e", 1, State.DONE, "k", promotion),))
    history = page("pipeline.html", view=History("a.b", None, promoted, (), (), False, reviewed=reviewed), **PLACES)
    verdict = Verdict(model="a.b", version=2, snapshot="s", evaluation="e", status=Status.PASS, reasons=())
    run = page("run.html", view=RunPage(seen({}), RunRecords(verdict=verdict), (), reviewed=reviewed), **PLACES)
    for html in (history, run):
        assert "the waiver of range in a was valid until 2026-01-01" in html
        assert "taxiway waive d --anomaly range:a" in html
    assert 'href="/taxiway/pipelines/a.b/runs/run%207">Version 2</a>' in history
    assert "a.b: the source does not answer" in history
    other = verdict.model_copy(update={"version": 1})
    assert "re-opened" not in page(
        "run.html", view=RunPage(seen({}), RunRecords(verdict=other), (), reviewed=reviewed), **PLACES
    )


def test_a_shadow_shows_replayed_requests_and_the_loss_on_labels() -> None:
    loss = Interval(value=-0.012, low=-0.02, high=-0.004, rows=1200)
    report = ShadowReport(model="a.b", version=2, champion=1, status=Status.PASS, reasons=(), requests=40, replayed=2000)
    shown = page("run.html", view=RunPage(seen({}), RunRecords(shadow=report), ()), **PLACES)
    assert "on 40 live requests and 2,000 replayed ones" in shown
    assert "requests with labels" not in shown
    labelled = report.model_copy(update={"replayed": 0, "loss_difference": loss})
    shown = page("run.html", view=RunPage(seen({}), RunRecords(shadow=labelled), ()), **PLACES)
    assert "on 40 live requests</p>" in shown
    assert "loss on 1,200 requests with labels, difference" in shown


def test_an_anomaly_that_the_schema_waives_can_be_waived_on_because_its_waiver_expires() -> None:
    common = {"span": "1", "observed": "9", "expected": "1", "message": "m", "proposal": "p"}
    anomalies = (
        Anomaly(kind="range", column="a", severity=Severity.ERROR, **common),
        Anomaly(kind="domain", column="b", severity=Severity.ERROR, **common),
        Anomaly(kind="drift", column="b", severity=Severity.WARNING, **common),
    )
    waiver = Waiver(kind="range", column="a", owner="kim", reason="x", until=WHEN.date())
    report = DataReport(snapshot="s", schema_version="v", status=Status.FAIL, checks=1, anomalies=anomalies, waivers=(waiver,))
    assert waivable_names(report) == ("domain:b", "range:a")


def test_a_form_with_a_file_is_shown_only_where_labels_are_taken() -> None:
    for labels, forms in ((True, 1), (False, 0)):
        view = RunPage(seen({}), RunRecords(), (), ledger=LedgerView(writable=True), labels=labels)
        html = page("run.html", view=view, forms=FORMS, **PLACES)
        assert html.count('enctype="multipart/form-data"') == forms
        assert html.count('data-action="labels"') == forms


def test_only_who_may_change_the_configuration_has_a_link_to_the_doctor() -> None:
    row = Row("a.b", RowState.PROMOTED)
    view = Overview((row,), (row,), 1)
    assert 'href="/taxiway/doctor"' in page("pipelines.html", view=view, doctor=True, **PLACES)
    assert "doctor" not in page("pipelines.html", view=view, **PLACES)


def test_a_runs_page_says_how_its_rows_were_made() -> None:
    shown = every_page()["run"]
    assert "7 of 2,000 rows are removed, 3 by source.rows and 4 because their label is missing" in shown
    for text in ("Sample: 10%", "Split: 20%", "1,990 of 2,000", ">95%<"):
        assert text in shown


def test_withheld_scores_are_a_sentence_and_the_budget_a_bar() -> None:
    records = hostile_records()
    assert records.verdict is not None
    assert records.evaluation is not None
    spent = SpentRows(
        rows=27_564, models=2, steps=8, passes=0, allowed_passes=1, error_left=0.75, shown="decision", is_spent=False
    )
    means = RowMeans(metric="accuracy", rows=9, units=9, candidate=0.84, champion=0.8)
    shown = replace(
        records,
        verdict=records.verdict.model_copy(update={"spent": spent}),
        evaluation=records.evaluation.without_scores((means,)),
    )
    html = page("run.html", view=RunPage(seen({}), shown, ()), here="/taxiway", airflow="")
    assert '<meter min="0" max="8" value="2"' in html
    text = " ".join(html.split())
    assert (
        "2 of 8 models tried on these 27,564 rows, none passed; up to 6 more may be tried; of the allowed error, 75.0% is left."
        in text
    )
    assert (
        "The scores are withheld: whoever knows them can fit the next model to these rows. accuracy is about 0.84, of the champion about 0.80."
        in text
    )
    assert "<th>Metric</th>" not in text
