"""Versions that somebody has deleted in MLflow: they can no longer be served, and hold up no other promotion of their model."""

from datetime import UTC, datetime
from typing import Any

import pytest
from ledger.entries import decision, promote, verdict, wrong

from taxiway.errors import TerminalError
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import record_decision
from taxiway.ledger.entry import State
from taxiway.records import DecisionKind, Promotion, Status
from taxiway.registry.alias_moves import champion_now, restore_aliases
from taxiway.registry.aliases import CHAMPION, PREVIOUS, point, version_at
from taxiway.registry.demote import retire, rollback
from taxiway.registry.promote import force


@pytest.fixture
def promoted(ledger: Ledger, model: str) -> str:
    """The model, of which the versions 1, 2 and 3 were champion, one after the other."""
    for version in (1, 2, 3):
        promote(ledger, model, version, version - 1 or None)
    return model


def aliases(ledger: Ledger, model: str) -> tuple[int | None, int | None]:
    """The champion and the version before it, by their aliases."""
    return version_at(ledger.client, model, CHAMPION), version_at(ledger.client, model, PREVIOUS)


def roll_back(ledger: Ledger, model: str, to_version: int | None = None) -> Promotion:
    return rollback(ledger, model, by="ann", reason="worse", at=datetime.now(UTC), to_version=to_version)


def test_a_deleted_version_before_the_former_champion_does_not_hold_up_its_rollback(ledger: Ledger, promoted: str) -> None:
    ledger.client.delete_model_version(promoted, "1")
    assert roll_back(ledger, promoted).to_version == 2
    assert aliases(ledger, promoted) == (2, None)
    retire(ledger, promoted, by="ann", reason="ends", at=datetime.now(UTC))
    assert aliases(ledger, promoted) == (None, 2)
    restore_aliases(ledger, promoted)
    assert {entry.state for entry in promotions.entries(ledger.client, promoted)} == {State.DONE}
    assert wrong(ledger) == ()


def test_a_champion_that_was_deleted_can_be_retired_rolled_back_and_replaced(ledger: Ledger, promoted: str) -> None:
    ledger.client.delete_model_version(promoted, "3")
    restore_aliases(ledger, promoted)
    assert (champion_now(ledger, promoted), aliases(ledger, promoted)) == (3, (None, 2))
    assert roll_back(ledger, promoted).from_version == 3
    assert aliases(ledger, promoted) == (2, 1)
    ledger.client.delete_model_version(promoted, "2")
    assert retire(ledger, promoted, by="ann", reason="ends", at=datetime.now(UTC)).from_version == 2
    assert aliases(ledger, promoted) == (None, None)


def test_a_deleted_champion_is_replaced_by_the_version_that_was_judged_against_it(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    ledger.client.delete_model_version(model, "1")
    assert promote(ledger, model, 2, 1).from_version == 1
    assert aliases(ledger, model) == (2, None)
    ledger.client.delete_model_version(model, "2")
    failed = verdict(model, 3, 2, Status.FAIL)
    made = record_decision(ledger, decision(model, DecisionKind.FORCE, failed.digest, version=3))
    assert force(ledger, failed, made, at=datetime.now(UTC)).from_version == 2
    assert aliases(ledger, model) == (3, None)


def test_a_deleted_version_is_refused_before_anything_is_written(ledger: Ledger, promoted: str) -> None:
    ledger.client.delete_model_version(promoted, "2")
    with pytest.raises(TerminalError, match=r"version 2 was deleted in MLflow.*allowed: 1") as refused:
        roll_back(ledger, promoted)
    assert f"taxiway rollback {promoted} --to VERSION" in str(refused.value)
    with pytest.raises(TerminalError, match=r"version 2 was deleted in MLflow.*allowed: 1"):
        roll_back(ledger, promoted, to_version=2)
    with pytest.raises(TerminalError, match=r"version 7 never was the champion; allowed: 1$"):
        roll_back(ledger, promoted, to_version=7)
    assert (len(promotions.entries(ledger.client, promoted)), aliases(ledger, promoted)) == (3, (3, None))
    assert roll_back(ledger, promoted, to_version=1).to_version == 1


def test_a_version_that_was_deleted_before_its_push_is_refused_before_anything_is_written(ledger: Ledger, model: str) -> None:
    ledger.client.delete_model_version(model, "1")
    with pytest.raises(TerminalError, match="version 1 is not pushed: it was deleted in MLflow; decide its span again"):
        promote(ledger, model, 1, None)
    assert promotions.entries(ledger.client, model) == []


def test_a_version_that_is_deleted_while_it_is_promoted_does_not_hold_up_the_next_promotion(
    ledger: Ledger, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    promote(ledger, model, 1, None)
    with monkeypatch.context() as dying:
        dying.setattr("taxiway.registry.alias_moves.point", killed)
        with pytest.raises(KeyboardInterrupt):
            promote(ledger, model, 2, 1)
    ledger.client.delete_model_version(model, "2")
    assert promote(ledger, model, 3, 2).from_version == 2
    assert aliases(ledger, model) == (3, None)


def test_a_rollback_that_is_killed_between_its_aliases_has_moved_the_champion(
    ledger: Ledger, promoted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def point_and_die(*moved: Any) -> None:
        point(*moved)
        raise KeyboardInterrupt

    monkeypatch.setattr("taxiway.registry.alias_moves.point", point_and_die)
    with pytest.raises(KeyboardInterrupt):
        roll_back(ledger, promoted)
    assert aliases(ledger, promoted) == (2, 2)
