"""The first page: how a pipeline's state is found, which waivers end soon, and what an age looks like."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from taxiway.lineage.labels_due import record_labels_due
from taxiway.lineage.waivers import ending_waivers
from taxiway.records import (
    Decision,
    DecisionKind,
    Evaluation,
    Interval,
    LabelsDue,
    MetricResult,
    Outcome,
    RunSummary,
    SliceResult,
    Span,
    WaitingSpan,
)
from taxiway.registry.champions import ChampionInfo
from taxiway.serving.api import ModelStatus
from taxiway.store import Store
from taxiway_ui.airflow_db import DagFacts, LastRun, Question
from taxiway_ui.clients import query_store
from taxiway_ui.history.ledger_view import LedgerView
from taxiway_ui.history.main_metric import main_metric
from taxiway_ui.overview.overview import MAX_NEEDS, PAGE_ROWS, Overview, _labels_due
from taxiway_ui.overview.rows import Row, RowFilter, matches
from taxiway_ui.render import page
from taxiway_ui.runs.states import State, state_of
from taxiway_ui.times import age_text
from taxiway_ui.views import History

WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
TODAY = date(2026, 1, 2)
ASKED = Question("a.b", "r", "approval", "Push?", WHEN)


def summary(outcome: Outcome, run: str = "r") -> RunSummary:
    return RunSummary(
        pipeline="a.b",
        run=run,
        span=Span(source="s", name="1", rows=1, content="c"),
        outcome=outcome,
        reasons=(),
        mlflow_run="m",
    )


@pytest.mark.parametrize(
    ("last", "decision", "asked", "state"),
    [
        (None, None, (), State.NEW),
        (LastRun("r", "success"), None, (), State.NEW),
        (LastRun("r", "running"), summary(Outcome.BLOCKED, "earlier"), (), State.RUNNING),
        (LastRun("r", "running"), None, (ASKED,), State.WAITING),
        (LastRun("r", "failed"), None, (), State.FAILED),
        (LastRun("r", "failed"), summary(Outcome.PROMOTED, "earlier"), (), State.FAILED),
        (LastRun("r", "failed"), summary(Outcome.BLOCKED), (), State.BLOCKED),
        (LastRun("r", "failed"), summary(Outcome.REJECTED), (), State.REJECTED),
        (LastRun("r", "failed"), summary(Outcome.UNDECIDED), (), State.UNDECIDED),
        (LastRun("r", "success"), summary(Outcome.FIRST_CHAMPION), (), State.PROMOTED),
        (LastRun("r", "success"), summary(Outcome.PROMOTED, "earlier"), (), State.PROMOTED),
        (None, summary(Outcome.PROMOTED), (), State.PROMOTED),
    ],
)
def test_the_state_of_a_pipeline(
    last: LastRun | None, decision: RunSummary | None, asked: tuple[Question, ...], state: State
) -> None:
    assert state_of(last, decision, asked) is state


def waiver(model: str, days: int, kind: DecisionKind = DecisionKind.WAIVER) -> Decision:
    until = TODAY + timedelta(days=days)
    return Decision(
        kind=kind, model=model, about="d", by="ann", via="airflow", at=WHEN, reason="x", until=until, anomaly="range"
    )


def test_waivers_are_shown_from_a_week_before_their_end_to_their_last_day() -> None:
    found = ending_waivers([waiver("a.b", days) for days in (8, 7, 0, -1, 3)], ["a.b"], TODAY)
    assert [made.until for made in found] == [TODAY, TODAY + timedelta(days=3), TODAY + timedelta(days=7)]
    assert ending_waivers([waiver("c.d", 1), waiver("a.b", 1, DecisionKind.FORCE)], ["a.b"], TODAY) == ()


@pytest.mark.parametrize(
    ("row_filter", "names"),
    [
        (RowFilter(), ["shop.churn", "bank.fraud"]),
        (RowFilter("CHURN"), ["shop.churn"]),
        (RowFilter("ann"), ["bank.fraud"]),
        (RowFilter(state="failed"), ["bank.fraud"]),
        (RowFilter("churn", "failed"), []),
        (RowFilter(state="no such state"), []),
    ],
)
def test_the_filter_is_by_name_owner_and_state(row_filter: RowFilter, names: list[str]) -> None:
    rows = Row("shop.churn", State.PROMOTED), Row("bank.fraud", State.FAILED, DagFacts("Ann"))
    assert [row.name for row in rows if matches(row, row_filter)] == names


def test_a_store_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for folder in tmp_path.iterdir():
        shutil.rmtree(folder)
    tmp_path.rmdir()
    tmp_path.write_text("no folder")
    none_due: tuple[LabelsDue, ...] = ()
    found, message = query_store(lambda: _labels_due(store, ["a.b"]), none_due)
    assert (found, message[:66]) == ((), "What is in the store is not shown, because it cannot be read: [Err")


def test_counts_and_pages_are_of_all_pipelines() -> None:
    rows = tuple(Row(f"a.b{number}", State.FAILED if number < 3 else State.PROMOTED) for number in range(250))
    view = Overview(rows, rows[:PAGE_ROWS], len(rows))
    assert view.counts == {State.FAILED: 3, State.PROMOTED: 247}
    assert view.pages == 3
    assert Overview((), (), 0).pages == 1


def test_the_main_metric_is_the_one_that_is_compared_by_slice() -> None:
    interval = Interval(value=0.5, low=0.4, high=0.6, rows=10)
    results = tuple(
        MetricResult(metric=name, candidate=interval, champion=None, difference=None) for name in ("accuracy", "roc_auc")
    )
    evaluation = Evaluation(snapshot="s", model="a.b", candidate=1, confidence=0.99, metrics=results)
    assert main_metric(evaluation) == results[0]
    slices = (SliceResult(metric="roc_auc", column="c", value="v", rows=10, confidence=0.99, difference=interval),)
    assert main_metric(evaluation.model_copy(update={"slices": slices})) == results[1]
    assert main_metric(None) is None


@pytest.mark.parametrize(
    ("minutes", "text"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (1439, "23 h"), (1440, "1 d"), (-5, "0 min")]
)
def test_an_age_has_one_unit(minutes: int, text: str) -> None:
    assert age_text(WHEN, WHEN + timedelta(minutes=minutes)) == text


def shown(*rows: Row, **changed: Any) -> str:
    """The first page with these rows."""
    return page("pipelines.html", view=Overview(rows, rows, len(rows), **changed), here="/taxiway", airflow="")


def test_a_champion_without_a_promotion_in_the_ledger_is_shown_as_such() -> None:
    html = shown(Row("a.b", State.NEW, champion=ChampionInfo("a.b", 3, None, None)))
    assert "the ledger has no promotion of it" in html
    assert "no decision" in html


def test_an_alias_that_was_moved_by_hand_needs_a_person() -> None:
    html = shown(Row("a.b", State.PROMOTED, champion=ChampionInfo("a.b", 2, None, None), moved="the alias was moved"))
    assert "<b>2</b>" in html
    assert html.count("the alias was moved") == 2
    assert html.count("alias moved") == 2
    assert "Nothing: no run waits" not in html


def test_no_readable_pipeline_is_a_message() -> None:
    assert "There are no pipelines that you may read" in shown()


def test_a_page_without_anything_to_do_says_so() -> None:
    assert "no latest run has failed or waits for an answer" in shown(Row("a.b", State.PROMOTED))


def test_a_long_list_of_what_needs_a_person_says_how_many_are_left_out() -> None:
    blocked = summary(Outcome.BLOCKED).model_copy(update={"reasons": ("too hot",)})
    html = shown(*(Row(f"a.b{number}", State.BLOCKED, decision=blocked) for number in range(MAX_NEEDS + 5)))
    assert html.count("too hot") == MAX_NEEDS
    assert "and 5 more" in html


def test_what_is_not_known_is_not_shown_as_absent() -> None:
    html = shown(Row("a.b", State.PROMOTED), incomplete=True, notices=("MLflow does not answer",))
    assert "not known" in html
    assert ">none<" not in html
    assert "Not known now" in html
    history = page("pipeline.html", view=History("a.b", None, LedgerView(), (), (), True), here="/taxiway", airflow="")
    assert "No champion" not in history
    assert "nobody has decided anything" not in history


def test_spans_that_wait_for_labels_need_a_person() -> None:
    due = WaitingSpan(name="2013-05", rows=400, missing=None, since=datetime(2026, 1, 2, tzinfo=UTC), report="r", passed=True)
    worse = due.model_copy(update={"name": "2013-06", "passed": False})
    html = shown(Row("a.b", State.PROMOTED), labels_due=(LabelsDue(pipeline="a.b", spans=(due, worse)),))
    assert "span 2013-05 waits for 400 of 400 labels; its other columns passed validation, since 2026-01-02" in html
    assert "and 1 more" in html
    assert "span 2013-06 waits for 400 of 400 labels; its other columns did not pass validation" in html
    assert "Nothing: no run waits" not in html


def test_only_the_labels_due_of_readable_pipelines_are_shown(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    span = WaitingSpan(name="1", rows=4, missing=2, since=datetime(2026, 1, 2, tzinfo=UTC))
    for number in range(30):
        record_labels_due(store, LabelsDue(pipeline=f"a.p{number:02}", spans=(span,)))
    assert [due.pipeline for due in _labels_due(store, ["a.p07", "a.p29", "a.other"])] == ["a.p07", "a.p29"]
    assert len(_labels_due(store, [f"a.p{number:02}" for number in range(30)])) == MAX_NEEDS + 1
    record_labels_due(store, LabelsDue(pipeline="a.p07", spans=()))
    assert [due.pipeline for due in _labels_due(store, ["a.p07", "a.p29"])] == ["a.p29"]


def test_a_gateway_that_serves_another_version_is_a_problem() -> None:
    status = ModelStatus(model="a.b", champion=2, since=WHEN, problem="", challenger=None)
    champion = ChampionInfo("a.b", 2, None, None)
    good = Row("a.b", State.PROMOTED, champion=champion, served=status)
    assert good.serving_problem == ""
    assert Row("a.b", State.PROMOTED, served=status).serving_problem == "the champion is version none"
    behind = replace(good, served=status.model_copy(update={"champion": 1}))
    assert behind.serving_problem == "the champion is version 2"
    away = replace(good, served=status.model_copy(update={"problem": "the registry does not answer"}))
    assert away.serving_problem == "the registry does not answer"
    assert "version 2" in shown(good, has_gateway=True)
    assert "Serving" not in shown(replace(good, served=None))
