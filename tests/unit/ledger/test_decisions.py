"""Decisions of people in the ledger: recorded once, with a reason, and completed after a kill."""

import json
from datetime import date, timedelta

import pytest
from ledger.dying import Dying, KilledError
from ledger.entries import KEYS, NOW, decision, wrong

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import answer, decisions, record_decision
from taxiway.ledger.effects import without_effect
from taxiway.ledger.entry import Entry, State
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.records import DecisionKind, Promotion
from taxiway.tracking import tags


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


@pytest.mark.parametrize("reason", ["red \x1b[31m", "turned \u202e", "nothing \u200b"])
def test_a_reason_that_cannot_be_seen_is_refused(ledger: Ledger, model: str, reason: str) -> None:
    with pytest.raises(TerminalError, match="characters that cannot be printed"):
        record_decision(ledger, decision(model, reason=reason))


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


def test_a_killed_decision_is_completed_before_anybody_else_answers(ledger: Ledger, model: str) -> None:
    """Between its link and the note at its run it is made already."""
    record_decision(ledger, decision(model))
    (run,) = ledger.client.search_runs([ledger.client.get_experiment_by_name("taxiway/decisions").experiment_id])
    ledger.client.delete_tag(run.info.run_id, tags.CHAIN_LINK)
    assert wrong(ledger) == ()
    with pytest.raises(TerminalError, match="ann@host has given the approval"):
        record_decision(ledger, decision(model, DecisionKind.REJECTION, by="bob@host", reason="no"))


def test_a_decision_of_somebody_without_the_key_does_not_count(ledger: Ledger, model: str) -> None:
    record_decision(ledger, decision(model))
    stranger = Ledger(ledger.client, LedgerKeys((new_key(),)))
    record_decision(stranger, decision(model, DecisionKind.FORCE, by="eve@host"))
    assert [made.by for made in decisions(ledger, model=model)] == ["ann@host"]


def test_a_waiver_says_until_when_and_about_what(ledger: Ledger, model: str) -> None:
    waiver = decision(model, DecisionKind.WAIVER, "r1", version=None, until=date(2026, 4, 1), anomaly="range", column="a")
    record_decision(ledger, waiver)
    (found,) = decisions(ledger, about="r1")
    assert json.loads(found.to_json())["until"] == "2026-04-01"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.WITHDRAWN, "nothing was promoted, because another promotion came first"),
        (State.ABORTED, "its promotion was interrupted and another one came first"),
        (State.INTENT, "its promotion is in progress, or was interrupted"),
        (State.MOVING, ""),
        (State.DONE, ""),
    ],
)
def test_a_force_is_without_effect_unless_its_promotion_was_decided(state: State, words: str) -> None:
    made = decision("m", DecisionKind.FORCE)
    promotion = Promotion(model="m", alias="champion", to_version=1, by="ann", at=NOW, reason="x", decision=made.digest)
    found = without_effect([made], [Entry("e", 1, state, "k", promotion)])
    assert words in found.get(made.digest, "")
    assert (made.digest in found) == bool(words)


def test_a_force_that_is_older_than_the_known_promotions_is_not_judged() -> None:
    made = decision("m", DecisionKind.FORCE)
    later = Promotion(model="m", alias="champion", to_version=1, by="ann", at=NOW + timedelta(days=1), reason="x")
    assert without_effect([made], [Entry("e", 1, State.DONE, "k", later)]) == {}
    earlier = later.model_copy(update={"at": NOW - timedelta(days=1)})
    assert "a force is refused if" in without_effect([made], [Entry("e", 1, State.DONE, "k", earlier)])[made.digest]
