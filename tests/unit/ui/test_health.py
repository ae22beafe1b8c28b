"""The health of pipelines on the first page: which mark a pipeline has, in which order they are, and what has changed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from ui.airflow_tables import add_dag, add_event, add_run, airflow_tables

from taxiway.lineage.monitoring import record_served
from taxiway.records import Decision, DecisionKind, Interval, Outcome, Promotion, RunSummary, Span
from taxiway.records.served import AlertKind, ServedAlert, ServedPerformance, ServedWindow
from taxiway.registry.champions import ChampionInfo
from taxiway.store import Store
from taxiway_ui.airflow_db import LastRun
from taxiway_ui.monitoring.alerts import acknowledgements
from taxiway_ui.monitoring.found import newest_found
from taxiway_ui.monitoring.health import ChampionHealth, HealthState, health_of
from taxiway_ui.monitoring.runs import MonitoringState, NewAlert, monitoring_states, new_alerts
from taxiway_ui.overview.changes import MAX_CHANGES, changes
from taxiway_ui.overview.overview import MAX_NEEDS, Overview
from taxiway_ui.overview.rows import Order, Row, RowFilter, ordered
from taxiway_ui.render import page
from taxiway_ui.runs.states import State

WHEN = datetime(2026, 6, 22, 3, 4, tzinfo=UTC)
VALUE = Interval(value=0.7, low=0.6, high=0.8, rows=900)
PROMOTION = Promotion(
    model="a.b",
    alias="champion",
    from_version=2,
    to_version=3,
    by="a.b/r",
    at=WHEN - timedelta(days=9),
    verdict="v",
    reason="x",
)
CHAMPION = ChampionInfo("a.b", 3, PROMOTION, "v")
RAN = MonitoringState(WHEN, record="d")
SKIPPED = MonitoringState(WHEN, skipped=True, record="d")


def alert(kind: AlertKind, first: date = date(2026, 6, 15), version: int = 3) -> ServedAlert:
    return ServedAlert(model="a.b", version=version, first=first, kind=kind)


def found(*alerts: ServedAlert, version: int = 3, silent_since: date | None = None) -> ServedPerformance:
    window = ServedWindow(first=date(2026, 6, 15), rows=900, labelled=0, estimated=VALUE)
    return ServedPerformance(
        model="a.b",
        version=version,
        metric="roc_auc",
        evaluation=VALUE,
        windows=(window,),
        alerts=alerts,
        silent_since=silent_since,
        at=WHEN,
    )


def acknowledged(about: ServedAlert, by: str = "ann") -> Decision:
    return Decision(
        kind=DecisionKind.ACKNOWLEDGEMENT,
        model="a.b",
        version=about.version,
        about=about.digest,
        by=by,
        via="airflow",
        at=WHEN,
        reason="the new airport",
    )


REALISED, DATA, AUDIT = alert(AlertKind.REALISED), alert(AlertKind.DATA), alert(AlertKind.AUDIT)


@pytest.mark.parametrize(
    ("monitoring", "record", "word"),
    [
        (MonitoringState(), None, "not compared yet"),
        (RAN, found(), "well"),
        (RAN, found(version=2), "not compared yet"),
        (RAN, found(REALISED), "worse (realised)"),
        (RAN, found(alert(AlertKind.ESTIMATED), DATA), "worse (estimated)"),
        (RAN, found(alert(AlertKind.TARGET), DATA), "misses its target"),
        (RAN, found(DATA, AUDIT), "inputs invalid"),
        (RAN, found(AUDIT), "labels due"),
        (RAN, found(silent_since=date(2026, 6, 1)), "no requests since 2026-06-01"),
        (RAN, found(AUDIT, silent_since=date(2026, 6, 1)), "labels due"),
        (SKIPPED, found(), "no requests"),
        (SKIPPED, None, "no requests"),
        (replace(SKIPPED, ended_at=WHEN - timedelta(days=20)), found(version=2), "not compared yet"),
        (MonitoringState(WHEN, failed=True), None, "monitoring failed"),
        (MonitoringState(WHEN, failed=True, record="d"), found(), "monitoring failed"),
        (MonitoringState(WHEN, failed=True, record="d"), found(REALISED), "monitoring failed"),
    ],
)
def test_the_mark_is_the_most_urgent_of_what_is_known(
    monitoring: MonitoringState, record: ServedPerformance | None, word: str
) -> None:
    health = health_of(monitoring, record, CHAMPION, {})
    since = f" since {health.silent_since}" if health.silent_since is not None else ""
    assert f"{health.state}{since}" == word
    assert health.needs_a_person is (word not in ("well", "not compared yet"))
    assert health.message


def test_an_acknowledged_alert_is_shown_as_such_until_another_one_stands() -> None:
    made = acknowledgements([acknowledged(REALISED, "ben"), acknowledged(REALISED)])
    health = health_of(RAN, found(REALISED), CHAMPION, made)
    assert (health.state, health.needs_a_person) == (HealthState.ACKNOWLEDGED, False)
    assert health.message.endswith("acknowledged by ann at 2026-06-22 03:04:00 UTC: the new airport"), "the first one"
    for other in (alert(AlertKind.ESTIMATED), alert(AlertKind.REALISED, date(2026, 6, 22))):
        assert health_of(RAN, found(REALISED, other), CHAMPION, made).needs_a_person
    later = replace(CHAMPION, version=4)
    assert health_of(RAN, found(alert(AlertKind.REALISED, version=4), version=4), later, made).needs_a_person


def test_the_worst_health_is_first_and_the_order_can_be_changed() -> None:
    rows = [
        Row("d", State.FAILED),
        Row("c", State.PROMOTED, health=ChampionHealth(HealthState.WORSE_ESTIMATED, "x")),
        Row("b", State.PROMOTED, health=ChampionHealth(HealthState.WELL, "x")),
        Row("a", State.PROMOTED, health=ChampionHealth(HealthState.ACKNOWLEDGED, "x")),
        Row("e", State.RUNNING, health=ChampionHealth(HealthState.WORSE_REALISED, "x")),
    ]
    assert [row.name for row in ordered(rows, Order.HEALTH)] == ["e", "c", "d", "a", "b"]
    assert [row.name for row in ordered(rows, Order.STATE)] == ["d", "e", "a", "b", "c"]
    assert [row.name for row in ordered(rows, Order.NAME)] == ["a", "b", "c", "d", "e"]


def test_the_first_page_shows_the_marks_and_lets_people_change_the_order() -> None:
    worse = Row("a.b", State.PROMOTED, health=ChampionHealth(HealthState.WORSE_REALISED, "it fell"))
    rows = (worse, Row("c.d", State.PROMOTED))
    html = page("pipelines.html", view=Overview(rows, rows, 2, RowFilter("a b", "promoted")), here="/taxiway", airflow="")
    assert html.count('href="/taxiway/pipelines/a.b#monitoring"') == 2, "in the list of what needs a person and in the line"
    assert 'aria-sort="ascending">Health' in html
    assert 'href="/taxiway/?q=a+b&amp;state=promoted&amp;order=state"' in html
    by_state = Overview(rows, rows, 2, RowFilter(order=Order.STATE))
    assert 'href="/taxiway/?"' in page("pipelines.html", view=by_state, here="/taxiway", airflow="")
    assert "Health</" not in page("pipelines.html", view=Overview(rows[1:], rows[1:], 1), here="/taxiway", airflow="")
    many = tuple(replace(worse, name=f"a.{number}") for number in range(MAX_NEEDS + 20))
    assert "and 20 more" in page("pipelines.html", view=Overview(many, many, len(many)), here="/taxiway", airflow="")


def test_the_newest_run_and_the_newest_record_are_found_in_few_queries(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    digest = store.put(found()).digest
    with airflow_tables() as session:
        for dag in ("a.well", "a.skipped", "a.failed", "a.new"):
            add_dag(session, f"{dag}.monitor")
        add_dag(session, "a.gone.monitor", stale=True)
        earlier, ended = WHEN - timedelta(days=1), ("success", "success")
        for dag in ("a.well", "a.skipped", "a.failed"):
            add_run(session, f"{dag}.monitor", earlier, ended, {"version": 3, "record": digest})
        add_run(session, "a.well.monitor", WHEN, ended, {"version": 3, "record": "newer"})
        add_run(session, "a.well.monitor", WHEN, ("running", "running"))
        add_run(session, "a.skipped.monitor", WHEN, ("success", "skipped"))
        add_run(session, "a.failed.monitor", WHEN, ("failed", "failed"), "no mapping")
        queries = []
        event.listen(session.get_bind(), "before_cursor_execute", lambda *parts: queries.append(parts[2]))
        names = ["a.well", "a.skipped", "a.failed", "a.new", "a.gone", "a.without"]
        states = monitoring_states(session, names)
        assert len(queries) == 5
        queries.clear()
        assert monitoring_states(session, ["a.failed"]) == {"a.failed": states["a.failed"]}
        assert len(queries) == 4, "no run is in progress"
    assert states == {
        "a.well": MonitoringState(WHEN, record="newer"),
        "a.skipped": MonitoringState(WHEN, skipped=True, record=digest),
        "a.failed": MonitoringState(WHEN, failed=True),
        "a.new": MonitoringState(),
    }
    assert newest_found(store, states) == {"a.skipped": found()}, "a record that is lost is left out"
    for name in ("a.new", "a.skipped", "a.gone"):
        record_served(store, name, found(REALISED))
    assert newest_found(store, states) == {"a.skipped": found(), "a.new": found(REALISED)}, (
        "of a run that Airflow does not have"
    )


def test_new_alerts_are_those_of_readable_pipelines_within_a_day() -> None:
    told = {"alerts": [{"messages": ["it fell", "much"]}, {"messages": []}]}
    with airflow_tables() as session:
        add_event(session, "a.b.alerts", WHEN, told)
        add_event(session, "a.b.alerts", WHEN - timedelta(days=2), told)
        add_event(session, "a.b.alerts", WHEN + timedelta(hours=1), {"from": "a person, with no alerts"})
        add_event(session, "a.secret.alerts", WHEN, told)
        assert new_alerts(session, ["a.b"], WHEN - timedelta(days=1), 6) == (NewAlert("a.b", WHEN, "it fell"),)


def test_what_changed_is_told_newest_first_and_only_of_a_day() -> None:
    now = WHEN + timedelta(hours=10)
    back = PROMOTION.model_copy(update={"at": WHEN, "verdict": None, "by": "ann", "reason": "rollback: too slow"})
    ended = back.model_copy(update={"at": WHEN + timedelta(hours=1), "to_version": None, "reason": "retired: no use"})
    summary = RunSummary(
        pipeline="a.c",
        run="r1",
        span=Span(source="s", name="1", rows=1, content="c"),
        outcome=Outcome.BLOCKED,
        reasons=("too hot",),
        mlflow_run="m",
    )
    rows = (
        Row("a.c", State.BLOCKED, decision=summary, decided_at=WHEN + timedelta(hours=2)),
        Row("a.d", State.FAILED, last=LastRun("r2", "failed", None, "train", WHEN + timedelta(hours=3))),
        Row("a.e", State.FAILED, last=LastRun("r2", "failed", None, "train", WHEN - timedelta(days=3))),
    )
    told = NewAlert("a.b", WHEN + timedelta(hours=4), "it fell")
    made = changes(rows, (ended, back, PROMOTION), (told,), now)
    assert [(change.kind, change.pipeline, change.message) for change in made] == [
        ("alert", "a.b", "it fell"),
        ("failed", "a.d", "a run failed before a decision, in train"),
        ("blocked", "a.c", "span 1 was blocked: too hot"),
        ("retirement", "a.b", "version 2 was retired by ann: no use"),
        ("rollback", "a.b", "version 3 is the champion, after version 2, by ann: rollback: too slow"),
    ]
    assert changes((), (), (), now) == ()
    assert len(changes((), (), [told] * 40, now)) == MAX_CHANGES + 1
    html = page("pipelines.html", view=Overview(rows, rows, 3, changes=made), here="/taxiway", airflow="")
    assert "What changed within a day" in html
    assert 'href="/taxiway/pipelines/a.c/runs/r1"' in html
