"""The chart of a champion's performance in production: each value where its numbers are, and no room is left out."""

import itertools
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.samples import SAMPLES
from ui.hostile_pages import PLACES
from ui.hostile_records import WHEN

from helping import examples
from taxiway.ledger.entry import Entry, State
from taxiway.records import Interval, Promotion
from taxiway.records.served import AlertKind, EarlierWindow, ServedAlert, ServedPerformance, ServedWindow
from taxiway_ui.history.ledger_view import LedgerView
from taxiway_ui.history.served import Served
from taxiway_ui.history.served_drawing import HEIGHT, draw_served
from taxiway_ui.history.served_marks import opacity
from taxiway_ui.render import page
from taxiway_ui.views import History

NUMBERS = st.floats(-1e6, 1e6)


def test_the_band_since_the_last_audit_is_around_its_ends() -> None:
    before = Interval(value=0.8, low=0.75, high=0.85, rows=9)
    bands = [None, before, before.model_copy(update={"low": 0.7, "high": 0.9})]
    windows = [
        ServedWindow(first=date(2026, 1, 5) + timedelta(days=7 * at), rows=9, labelled=9, band=band)
        for at, band in enumerate(bands)
    ]
    found = ServedPerformance(model="m", version=1, metric="roc_auc", evaluation=before, windows=tuple(windows), at=WHEN)
    chart = draw_served(found)
    points = [tuple(map(float, point.split(","))) for point in chart.audit.split()]
    _, second, third = (label.at for label in chart.windows)
    assert [at for at, _ in points] == [second, third, third, second]
    heights = [height for _, height in points]
    assert heights[1] < heights[0] < heights[3] < heights[2], "it becomes wider"
    alone = draw_served(found.model_copy(update={"windows": tuple(windows[:2])})).audit.split()
    assert len(alone) == 4
    assert not draw_served(found.model_copy(update={"windows": (windows[0],)})).audit


def test_earlier_windows_are_drawn_before_those_of_the_champion_by_version() -> None:
    low, high = (Interval(value=value, low=value - 0.01, high=value + 0.01, rows=9) for value in (0.6, 0.8))
    windows = [
        ServedWindow(first=date(2026, 1, 5) + timedelta(days=7 * at), rows=9, labelled=9, realised=low, drifted=names)
        for at, names in enumerate([("a",), ("b", "a"), (), ("b",), ("b",)])
    ]
    earlier = [
        EarlierWindow(version=version, evaluation=high, window=window)
        for version, window in zip((1, 1, 2), windows, strict=False)
    ]
    found = ServedPerformance(
        model="m", version=3, metric="roc_auc", evaluation=low, windows=tuple(windows[3:]), earlier=tuple(earlier), at=WHEN
    )
    chart = draw_served(found)
    assert [span.version for span in chart.spans] == [1, 2, 3]
    assert [round(span.width / chart.spans[1].width) for span in chart.spans] == [2, 1, 2]
    assert chart.spans[0].left == chart.left
    assert chart.spans[2].left + chart.spans[2].width == pytest.approx(chart.right, abs=0.5)
    assert chart.spans[0].top == chart.spans[1].top < chart.spans[2].top, "the higher, the better it was on its evaluation rows"
    first, second = chart.inputs
    at = [value.x for value in chart.values]
    assert (first.name, second.name) == ("b", "a")
    assert [round(cell.x) for cell in first.cells] == [round(at[number] - 9) for number in (1, 3, 4)]
    many = found.model_copy(update={"earlier": tuple(earlier[:1] * 52)})
    places = [label.at for label in draw_served(many).windows]
    assert all(after - before > 60 for before, after in itertools.pairwise(places))
    assert draw_served(many).width < 1400


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, value, high = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    return Interval(value=value, low=low, high=high, rows=9)


@examples(100)
@given(evaluation=intervals(), values=st.lists(st.tuples(st.none() | intervals(), st.none() | intervals()), min_size=1))
def test_every_value_is_drawn_within_the_chart(
    evaluation: Interval, values: list[tuple[Interval | None, Interval | None]]
) -> None:
    windows = [
        ServedWindow(
            first=date(2026, 1, 5) + timedelta(days=7 * at), rows=9, labelled=9, estimated=estimated, realised=realised
        )
        for at, (estimated, realised) in enumerate(values)
    ]
    found = ServedPerformance(model="m", version=1, metric="mae", evaluation=evaluation, windows=tuple(windows), at=WHEN)
    chart = draw_served(found)
    assert len(chart.values) == sum(each is not None for pair in values for each in pair)
    assert [label.at for label in chart.windows] == sorted({label.at for label in chart.windows})
    for value in chart.values:
        assert chart.left <= value.x <= chart.right
        assert 0 <= value.high <= value.y <= value.low <= chart.bottom < HEIGHT
    (span,) = chart.spans
    assert 0 <= span.top <= span.top + span.height <= chart.bottom + 1
    assert (span.left, span.left + span.width) == (chart.left, pytest.approx(chart.right, abs=0.5))


