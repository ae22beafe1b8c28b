"""Promotions and decisions in the signed ledger: who may write them, what a kill leaves, and what `verify` names."""

import json
import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger.test_chain import Dying, KilledError
from mlflow import MlflowClient

from taxiway.errors import TerminalError
from taxiway.ledger import entry as ledger_entry
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import answer, decisions, record_decision
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.ledger.verify import edited_entries, sign, unsigned_entries, verify
from taxiway.records import Decision, DecisionKind, Promotion, ShadowReport, Status, Verdict
from taxiway.registry.alias_moves import champion_now
from taxiway.registry.aliases import CHAMPION, PREVIOUS, version_at
from taxiway.registry.promote import force, push, retire, rollback
from taxiway.tracking import tags
from taxiway.tracking.local import local_mlflow

KEYS = LedgerKeys((new_key(),))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with local_mlflow(tmp_path) as client:
        yield Ledger(client, KEYS)


@pytest.fixture
def model(ledger: Ledger) -> str:
    return registered(ledger.client)


def registered(client: MlflowClient, versions: int = 3) -> str:
    name = f"team.m{uuid.uuid4().hex[:8]}"
    client.create_registered_model(name)
    for version in range(1, versions + 1):
        client.create_model_version(
            name, f"file:///nowhere/{version}", tags={tags.NEWEST_SPAN: f"2013-0{version}", tags.FILES: f"files{version}"}
        )
    return name


def verdict(model: str, version: int, champion: int | None, status: Status = Status.PASS) -> Verdict:
    return Verdict(
        model=model, version=version, champion=champion, snapshot="s", evaluation=f"e{version}", status=status, reasons=()
    )


def promote(ledger: Ledger, model: str, version: int, champion: int | None) -> Promotion:
    status = Status.PASS if champion else Status.NOT_APPLICABLE
    shadow = ShadowReport(model=model, version=version, champion=champion, status=status, reasons=())
    return push(ledger, verdict(model, version, champion), shadow, by="dag/run", at=datetime.now(UTC))


def decision(model: str, kind: DecisionKind = DecisionKind.APPROVAL, about: str = "v1", **changes: Any) -> Decision:
    made = {"by": "ann@host", "via": "command line", "at": NOW, "reason": "looked at it", "version": 1}
    return Decision.model_validate({"kind": kind, "model": model, "about": about, **made, **changes})


def wrong(ledger: Ledger) -> tuple[str, ...]:
    return verify(ledger).problems


