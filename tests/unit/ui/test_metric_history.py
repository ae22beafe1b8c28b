"""The gate's metric over spans: which numbers it shows, and that all of them are inside the chart and beside it as a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.records import (
    Evaluation,
    Interval,
    MetricResult,
    Outcome,
    Promotion,
    RecordRef,
    RunSummary,
    Span,
    Status,
    Verdict,
)
from taxiway.spec.gate import Gate
from taxiway.store import Store
from taxiway_ui.airflow_db import Decided
from taxiway_ui.history.drawing import draw
from taxiway_ui.history.ledger_view import LedgerView
from taxiway_ui.history.metric_history import MAX_POINTS, MetricHistory, Point, Return, metric_history, newest_evaluated
from taxiway_ui.render import page
from taxiway_ui.views import History

WHEN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
GATE = Gate.model_validate({"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc"}})
NAME = "a.b"


class Runs:
    """Runs that have evaluated versions, one after another, with their records in a store."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(str(folder))
        self.attempts: list[RunSummary] = []
        self.verdicts: dict[str, Decided] = {}
        self.promotions: list[Promotion] = []
        self.hours = 0

    def run(self, span: int, version: int, value: float, *, champion: int | None = None, attempt: int = 1) -> Verdict:
        self.hours += 1
        interval = Interval(value=value, low=value - 0.01, high=value + 0.01, rows=100)
        other = interval if champion else None
        results = [
            MetricResult(metric=name, candidate=interval, champion=other, difference=other) for name in ("accuracy", "roc_auc")
        ]
        evaluation = Evaluation(
            snapshot="s", model=NAME, candidate=version, champion=champion, confidence=0.99, metrics=tuple(results)
        )
        verdict = Verdict(
            model=NAME,
            version=version,
            champion=champion,
            snapshot=f"{span}.{attempt}",
            evaluation=evaluation.digest,
            status=Status.PASS,
            reasons=(),
        )
        self.store.put(evaluation)
        self.store.put(verdict)
        summary = RunSummary(
            pipeline=NAME,
            run=f"run {span}.{attempt}",
            span=Span(source="s", name=str(span), rows=1, content="c"),
            outcome=Outcome.REJECTED,
            reasons=(),
            version=version,
            attempt=attempt,
            mlflow_run="m",
        )
        self.attempts.insert(0, summary)
        ref = RecordRef(record="Verdict", digest=verdict.digest)
        self.verdicts[summary.run] = Decided(ref, WHEN + timedelta(hours=self.hours))
        return verdict

    def promote(self, before: int | None, after: int | None, verdict: Verdict | None = None) -> None:
        made = Promotion(
            model=NAME,
            alias="champion",
            from_version=before,
            to_version=after,
            by="ann",
            at=WHEN + timedelta(hours=self.hours, minutes=1),
            verdict=verdict.digest if verdict else None,
            reason="complaints",
        )
        self.promotions.insert(0, made)

    def history(self, gate: Gate | str = GATE) -> MetricHistory | None:
        return metric_history(self.store, newest_evaluated(self.attempts), self.verdicts, self.promotions, gate)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    made = Runs(tmp_path)
    made.promote(None, 1, made.run(1, 1, 0.7))
    made.promote(1, 2, made.run(2, 2, 0.8, champion=1))
    made.promote(2, 1)
    made.run(3, 3, 0.5, champion=1)
    made.run(3, 3, 0.6, champion=1, attempt=2)
    return made


def test_every_attempt_has_its_numbers_its_champion_then_and_what_became_of_it(runs: Runs) -> None:
    found = runs.history()
    assert found is not None
    assert (found.metric, found.better, found.threshold, found.confidence) == ("roc_auc", "higher", 0.6, 0.99)
    shown = [(point.span, point.attempt, point.version, point.champion, point.value.value) for point in found.points]
    assert shown == [("1", 1, 1, None, 0.7), ("2", 1, 2, 1, 0.8), ("3", 1, 3, 1, 0.5), ("3", 2, 3, 1, 0.6)]
    assert [point.promotion.to_version if point.promotion else None for point in found.points] == [1, 2, None, None]
    (back,) = found.returns
    assert (back.after, back.promotion.to_version) == (2, 1)


def test_a_rollback_from_before_the_first_point_is_left_out_and_a_retirement_shown(runs: Runs) -> None:
    runs.attempts = runs.attempts[:2]
    runs.promote(1, None)
    found = runs.history()
    assert found is not None
    assert [(back.after, back.promotion.to_version) for back in found.returns] == [(2, None)]


