"""What somebody who can write to MLflow, but has no key, changed in the ledger: it decides nothing, and `verify` names it."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger.entries import KEYS, decision, promote, registered, wrong

from taxiway.errors import TerminalError
from taxiway.ledger import entry as ledger_entry
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions, record_decision
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.ledger.verify import edited_entries, unsigned_entries
from taxiway.records import DecisionKind
from taxiway.registry.alias_moves import champion_now
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.tracking import tags
from taxiway.tracking.local import local_mlflow


def altered(folder: Path, statement: str, *values: str) -> None:
    (database,) = folder.glob("**/*.db")
    with closing(sqlite3.connect(database)) as opened, opened:
        assert opened.execute(statement, values).rowcount > 0


EDIT_TAG = "UPDATE tags SET value = replace(value, ?, ?) WHERE key = ?"


def copied(ledger: Ledger, entry: ledger_entry.Entry, **changes: str) -> str:
    """What somebody with access to MLflow can do with an entry: a run with the same tags and parameters."""
    run = ledger.client.get_run(entry.run_id)
    values = {name: value for name, value in run.data.tags.items() if name.startswith("taxiway.")}
    made = ledger.client.create_run(run.info.experiment_id, tags={**values, **changes})
    for name, value in run.data.params.items():
        ledger.client.log_param(made.info.run_id, name, value)
    return str(made.info.run_id)


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
    with pytest.raises(TerminalError, match=r"the parameter 000000002 .* is not a link of the chain"):
        promote(ledger, model, 2, 1)


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
