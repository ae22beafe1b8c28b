"""The watched demonstration: what is wrong with its weeks, and three of them played."""

from pathlib import Path

import pytest

from taxiway.demo.watch.picture import draw
from taxiway.demo.watch.play import play
from taxiway.demo.watch.run import described
from taxiway.demo.watch.weeks import LABEL, WIND_UNIT, WRONG_LABELS, Week, weeks
from taxiway.records import Outcome
from taxiway.records.served import ServedPerformance
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.installation import open_installation

PIPELINE = Path(__file__).parents[3] / "dags" / "flights" / "watched_arrivals.pipeline.yaml"


@pytest.fixture(scope="module")
def flights() -> dict[str, Week]:
    return dict(weeks())


def test_weeks_are_whole_and_in_order(flights: dict[str, Week]) -> None:
    assert list(flights) == [f"2013-W{number:02d}" for number in range(2, 53)]
    for week in flights.values():
        assert len(week.flights) == len(week.late) == len(week.delivered) > 4_000
        assert week.flights["day"].is_monotonic_increasing
        assert LABEL not in week.flights


def test_a_fault_of_the_source_is_not_in_the_requests(flights: dict[str, Week]) -> None:
    for name, week in flights.items():
        wrong = week.flights.loc[week.late != week.delivered[LABEL], "carrier"]
        assert set(wrong) == ({"B6"} if WRONG_LABELS.has(name) else set()), name
        assert (week.flights["wind_speed"].max() > 75) == WIND_UNIT.has(name), name
        assert week.flights["wind_speed"].equals(week.delivered["wind_speed"])


def test_weeks_are_served_monitored_and_trained_on(tmp_path: Path) -> None:
    data, pipeline, shown = tmp_path / "data", read_pipeline(PIPELINE), []
    data.mkdir()
    with open_installation(str(data), None, None, tmp_path / "home") as installation:
        played = list(play(installation, pipeline, data, tmp_path / "state", last="2013-W25", show=shown.append))
        recorded = installation.store.get(ServedPerformance, str(played[-1].monitored.found.record))
    first, second, third = played
    assert [each.week for each in played] == ["2013-W23", "2013-W24", "2013-W25"]
    windows = second.monitored.found.windows
    assert [each.performance.labelled for each in windows] == [windows[0].performance.rows, 0], "labels come a week later"
    assert windows[0].performance.realised == first.served
    assert first.trained is None
    assert second.trained is not None, "the first week is worse than the evaluation rows"
    assert (second.trained.outcome, second.trained.span.name) == (Outcome.PROMOTED, "2013-W23")
    assert second.trained.retraining.startswith("retrain: the realised roc_auc ")
    assert (second.version, third.version) == (1, 2)
    assert third.monitored.retraining is not None
    assert third.monitored.retraining.reason == "no_trigger"
    assert "2013-W24: training again" in shown
    kept = [(each.version, each.window.first.isoformat(), each.window.labelled > 0) for each in recorded.earlier]
    assert kept == [(1, "2013-06-03", True), (1, "2013-06-10", False)], "as the run knew them that compared them last"
    assert [(recorded.version, window.first.isoformat()) for window in recorded.windows] == [(2, "2013-06-17")]
    draw(played, tmp_path / "watch.png")
    assert (tmp_path / "watch.png").stat().st_size > 20_000
    content = [described(each) for each in played]
    assert [each["trained"] for each in content] == [None, {"outcome": "PROMOTED", "version": 2}, None]
