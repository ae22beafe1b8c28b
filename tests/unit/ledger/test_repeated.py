"""A rollback or the end of a champion that is repeated, by the same person or by another one, is made once."""

from datetime import UTC, datetime, timedelta

import pytest
from ledger.entries import promote, wrong

from taxiway.errors import TerminalError, TransientError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import State
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.ledger.promotions import entries, open_entry, promotion_key
from taxiway.records import Promotion
from taxiway.registry.alias_moves import champion_now
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.registry.demote import retire, rollback


@pytest.fixture
def promoted(ledger: Ledger, model: str) -> str:
    """The model, of which the versions 1, 2 and 3 were champion, one after the other."""
    for version in (1, 2, 3):
        promote(ledger, model, version, version - 1 or None)
    return model


def roll_back(ledger: Ledger, model: str, by: str = "ann", reason: str = "worse", to_version: int | None = None) -> Promotion:
    return rollback(ledger, model, by=by, reason=reason, at=datetime.now(UTC), to_version=to_version)


def kill_before_it_is_decided(monkeypatch: pytest.MonkeyPatch, ledger: Ledger, model: str, hours: float = 0) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("taxiway.registry.demote.move", killed)
        with pytest.raises(KeyboardInterrupt):
            rollback(ledger, model, by="ann", reason="worse", at=datetime.now(UTC) - timedelta(hours=hours))


def states(ledger: Ledger, model: str) -> list[State]:
    """The states of what came after the three pushes, the newest first."""
    return [entry.state for entry in entries(ledger.client, model)][:-3]


@pytest.mark.parametrize("to_version", [None, 2])
def test_a_rollback_that_is_repeated_goes_back_once(ledger: Ledger, promoted: str, to_version: int | None) -> None:
    first = roll_back(ledger, promoted, to_version=to_version)
    ledger.client.set_registered_model_alias(promoted, CHAMPION, "1")
    assert roll_back(ledger, promoted, to_version=to_version) == first
    assert version_at(ledger.client, promoted, CHAMPION) == 2, "the alias follows again"
    assert states(ledger, promoted) == [State.DONE]


def test_who_wants_to_go_back_twice_names_the_version(ledger: Ledger, promoted: str) -> None:
    roll_back(ledger, promoted)
    for by, reason in (("bob", "worse"), ("ann", "still worse")):
        with pytest.raises(TerminalError, match=r"rolled back to version 2 by ann at .*: worse") as refused:
            roll_back(ledger, promoted, by, reason)
        assert f"taxiway rollback {promoted} --to 1 --reason WHY" in str(refused.value)
    with pytest.raises(TerminalError, match="version 2 is the champion already"):
        roll_back(ledger, promoted, "bob", to_version=2)
    assert roll_back(ledger, promoted, "bob", "still worse", to_version=1).from_version == 2
    with pytest.raises(TerminalError, match="no version before version 1"):
        roll_back(ledger, promoted, reason="again")
    assert champion_now(ledger, promoted) == 1
    assert wrong(ledger) == ()


def test_the_same_rollback_after_another_push_is_a_new_one(ledger: Ledger, promoted: str) -> None:
    roll_back(ledger, promoted, to_version=1)
    promote(ledger, promoted, 3, 1)
    assert roll_back(ledger, promoted, to_version=1).from_version == 3
    assert champion_now(ledger, promoted) == 1


@pytest.mark.parametrize("by", ["ann", "bob"])
def test_a_rollback_that_was_killed_before_its_decision_is_completed_at_once(
    ledger: Ledger, promoted: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_before_it_is_decided(monkeypatch, ledger, promoted)
    done = roll_back(ledger, promoted, by)
    assert (done.by, done.from_version, done.to_version) == ("ann", 3, 2)
    assert version_at(ledger.client, promoted, CHAMPION) == 2
    assert states(ledger, promoted) == [State.DONE]


def test_a_rollback_that_was_left_long_ago_is_not_completed_for_somebody_else(
    ledger: Ledger, promoted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_before_it_is_decided(monkeypatch, ledger, promoted, hours=1)
    assert roll_back(ledger, promoted, "bob").by == "bob"
    assert states(ledger, promoted) == [State.DONE, State.ABORTED]


def test_an_open_rollback_that_is_not_signed_is_not_completed(ledger: Ledger, promoted: str) -> None:
    """Whoever can write to MLflow can write an entry, and must not get it decided by a person with a key."""
    known = entries(ledger.client, promoted)
    forged = Promotion(
        model=promoted, alias=CHAMPION, from_version=3, to_version=2, by="ann", at=datetime.now(UTC), reason="rollback: worse"
    )
    stranger = Ledger(ledger.client, LedgerKeys((new_key(),)))
    open_entry(stranger, promotion_key(promoted, 2, f"rollback after {known[0].run_id}"), forged, known)
    with pytest.raises(TransientError, match="in progress"):
        roll_back(ledger, promoted)
    assert champion_now(ledger, promoted) == 3


def test_the_end_of_a_champion_that_is_repeated_is_made_once(
    ledger: Ledger, promoted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr("taxiway.registry.demote.move", killed)
        with pytest.raises(KeyboardInterrupt):
            retire(ledger, promoted, by="ann", reason="the product ends", at=datetime.now(UTC))
    made = [retire(ledger, promoted, by="ann", reason="the product ends", at=datetime.now(UTC)) for _ in range(2)]
    assert made[0] == made[1]
    assert states(ledger, promoted) == [State.DONE]
    with pytest.raises(TerminalError, match="has no champion to retire"):
        retire(ledger, promoted, by="bob", reason="the product ends", at=datetime.now(UTC))
