"""What people decide on the pages, against a real MLflow: sent twice it is done once, and what cannot be done changes nothing."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import answer, decisions, record_decision
from taxiway.ledger.effects import without_effect
from taxiway.ledger.entry import Entry, State
from taxiway.ledger.promotions import entries
from taxiway.ledger.verify import verify
from taxiway.lineage.monitoring import EXPERIMENT, newest_monitoring
from taxiway.lineage.outcomes import mark_processed
from taxiway.records import (
    Anomaly,
    DataReport,
    Decision,
    DecisionKind,
    Interval,
    Outcome,
    RunSummary,
    Severity,
    ShadowReport,
    Snapshot,
    Span,
    Status,
    Verdict,
)
from taxiway.records.served import AlertKind, ServedAlert, ServedPerformance
from taxiway.registry import promote
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.registry.champions import champions_and_promotions, model_history
from taxiway.registry.decided import force_version
from taxiway.store import Store
from taxiway.tracking import tags
from taxiway.tracking.local import local_mlflow
from taxiway.tracking.run import MlflowRun
from taxiway_ui.clients import can_write
from taxiway_ui.history.timeline import timeline
from taxiway_ui.monitoring.alerts import acknowledgements, standing_alerts
from taxiway_ui.people.decisions import (
    Person,
    acknowledge,
    record_answer,
    require_answered,
    retire,
    roll_back,
    run_again,
    run_started,
    waive,
)

NOW = datetime.now(UTC)


@pytest.fixture
def ann(ledger: Ledger) -> Person:
    """A person who decides about a pipeline with two champions, one after the other."""
    model = f"people.m{uuid.uuid4().hex[:8]}"
    ledger.client.create_registered_model(model)
    for version in (1, 2):
        run = ledger.client.create_run("0")
        ledger.client.create_model_version(
            model, f"{run.info.artifact_uri}/model", run.info.run_id, tags={"taxiway.newest_span": "1"}
        )
        champion = version - 1 or None
        shadow = ShadowReport(model=model, version=version, champion=champion, status=Status.NOT_APPLICABLE, reasons=())
        promote.push(ledger, verdict(model, version), shadow, by="run", at=NOW)
    return Person(ledger, model, "ann", "it rejects everybody")


def verdict(model: str, version: int) -> Verdict:
    champion = version - 1 or None
    return Verdict(
        model=model, version=version, champion=champion, snapshot="s", evaluation="e", status=Status.PASS, reasons=()
    )


def test_a_rollback_that_is_sent_twice_goes_back_once(ann: Person) -> None:
    for _ in range(2):
        roll_back(ann, 1)
    assert [entry.promotion.to_version for entry in entries(ann.ledger.client, ann.pipeline)] == [1, 2, 1]
    for other in (replace(ann, name="bob"), replace(ann, reason="another one")):
        with pytest.raises(TerminalError, match="is the champion already"):
            roll_back(other, 1)
    with pytest.raises(TerminalError, match="never was the champion"):
        roll_back(ann, 7)


def test_a_model_is_retired_once_and_brought_back(ann: Person) -> None:
    for _ in range(2):
        retire(ann)
    client = ann.ledger.client
    assert version_at(client, ann.pipeline, CHAMPION) is None
    history, found = model_history(ann.ledger, ann.pipeline), champions_and_promotions(ann.ledger, [ann.pipeline])
    ended = history.retired
    assert ended is not None
    assert (len(history.entries), ended.reason) == (3, "retired: it rejects everybody")
    assert (found.champions, found.retired, found.moved) == ({}, {ann.pipeline: ended}, {})
    with pytest.raises(TerminalError, match="no champion to retire"):
        retire(replace(ann, name="bob"))
    roll_back(ann, 2)
    assert model_history(ann.ledger, ann.pipeline).retired is None
    assert champions_and_promotions(ann.ledger, [ann.pipeline]).retired == {}


def test_the_first_answer_stands_and_is_no_problem_for_who_sends_it_twice(ann: Person) -> None:
    judged = verdict(ann.pipeline, 2)
    for _ in range(2):
        assert record_answer(ann, judged, DecisionKind.APPROVAL).by == "ann"
    bob = replace(ann, name="bob")
    with pytest.raises(TerminalError, match="ann has given the approval"):
        require_answered(bob, judged, DecisionKind.REJECTION)
    assert record_answer(bob, judged, DecisionKind.REJECTION).by == "ann"
    require_answered(ann, judged, DecisionKind.APPROVAL)
    with pytest.raises(TerminalError, match="does not wait for an answer"):
        require_answered(ann, judged, DecisionKind.REJECTION)


@pytest.fixture
def report(ann: Person, tmp_path: Path) -> tuple[Store, DataReport]:
    store = Store(str(tmp_path))
    span = Span(source="s", name="1", rows=1, content="c")
    snapshot = Snapshot(pipeline=ann.pipeline, training=(), evaluation=(span,))
    anomaly = Anomaly(
        kind="range", span="1", column="a", severity=Severity.ERROR, observed="9", expected="1", message="m", proposal="p"
    )
    store.put(snapshot)
    found = DataReport(snapshot=snapshot.digest, schema_version="v", status=Status.FAIL, checks=1, anomalies=(anomaly,))
    store.put(found)
    return store, found


def test_of_two_answers_at_once_one_stands_for_both(ann: Person) -> None:
    bob = replace(ann, name="bob", reason="it is too early")
    for version in (3, 4, 5):
        judged = verdict(ann.pipeline, version)
        asked = ((ann, DecisionKind.APPROVAL), (bob, DecisionKind.REJECTION))
        with ThreadPoolExecutor() as both:
            made = list(both.map(lambda who, judged=judged: record_answer(who[0], judged, who[1]), asked))
        stands = answer(ann.ledger, judged.digest)
        assert made == [stands, stands]
        assert sorted(each.by for each in decisions(ann.ledger, about=judged.digest)) == ["ann", "bob"], "both are recorded"
    assert verify(ann.ledger).problems == ()


def test_an_anomaly_is_waived_once_and_only_in_a_report_of_the_pipeline(ann: Person, report: tuple[Store, DataReport]) -> None:
    store, found = report
    today = datetime.now(UTC).date()
    for _ in range(2):
        waive(ann, store, found.digest, "range:a", today)
    (made,) = decisions(ann.ledger, model=ann.pipeline)
    assert (made.anomaly, made.column, made.until, made.about, made.via) == ("range", "a", today, found.digest, "airflow")
    other = replace(ann, pipeline="people.other")
    for person, anomaly, until, words in (
        (other, "range:a", today, "not of people.other"),
        (ann, "range", today, "has no anomaly range"),
        (ann, "range:a", today - timedelta(days=1), "in the past"),
    ):
        with pytest.raises(TerminalError, match=words):
            waive(person, store, found.digest, anomaly, until)
    assert decisions(ann.ledger, model="people.other") == ()


def monitored(ann: Person, store: Store, *alerts: ServedAlert) -> None:
    """A run of monitoring that has found these alerts."""
    value = Interval(value=0.7, low=0.6, high=0.8, rows=900)
    found = ServedPerformance(
        model=ann.pipeline, version=2, metric="roc_auc", evaluation=value, windows=(), alerts=alerts, at=datetime.now(UTC)
    )
    store.put(found)
    name = f"{ann.pipeline}.monitor/{uuid.uuid4().hex}"
    run = MlflowRun.find_or_make(ann.ledger.client, EXPERIMENT, name, {tags.PIPELINE: ann.pipeline}, lambda: datetime.now(UTC))
    run.record(found)
    run.end("FINISHED")


def test_an_alert_is_acknowledged_by_each_person_once_while_it_stands(ann: Person, tmp_path: Path) -> None:
    store, bob = Store(str(tmp_path)), replace(ann, name="bob")
    first, second = (
        ServedAlert(model=ann.pipeline, version=2, first=date(2026, 6, day), kind=AlertKind.REALISED) for day in (8, 15)
    )
    with pytest.raises(TerminalError, match="has no such alert"):
        acknowledge(ann, store, first.digest)
    monitored(ann, store, first)
    with ThreadPoolExecutor() as both:
        list(both.map(lambda person: acknowledge(person, store, first.digest), (ann, bob)))
    acknowledge(ann, store, first.digest)
    made = decisions(ann.ledger, model=ann.pipeline)
    assert {(each.by, each.about, each.version, each.kind) for each in made} == {
        (name, first.digest, 2, DecisionKind.ACKNOWLEDGEMENT) for name in ("ann", "bob")
    }
    assert len(made) == 2
    (standing,) = standing_alerts(store_found(ann, store), acknowledgements(made))
    assert standing.acknowledged == tuple(reversed(made)), "the first one is first"
    monitored(ann, store, second)
    with pytest.raises(TerminalError, match="has no such alert"):
        acknowledge(ann, store, first.digest)
    (standing,) = standing_alerts(store_found(ann, store), acknowledgements(decisions(ann.ledger, model=ann.pipeline)))
    assert (standing.alert, standing.acknowledged) == (second, ())


def test_who_started_a_run_or_has_a_span_decided_again_is_in_the_ledger(ann: Person, tmp_path: Path) -> None:
    store, span = Store(str(tmp_path)), Span(source="s", name="2026-01", rows=1, content="c", version=2)
    with pytest.raises(TerminalError, match=r"2026-01 of .* has no decision yet"):
        run_again(ann, store, "2026-01")
    first = RunSummary(pipeline=ann.pipeline, run="r", span=span, outcome=Outcome.REJECTED, reasons=(), mlflow_run="m")
    mark_processed(store, first)
    for _ in range(2):
        run_started(ann, "manual__1")
        run_again(ann, store, "2026-01")
    second = first.model_copy(update={"attempt": 2, "again": ann.reason, "previous": first.digest})
    mark_processed(store, second)
    run_again(ann, store, "2026-01")
    made = decisions(ann.ledger, model=ann.pipeline)
    assert [(each.kind, each.about, each.by) for each in made] == [
        (DecisionKind.AGAIN, second.digest, "ann"),
        (DecisionKind.AGAIN, first.digest, "ann"),
        (DecisionKind.RUN, "manual__1", "ann"),
    ]
    assert [event.what for event in timeline((), made)] == [f"span {span.label}", f"span {span.label}", ""]


def store_found(ann: Person, store: Store) -> ServedPerformance:
    run = newest_monitoring(ann.ledger.client, ann.pipeline)
    assert run is not None
    return store.get(ServedPerformance, run.found)


def test_without_keys_a_signed_ledger_cannot_be_written(ann: Person, tmp_path: Path) -> None:
    assert can_write(ann.ledger)
    assert not can_write(Ledger(ann.ledger.client))
    with local_mlflow(tmp_path) as client:
        assert can_write(Ledger(client)), "an installation that does not sign, and has no ledger yet"


def test_the_time_line_keeps_the_order_of_the_ledger_where_clocks_are_wrong(ann: Person) -> None:
    def at(hours: int) -> datetime:
        return NOW + timedelta(hours=hours)

    (second, first) = entries(ann.ledger.client, ann.pipeline)
    wrong = [replace(second, promotion=second.promotion.model_copy(update={"at": at(-9)})), first]
    made = Decision(kind=DecisionKind.FORCE, model="m", version=3, about="d", by="ann", via="airflow", at=at(2), reason="x")
    assert [(event.kind, event.what) for event in timeline(wrong, [made])] == [
        ("force", "version 3"),
        ("promotion", "1 → 2"),
        ("promotion", "none → 1"),
    ]


def third_version(person: Person) -> None:
    """A version that is no champion."""
    person.ledger.client.create_model_version(person.pipeline, "file:///nowhere", tags={"taxiway.newest_span": "1"})


def test_a_refused_force_is_not_recorded_and_an_older_one_is_without_effect(ann: Person) -> None:
    """The champion is version 2, and version 3 was compared with version 1."""
    third_version(ann)
    client, late = ann.ledger.client, verdict(ann.pipeline, 3).model_copy(update={"champion": 1, "status": Status.FAIL})
    made = ann.decision(DecisionKind.FORCE, late)
    with pytest.raises(TerminalError, match="it was compared with champion version 1, but the champion is now 2"):
        force_version(ann.ledger, late, None, made, at=NOW)
    assert decisions(ann.ledger, model=ann.pipeline) == ()
    record_decision(ann.ledger, made)
    (event,) = (
        event
        for event in timeline(entries(client, ann.pipeline), decisions(ann.ledger, model=ann.pipeline))
        if event.kind == "force"
    )
    assert "nothing was promoted: a force is refused if" in event.ineffective
    good = verdict(ann.pipeline, 3).model_copy(update={"status": Status.FAIL})
    decided = ann.decision(DecisionKind.FORCE, good)
    for _ in range(2):
        assert force_version(ann.ledger, good, None, decided, at=datetime.now(UTC)).to_version == 3
    known, both = entries(client, ann.pipeline), decisions(ann.ledger, model=ann.pipeline)
    assert [(found.about, bool(without_effect(both, known).get(found.digest))) for found in both] == [
        (good.digest, False),
        (late.digest, True),
    ]


def test_a_version_that_passed_is_not_forced_unless_somebody_has_rejected_it(ann: Person) -> None:
    third_version(ann)
    judged = verdict(ann.pipeline, 3)
    passed = ShadowReport(model=ann.pipeline, version=3, champion=2, status=Status.PASS, reasons=())
    for version, advice in (
        (1, f"taxiway rollback {ann.pipeline} --to 1"),
        (2, "it is the champion already"),
        (3, f"taxiway approve {ann.pipeline}/3"),
    ):
        one = verdict(ann.pipeline, version)
        its_shadow = passed.model_copy(update={"version": version, "champion": one.champion})
        with pytest.raises(TerminalError, match=f"because it passed its gates; .*{advice}"):
            force_version(ann.ledger, one, its_shadow, ann.decision(DecisionKind.FORCE, one), at=NOW)
    record_decision(ann.ledger, replace(ann, name="bob").decision(DecisionKind.REJECTION, judged))
    record_decision(ann.ledger, replace(ann, name="eve").decision(DecisionKind.REJECTION, judged))
    made = decisions(ann.ledger, about=judged.digest)
    events = timeline((), made)
    assert [event.ineffective for event in events] == ["the rejection of bob came first, and stands", ""]
    done = force_version(ann.ledger, judged, passed, ann.decision(DecisionKind.FORCE, judged), at=datetime.now(UTC))
    assert "overrules the rejection of bob" in done.reason


def test_the_time_line_says_what_a_promotion_was(ann: Person) -> None:
    def kind(**changed: object) -> str:
        entry = Entry("r", 1, State.DONE, "k", plain.model_copy(update=changed))
        return timeline([entry], [])[0].kind

    plain = entries(ann.ledger.client, ann.pipeline)[0].promotion
    assert kind() == "promotion"
    assert kind(decision="d") == "promotion", "one that was approved"
    assert kind(decision="d", shadow=None) == "forced promotion"
    assert kind(verdict=None) == "rollback"
    assert kind(verdict=None, to_version=None) == "retirement"