def test_a_run_that_airflow_has_forgotten_is_found_by_its_promotion(runs: Runs) -> None:
    runs.verdicts = {}
    found = runs.history()
    assert found is not None
    assert [(point.version, point.at) for point in found.points] == [(1, None), (2, None)]


def test_a_verdict_about_another_version_is_not_shown(runs: Runs) -> None:
    """The tag of an MLflow run may name any verdict."""
    runs.verdicts["run 3.2"] = runs.verdicts["run 2.1"]
    found = runs.history()
    assert found is not None
    assert [point.run for point in found.points] == ["run 1.1", "run 2.1", "run 3.1"]


def test_without_the_pipeline_file_the_metric_is_the_compared_one_and_the_threshold_is_not_known(runs: Runs) -> None:
    found = runs.history("the file is gone")
    assert found is not None
    assert (found.metric, found.threshold, found.unknown_threshold) == ("accuracy", None, "the file is gone")


def test_nothing_evaluated_is_no_chart(tmp_path: Path, runs: Runs) -> None:
    assert Runs(tmp_path).history() is None
    other = Gate.model_validate({"thresholds": {"brier": 0.6}, "against_champion": {"metric": "brier"}})
    assert runs.history(other) is None, "no version was evaluated by this metric"


def test_only_the_newest_attempts_are_read(tmp_path: Path) -> None:
    made = Runs(tmp_path)
    for span in range(MAX_POINTS + 20):
        made.run(span, span + 1, 0.7)
    found = made.history()
    assert found is not None
    assert [point.span for point in found.points] == [str(span) for span in range(20, MAX_POINTS + 20)]


numbers = st.floats(-1e6, 1e6, allow_nan=False)
points = st.lists(
    st.tuples(st.tuples(numbers, numbers, numbers), st.text("0123456789-T", min_size=1, max_size=20)), min_size=1, max_size=60
)


@given(points, st.none() | numbers, st.booleans())
def test_all_numbers_are_inside_the_chart_and_the_names_of_spans_do_not_touch(
    values: list[tuple[tuple[float, float, float], str]], threshold: float | None, promoted: bool
) -> None:
    made = []
    for numbers_, span in values:
        low, value, high = sorted(numbers_)
        interval = Interval(value=value, low=low, high=high, rows=1)
        made.append(Point(span, 1, "r", 1, interval, 1 if promoted else None, interval if promoted else None, Outcome.REJECTED))
    back = Promotion(model=NAME, alias="champion", to_version=1, by="ann", at=WHEN, reason="x")
    history = MetricHistory("cost", None, 0.99, tuple(made), (Return(len(made), back),), threshold)
    chart = draw(history)
    assert len(chart.dots) == len(made)
    for dot in chart.dots:
        assert chart.left <= dot.x <= chart.right
        assert chart.top - 0.1 <= dot.high <= dot.y <= dot.low <= chart.bottom + 0.1
    if chart.threshold is not None:
        assert chart.top - 0.1 <= chart.threshold <= chart.bottom + 0.1
    heights = [tick.at for tick in chart.ticks]
    assert heights == sorted(set(heights), reverse=True)
    assert 2 <= len(heights) <= 8
    assert len({tick.text for tick in chart.ticks}) == len(heights)
    for first, second in zip(chart.spans, chart.spans[1:], strict=False):
        assert second.at - first.at >= 6 * max(len(first.text), len(second.text))


def test_a_page_has_the_chart_with_its_text_and_the_same_as_a_table(runs: Runs) -> None:
    found = runs.history()
    view = History(NAME, None, LedgerView(), (), (), False, metric=found)
    html = page("pipeline.html", view=view, here="/taxiway", airflow="")
    assert 'role="img" aria-labelledby="metric-title metric-text"' in html
    for text in (
        "The newest is version 3 on span 3: 0.600, 0.590 to 0.610. The threshold is 0.6.",
        "Rollback to version 1, 2026-01-02 05:05:00 UTC by ann: complaints",
        "version 2: 0.800, 0.790 to 0.810; promoted at 2026-01-02 05:05:00 UTC",
        "higher is better",
        "attempt 2",
        "the champion then, on the same rows",
    ):
        assert text in html, text
    assert html.count("<circle") == 4 + 2, "the points, and those of the legend"
    assert html.count('href="/taxiway/pipelines/a.b/runs/run%203.2"') == 1
    assert found is not None
    unknown = page("pipeline.html", view=replace(view, metric=runs.history("no file")), here="", airflow="")
    assert "The threshold is not known: no file." in unknown