def test_the_page_has_the_version_before_the_worse_slices_and_the_rollback() -> None:
    found = SAMPLES["ServedPerformance"]
    assert isinstance(found, ServedPerformance)
    decision = "no rollback: the evidence of a larger Brier score is 12 (required: 100)"
    history = History("a.b", None, LedgerView(writable=True), (), (), False, served=Served(found, "", decision, "https://m"))
    html = unescape(page("pipeline.html", view=history, **PLACES))
    assert (
        "Roc_auc of 300 rows with a label since 2026-03-01 00:00:00 UTC: 0.550 (0.500 to 0.600) of version 2, 0.650 (" in html
    )
    assert 'carrier = "UA": roc_auc 0.450 (0.350 to 0.550) of 120 rows; 0.700 (0.650 to 0.750) of the evaluation rows' in html
    assert "No rollback: the evidence" in html
    assert "80.0% ± 2.0%: carrier: changed" in html
    assert html.index("80.0% ± 2.0%: carrier: changed") < html.index("span 2026-01 was corrected")


def test_alerts_and_rollbacks_are_marked_and_lead_to_their_windows() -> None:
    found = SAMPLES["ServedPerformance"]
    assert isinstance(found, ServedPerformance)
    windows = tuple(window.model_copy(update={"anomalies": 2, "findings": 1}) for window in found.windows[:1])
    audit = ServedAlert(model="m", version=2, first=date(2026, 3, 11), kind=AlertKind.AUDIT)
    found = found.model_copy(update={"windows": windows + found.windows[1:], "alerts": (audit,)})
    made = Promotion(
        model="m",
        alias="champion",
        from_version=2,
        to_version=1,
        by="ann",
        at=datetime(2026, 3, 5, 12, tzinfo=UTC),
        reason="bad",
    )
    older = made.model_copy(update={"at": datetime(2026, 1, 1, tzinfo=UTC)})
    promoted = made.model_copy(update={"verdict": "0" * 32})
    chart = draw_served(found, (promoted, made, older))
    assert [(mark.text, mark.window) for mark in chart.alerts] == [
        ("from 2026-03-02: inputs have anomalies, a check has found something", "window-2-2026-03-02"),
        (
            "from 2026-03-09: more outliers than usual, labels are late, the last audit; labels are needed again",
            "window-2-2026-03-09",
        ),
    ]
    (rollback,) = chart.rollbacks
    assert rollback.text == "rollback to version 1, 2026-03-05 12:00:00 UTC: bad"
    assert rollback.x == chart.alerts[0].x, "half of its week is over, so it is in the middle"
    assert [bar.text for bar in chart.bars][-1] == "900 rows from 2026-03-09, 300 with a label"
    assert chart.bars[-1].height == pytest.approx(3 * chart.bars[-1].labelled)
    (carrier,) = chart.inputs
    assert carrier.cells[0].text == "carrier had drifted in the window from 2026-03-09, by 25.0 points"
    assert opacity(0.05) < carrier.cells[0].opacity < opacity(0.9)
    ledger = LedgerView(promotions=(Entry("", 1, State.DONE, "", made),), writable=True)
    html = page(
        "pipeline.html", view=History("a.b", None, ledger, (), (), False, served=Served(found, "", "", "https://m")), **PLACES
    )
    for row in ("window-2-2026-03-02", "window-2-2026-03-09", "window-1-2026-02-23"):
        assert f'id="{row}"' in html
    assert 'href="#window-2-2026-03-09"' in html


def test_the_most_outlying_requests_of_the_newest_window_that_was_scored_are_listed() -> None:
    found = SAMPLES["ServedPerformance"]
    assert isinstance(found, ServedPerformance)
    present = ServedWindow(first=date(2026, 3, 16), rows=20, labelled=0)
    served = Served(found.model_copy(update={"windows": (*found.windows, present)}), "", "", "https://m")
    view = History("a.b", None, LedgerView(promotions=(), writable=True), (), (), False, served=served)
    html = unescape(page("pipeline.html", view=view, **PLACES))
    assert "<details open><summary>Most outlying requests from 2026-03-09: 5.0% (3.0% to 7.0%) of 900 rows are outliers" in html
    assert (
        "<li>request r-7, row 1: score 31.2 (0.0% of the evaluation rows have at least as much); "
        'carrier "ZZ" (no evaluation row)</li>' in html
    )


def test_the_page_of_a_champion_whose_requests_are_not_scored_has_no_outliers() -> None:
    found = SAMPLES["ServedPerformance"]
    assert isinstance(found, ServedPerformance)
    windows = tuple(window.model_copy(update={"outliers": None}) for window in found.windows)
    served = Served(found.model_copy(update={"windows": windows}), "", "", "https://m")
    view = History("a.b", None, LedgerView(promotions=(), writable=True), (), (), False, served=served)
    assert "outlying requests" not in page("pipeline.html", view=view, **PLACES)


def test_the_worse_value_is_marked_and_the_higher_one_is_above() -> None:
    before = Interval(value=0.8, low=0.75, high=0.85, rows=9)
    now = Interval(value=0.6, low=0.55, high=0.65, rows=9)
    window = ServedWindow(first=date(2026, 1, 5), rows=9, labelled=9, estimated=before, realised=now, worse="realised")
    chart = draw_served(
        ServedPerformance(model="m", version=1, metric="roc_auc", evaluation=before, windows=(window,), at=WHEN)
    )
    estimated, realised = chart.values
    assert (estimated.worse, realised.worse) == (False, True)
    assert estimated.y < realised.y
    (span,) = chart.spans
    assert (span.top, span.height) == (estimated.high, pytest.approx(estimated.low - estimated.high))