def test_a_whole_ledger_has_no_problems(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(ledger, model, 2, 1)
    rollback(ledger, model, by="ann", reason="worse", at=datetime.now(UTC))
    record_decision(ledger, decision(model))
    found = verify(ledger)
    assert (found.links, found.unsigned, found.problems) == (4, 0, ())
    assert all(entry.promotion.files == f"files{entry.promotion.to_version}" for entry in promotions.entries(ledger.client))


def older_promotion(client: MlflowClient, model: str) -> None:
    """As Taxiway wrote them before there was a chain: without number, link and signature."""
    old = Promotion(
        model=model, alias=CHAMPION, from_version=None, to_version=1, by="dag/run", at=NOW, reason="first champion", verdict="v"
    )
    client.create_run(
        client.create_experiment(promotions.EXPERIMENT),
        tags={
            tags.PROMOTION_MODEL: model,
            tags.PROMOTION_KEY: "k",
            tags.PROMOTION_STATE: "DONE",
            tags.PROMOTION_RECORD: old.to_json(),
        },
    )
    client.set_registered_model_alias(model, CHAMPION, "1")


def test_an_old_ledger_is_signed_by_a_person_and_not_by_the_next_push(tmp_path: Path) -> None:
    """Anybody who can write to MLflow could have written such entries."""
    with local_mlflow(tmp_path) as client:
        ledger, model = Ledger(client, KEYS), registered(client)
        older_promotion(client, model)
        with pytest.raises(TerminalError, match="taxiway ledger sign"):
            promote(ledger, model, 2, 1)
        sign(ledger, unsigned_entries(ledger))
        promote(ledger, model, 2, 1)
        assert [entry.is_linked(ledger) for entry in promotions.entries(client, model)] == [True, True]
        assert wrong(ledger) == ()


def test_without_keys_an_old_ledger_goes_on(tmp_path: Path) -> None:
    with local_mlflow(tmp_path) as client:
        ledger, model = Ledger(client), registered(client)
        older_promotion(client, model)
        assert champion_now(ledger, model) == 1
        promote(ledger, model, 2, 1)
        assert [entry.is_linked(ledger) for entry in promotions.entries(client, model)] == [True, True]
        assert (wrong(ledger), verify(ledger).links) == ((), 2)


def test_entries_of_before_the_keys_are_signed_by_command(tmp_path: Path) -> None:
    with local_mlflow(tmp_path) as client:
        without, ledger, model = Ledger(client), Ledger(client, KEYS), registered(client)
        promote(without, model, 1, None)
        record_decision(without, decision(model))
        with pytest.raises(TerminalError, match=r"is not signed with a key of this installation .*taxiway ledger sign"):
            promote(ledger, model, 2, 1)
        assert len(unsigned_entries(ledger)) == 2
        assert any("is not signed" in problem for problem in wrong(ledger))
        sign(ledger, unsigned_entries(ledger))
        assert (unsigned_entries(ledger), wrong(ledger)) == ([], ())
        promote(ledger, model, 2, 1)
        with pytest.raises(TerminalError, match="the ledger is signed, and here is no key"):
            promote(without, model, 3, 2)


def test_after_a_rotation_old_signatures_hold(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    rotated = replace(ledger, keys=KEYS.rotated())
    promote(rotated, model, 2, 1)
    assert wrong(rotated) == ()
    assert any("is not signed" in problem for problem in wrong(ledger)), "who has only the old key does not know the new one"


def test_who_has_no_key_cannot_promote(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    with pytest.raises(TerminalError, match="the ledger is signed, and here is no key"):
        promote(Ledger(ledger.client), model, 2, 1)
    with pytest.raises(TerminalError, match="is not signed with a key of this installation"):
        promote(ledger, model, 3, 1)


def altered(folder: Path, statement: str, *values: str) -> None:
    (database,) = folder.glob("**/*.db")
    with closing(sqlite3.connect(database)) as opened, opened:
        assert opened.execute(statement, values).rowcount > 0


EDIT_TAG = "UPDATE tags SET value = replace(value, ?, ?) WHERE key = ?"


@pytest.mark.parametrize(
    ("statement", "values", "words"),
    [
        (EDIT_TAG, ("dag/run", "somebody", tags.PROMOTION_RECORD), "entry 1 .Promotion of .* was edited"),
        (EDIT_TAG, ("looked", "slept", tags.DECISION_RECORD), "entry 2 .Decision of .* was edited"),
        (EDIT_TAG, ("DONE", "ABORTED", tags.PROMOTION_STATE), "entry 1 .* was removed from MLflow, or its state was changed"),
        ("UPDATE runs SET lifecycle_stage = ? WHERE name LIKE ?", ("deleted", "% approval"), "entry 2 .* was removed"),
        (
            "UPDATE params SET value = replace(value, ?, ?) WHERE key = '000000001'",
            ("Promotion", "Decision"),
            "link 1 of the chain was changed",
        ),
        ("DELETE FROM params WHERE key = ? AND value != ?", ("000000001", ""), "links 1 to 1 of the chain are missing"),
        ("UPDATE params SET value = ? WHERE key = ?", ("{}", "000000002"), "link 000000002 is not the text of a link"),
        (EDIT_TAG, ("team.", "other.", tags.PROMOTION_MODEL), "entry 1 .* was edited"),
        ("DELETE FROM tags WHERE key = ? AND value != ?", (tags.DECISION_RECORD, ""), "entry 2 .* was edited"),
    ],
)
def test_what_was_changed_in_the_database_is_named(tmp_path: Path, statement: str, values: tuple[str, ...], words: str) -> None:
    with local_mlflow(tmp_path) as client:
        ledger, model = Ledger(client, KEYS), registered(client)
        promote(ledger, model, 1, None)
        record_decision(ledger, decision(model))
        assert wrong(ledger) == ()
        altered(tmp_path, statement, *values)
        assert any(re.search(words, problem) for problem in wrong(ledger)), wrong(ledger)


def test_an_inserted_entry_is_named_and_stops_the_next_push(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    stranger = Ledger(ledger.client, LedgerKeys((new_key(),)))
    forged = promotions.entries(ledger.client, model)[0].promotion.model_copy(update={"to_version": 3})
    entry = promotions.open_entry(stranger, "k", forged, promotions.entries(ledger.client, model))
    promotions.close(ledger.client, promotions.decide(stranger, entry, ledger_entry.State.MOVING))
    assert any(f"run {entry.run_id} was inserted: it is not in the chain" in problem for problem in wrong(ledger))
    with pytest.raises(TerminalError, match=rf"is not known here .*{entry.run_id}"):
        promote(ledger, model, 2, 1)


def test_the_same_decision_is_made_once(ledger: Ledger, model: str) -> None:
    first = record_decision(ledger, decision(model))
    again = record_decision(ledger, decision(model, at=NOW + timedelta(hours=1)))
    assert again == first
    assert decisions(ledger, model=model) == (first,)


def test_of_two_answers_the_first_stands_and_both_are_kept(ledger: Ledger, model: str) -> None:
    record_decision(ledger, decision(model))
    record_decision(ledger, decision(model, by="bob@host"))
    with pytest.raises(TerminalError, match=r"ann@host has given the approval at 2026-03-01.*looked at it.*changes nothing"):
        record_decision(ledger, decision(model, DecisionKind.REJECTION, by="eve@host", reason="no"))
    assert [made.by for made in decisions(ledger, about="v1")] == ["eve@host", "bob@host", "ann@host"]
    found = answer(ledger, "v1")
    assert found is not None
    assert found.kind is DecisionKind.APPROVAL


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 2001])
def test_a_reason_is_needed_and_not_endless(ledger: Ledger, model: str, reason: str) -> None:
    with pytest.raises(TerminalError, match="the reason"):
        record_decision(ledger, decision(model, reason=reason))
    assert decisions(ledger) == ()


def test_a_decision_that_was_killed_at_any_request_is_made_by_the_retry(ledger: Ledger, model: str) -> None:
    killed = 0
    for last in range(100):
        try:
            record_decision(Ledger(Dying(ledger.client, last), KEYS), decision(model))  # type: ignore[arg-type]
            break
        except KilledError:
            killed += 1
            assert len(decisions(ledger, model=model)) <= 1
    assert killed >= 8
    assert len(decisions(ledger, model=model)) == 1
    assert wrong(ledger) == ()


def test_a_decision_of_somebody_without_the_key_does_not_count(ledger: Ledger, model: str) -> None:
    record_decision(ledger, decision(model))
    stranger = Ledger(ledger.client, LedgerKeys((new_key(),)))
    record_decision(stranger, decision(model, DecisionKind.FORCE, by="eve@host"))
    assert [made.by for made in decisions(ledger, model=model)] == ["ann@host"]


def test_a_forced_push_names_the_person_and_can_be_rolled_back(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    failed = verdict(model, 2, 1, Status.FAIL)
    made = record_decision(ledger, decision(model, DecisionKind.FORCE, failed.digest, version=2))
    done = force(ledger, failed, made, at=datetime.now(UTC))
    assert (done.forced, done.by, done.decision, done.reason) == (True, "ann@host", made.digest, "forced: looked at it")
    assert force(ledger, failed, made, at=datetime.now(UTC)) == done
    rollback(ledger, model, by="bob", reason="no", at=datetime.now(UTC))
    assert version_at(ledger.client, model, CHAMPION) == 1
    with pytest.raises(TerminalError, match="is about v1, not about the verdict"):
        force(ledger, verdict(model, 3, 1, Status.FAIL), decision(model, DecisionKind.FORCE), at=datetime.now(UTC))


def test_a_rollback_may_name_any_former_champion(ledger: Ledger, model: str) -> None:
    for version in (1, 2, 3):
        promote(ledger, model, version, version - 1 or None)
    done = rollback(ledger, model, by="ann", reason="x", at=datetime.now(UTC), to_version=1)
    assert (done.from_version, done.to_version, done.files) == (3, 1, "files1")
    with pytest.raises(TerminalError, match="version 1 is the champion already"):
        rollback(ledger, model, by="ann", reason="x", at=datetime.now(UTC), to_version=1)
    with pytest.raises(TerminalError, match="version 7 never was the champion; allowed: 2, 3"):
        rollback(ledger, model, by="ann", reason="x", at=datetime.now(UTC), to_version=7)


def test_a_retired_model_has_no_champion_until_a_rollback_or_a_push(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(ledger, model, 2, 1)
    ended = retire(ledger, model, by="ann", reason="the product ends", at=datetime.now(UTC))
    assert (ended.from_version, ended.to_version) == (2, None)
    assert (version_at(ledger.client, model, CHAMPION), version_at(ledger.client, model, PREVIOUS)) == (None, 2)
    with pytest.raises(TerminalError, match="has no champion to retire"):
        retire(ledger, model, by="ann", reason="again", at=datetime.now(UTC))
    back = rollback(ledger, model, by="bob", reason="not yet", at=datetime.now(UTC))
    assert (back.from_version, back.to_version) == (None, 2)
    assert (version_at(ledger.client, model, CHAMPION), version_at(ledger.client, model, PREVIOUS)) == (2, 1)
    retire(ledger, model, by="ann", reason="now", at=datetime.now(UTC))
    promote(ledger, model, 3, None)
    assert version_at(ledger.client, model, CHAMPION) == 3
    assert wrong(ledger) == ()


def test_a_waiver_says_until_when_and_about_what(ledger: Ledger, model: str) -> None:
    waiver = decision(model, DecisionKind.WAIVER, "r1", version=None, until=date(2026, 4, 1), anomaly="range", column="a")
    record_decision(ledger, waiver)
    (found,) = decisions(ledger, about="r1")
    assert json.loads(found.to_json())["until"] == "2026-04-01"


def test_an_alias_moved_by_hand_is_no_champion_and_is_put_back(ledger: Ledger, model: str) -> None:
    """What production serves is what a candidate is compared with, and what a rollback replaces."""
    first = promote(ledger, model, 1, None)
    ledger.client.set_registered_model_alias(model, CHAMPION, "3")
    assert champion_now(ledger, model) == 1
    assert promote(ledger, model, 1, None) == first, "a retry finds its promotion"
    assert version_at(ledger.client, model, CHAMPION) == 1
    ledger.client.set_registered_model_alias(model, CHAMPION, "3")
    assert promote(ledger, model, 2, 1).from_version == 1
    ledger.client.set_registered_model_alias(model, CHAMPION, "3")
    assert rollback(ledger, model, by="ann", reason="x", at=datetime.now(UTC)).from_version == 2
    assert version_at(ledger.client, model, CHAMPION) == 1


def test_what_was_rolled_back_can_be_forced_again(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(ledger, model, 2, 1)
    rollback(ledger, model, by="ann", reason="x", at=datetime.now(UTC))
    judged = verdict(model, 2, 1)
    made = record_decision(ledger, decision(model, DecisionKind.FORCE, judged.digest, version=2))
    assert force(ledger, judged, made, at=datetime.now(UTC)).to_version == 2
    assert version_at(ledger.client, model, CHAMPION) == 2
    assert wrong(ledger) == ()


def copied(ledger: Ledger, entry: ledger_entry.Entry, **changes: str) -> str:
    """What somebody with access to MLflow can do with an entry: a run with the same tags and parameters."""
    run = ledger.client.get_run(entry.run_id)
    values = {name: value for name, value in run.data.tags.items() if name.startswith("taxiway.")}
    made = ledger.client.create_run(run.info.experiment_id, tags={**values, **changes})
    for name, value in run.data.params.items():
        ledger.client.log_param(made.info.run_id, name, value)
    return str(made.info.run_id)


@pytest.mark.parametrize("state", ["INTENT", "DONE"])
def test_a_copy_of_an_old_promotion_does_not_bring_it_back(ledger: Ledger, model: str, state: str) -> None:
    """The decision is signed with the id of its run, so a copy is completed by nobody."""
    promote(ledger, model, 1, None)
    first = promotions.entries(ledger.client, model)[0]
    promote(ledger, model, 2, 1)
    copied(ledger, first, **{tags.PROMOTION_STATE: state, tags.PROMOTION_NUMBER: "9"})
    assert champion_now(ledger, model) == 2
    with pytest.raises(TerminalError, match="is not signed with a key of this installation"):
        promote(ledger, model, 3, 2)
    assert len([problem for problem in wrong(ledger) if "was inserted" in problem or "was edited" in problem]) >= 1


def test_a_withdrawn_promotion_cannot_be_revived_in_the_database(tmp_path: Path) -> None:
    with local_mlflow(tmp_path) as client:
        ledger, model = Ledger(client, KEYS), registered(client)
        promote(ledger, model, 1, None)
        known = promotions.entries(client, model)
        late = known[0].promotion.model_copy(update={"from_version": 1, "to_version": 3})
        entry = promotions.open_entry(ledger, "late", late, known)
        promotions.decide(ledger, entry, ledger_entry.State.WITHDRAWN)
        promote(ledger, model, 2, 1)
        altered(tmp_path, "UPDATE params SET value = ? WHERE value = ?", "MOVING", "WITHDRAWN")
        altered(tmp_path, "UPDATE tags SET value = ? WHERE value = ?", "INTENT", "WITHDRAWN")
        assert champion_now(ledger, model) == 2
        with pytest.raises(TerminalError, match="is not signed"):
            promote(ledger, model, 3, 2)
        assert version_at(client, model, CHAMPION) == 2


def test_the_order_of_promotions_is_not_that_of_a_tag(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(ledger, model, 2, 1)
    first = promotions.entries(ledger.client, model)[-1]
    ledger.client.set_tag(first.run_id, tags.PROMOTION_NUMBER, "99")
    assert champion_now(ledger, model) == 2
    assert any("its number or its key was changed" in problem for problem in wrong(ledger))


def test_tags_that_point_elsewhere_are_not_believed_and_named(ledger: Ledger, model: str) -> None:
    other = registered(ledger.client)
    promote(ledger, model, 1, None)
    promote(ledger, other, 1, None)
    promote(ledger, other, 2, 1)
    newest = promotions.entries(ledger.client, other)[0]
    ledger.client.set_tag(newest.run_id, tags.PROMOTION_MODEL, model)
    assert (champion_now(ledger, model), len(promotions.entries(ledger.client, model))) == (1, 1)
    made = record_decision(ledger, decision(model, DecisionKind.WAIVER, "r1", version=None, anomaly="range"))
    (run,) = ledger.client.search_runs([ledger.client.get_experiment_by_name("taxiway/decisions").experiment_id])
    ledger.client.set_tag(run.info.run_id, tags.DECISION_ABOUT, "r2")
    assert (decisions(ledger, about="r2"), decisions(ledger, model=model)) == ((), (made,))
    assert any("was edited" in problem for problem in wrong(ledger))


def test_a_run_that_somebody_prepared_is_not_signed_for_them(ledger: Ledger, model: str) -> None:
    """The key of a decision can be guessed, such as that of silence."""
    asked = decision(model, DecisionKind.REJECTION, reason="no")
    first = record_decision(ledger, asked)
    (run,) = ledger.client.search_runs([ledger.client.get_experiment_by_name("taxiway/decisions").experiment_id])
    ledger.client.set_tag(run.info.run_id, tags.DECISION_RECORD, decision(model).to_json())
    assert decisions(ledger, model=model) == ()
    assert record_decision(ledger, asked) == first
    assert [made.kind for made in decisions(ledger, model=model)] == [DecisionKind.REJECTION]


@pytest.mark.parametrize("values", [{}, {tags.PROMOTION_RECORD: "{}"}, {tags.PROMOTION_STATE: "LATER"}])
def test_a_run_that_is_no_entry_breaks_nothing(ledger: Ledger, model: str, values: dict[str, str]) -> None:
    promote(ledger, model, 1, None)
    known = ledger.client.get_experiment_by_name(promotions.EXPERIMENT)
    assert known is not None
    ledger.client.create_run(
        known.experiment_id, tags={tags.PROMOTION_MODEL: model, tags.CHAIN_LINK: '{"signature": 5}', **values}
    )
    promote(ledger, model, 2, 1)
    assert champion_now(ledger, model) == 2
    assert wrong(ledger) == ()


def test_a_jammed_chain_is_named(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    known = ledger.client.get_experiment_by_name("taxiway/ledger")
    assert known is not None
    (run,) = ledger.client.search_runs([known.experiment_id])
    ledger.client.log_param(run.info.run_id, "000000002", "junk")
    with pytest.raises(TerminalError, match=r"the parameter 000000002 .* is no link of the chain"):
        promote(ledger, model, 2, 1)


def test_a_killed_decision_is_completed_before_anybody_else_answers(ledger: Ledger, model: str) -> None:
    """Between its link and the note at its run it is made already."""
    record_decision(ledger, decision(model))
    (run,) = ledger.client.search_runs([ledger.client.get_experiment_by_name("taxiway/decisions").experiment_id])
    ledger.client.delete_tag(run.info.run_id, tags.CHAIN_LINK)
    assert wrong(ledger) == ()
    with pytest.raises(TerminalError, match="ann@host has given the approval"):
        record_decision(ledger, decision(model, DecisionKind.REJECTION, by="bob@host", reason="no"))


def test_a_key_that_is_not_known_here_is_named(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(replace(ledger, keys=KEYS.rotated()), model, 2, 1)
    with pytest.raises(
        TerminalError, match=r"is signed with the key \w{8}, which is not known here .* Give this process all keys"
    ):
        promote(ledger, model, 3, 2)


def test_a_state_changed_by_hand_decides_nothing(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(ledger, model, 2, 1)
    newest = promotions.entries(ledger.client, model)[0]
    for state in ("INTENT", "NOTHING", "ABORTED"):
        ledger.client.set_tag(newest.run_id, tags.PROMOTION_STATE, state)
        assert champion_now(ledger, model) == 2, state
    assert any("its state was changed" in problem for problem in wrong(ledger))


def test_what_was_edited_is_not_signed_again(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    (entry,) = promotions.entries(ledger.client, model)
    edited = entry.promotion.model_copy(update={"to_version": 3})
    ledger.client.set_tag(entry.run_id, tags.PROMOTION_RECORD, edited.to_json())
    assert unsigned_entries(ledger) == []
    assert [found.entry for found in edited_entries(ledger)] == [entry.run_id]
    with pytest.raises(TerminalError, match=r"was edited: its record is not the one that was signed"):
        promote(ledger, model, 2, 1)


def test_a_forced_push_names_the_rejection_that_it_overrules(ledger: Ledger, model: str) -> None:
    judged = verdict(model, 1, None)
    record_decision(ledger, decision(model, DecisionKind.REJECTION, judged.digest, by="bob@host", reason="no"))
    made = record_decision(ledger, decision(model, DecisionKind.FORCE, judged.digest))
    done = force(ledger, judged, made, at=datetime.now(UTC))
    assert done.reason == "forced: looked at it; overrules the rejection of bob@host: no"


@pytest.mark.parametrize("reason", ["red \x1b[31m", "turned \u202e", "nothing \u200b"])
def test_a_reason_that_cannot_be_seen_is_refused(ledger: Ledger, model: str, reason: str) -> None:
    with pytest.raises(TerminalError, match="characters that cannot be printed"):
        record_decision(ledger, decision(model, reason=reason))
