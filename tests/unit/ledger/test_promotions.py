"""Promotions in the ledger: pushes, forced pushes, rollbacks and retirements, and the alias that follows them."""

from datetime import UTC, datetime

import pytest
from ledger.entries import NOW, decision, promote, verdict, wrong

from taxiway.errors import TerminalError
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import record_decision
from taxiway.ledger.verify import verify
from taxiway.messages import MAX_KEPT_CHARACTERS
from taxiway.records import DecisionKind, Status
from taxiway.registry.alias_moves import champion_now
from taxiway.registry.aliases import CHAMPION, PREVIOUS, version_at
from taxiway.registry.demote import retire, rollback
from taxiway.registry.downstream import note_downstream
from taxiway.registry.promote import force, require_current
from taxiway.stages.push import told_downstream


def test_a_whole_ledger_has_no_problems(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(ledger, model, 2, 1)
    rollback(ledger, model, by="ann", reason="worse", at=datetime.now(UTC))
    record_decision(ledger, decision(model))
    found = verify(ledger)
    assert (found.links, found.unsigned, found.problems) == (4, 0, ())
    assert all(entry.promotion.files == f"files{entry.promotion.to_version}" for entry in promotions.entries(ledger.client))


def test_a_model_that_very_many_pipelines_read_is_promoted(ledger: Ledger, model: str) -> None:
    """MLflow's database may refuse a tag of more than 8,000 characters."""
    readers = [f"team.{'r' * 155}{number:02}" for number in range(60)]
    for reader in readers:
        note_downstream(ledger.client, model, reader, NOW)
    pushed = promote(ledger, model, 1, None)
    ended = retire(ledger, model, by="ann", reason="x" * MAX_KEPT_CHARACTERS, at=datetime.now(UTC))
    for made in (pushed, ended):
        assert made.downstream == tuple(readers[:12])
        assert made.downstream_more == 48
        assert told_downstream(made).endswith(
            f"{readers[11]} and 48 more pipelines; their owners are notified by their next run"
        )
        assert len(made.to_json()) < 6000
    assert wrong(ledger) == ()


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


def test_a_forced_push_names_the_rejection_that_it_overrules(ledger: Ledger, model: str) -> None:
    judged = verdict(model, 1, None)
    record_decision(ledger, decision(model, DecisionKind.REJECTION, judged.digest, by="bob@host", reason="no"))
    made = record_decision(ledger, decision(model, DecisionKind.FORCE, judged.digest))
    done = force(ledger, judged, made, at=datetime.now(UTC))
    assert done.reason == "forced: looked at it; overrules the rejection of bob@host: no"


def test_a_version_of_older_data_is_not_sent_to_a_decision_that_cannot_help(ledger: Ledger, model: str) -> None:
    """Its span, decided again, would be refused for the same data: what helps is the end of the champion."""
    promote(ledger, model, 1, None)
    judged = verdict(model, 2, 1, Status.FAIL)
    promote(ledger, model, 3, 1)
    with pytest.raises(TerminalError, match=r"newest span is 2013-02, the champion's is 2013-03") as refused:
        require_current(ledger, judged)
    assert f"taxiway retire {model} --reason WHY" in str(refused.value)
    retire(ledger, model, by="ann", reason="older data are better", at=datetime.now(UTC))
    assert promote(ledger, model, 2, None).from_version is None


def test_what_was_rolled_back_can_be_forced_again(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(ledger, model, 2, 1)
    rollback(ledger, model, by="ann", reason="x", at=datetime.now(UTC))
    judged = verdict(model, 2, 1)
    made = record_decision(ledger, decision(model, DecisionKind.FORCE, judged.digest, version=2))
    assert force(ledger, judged, made, at=datetime.now(UTC)).to_version == 2
    assert version_at(ledger.client, model, CHAMPION) == 2
    assert wrong(ledger) == ()


def test_a_rollback_may_name_any_former_champion(ledger: Ledger, model: str) -> None:
    for version in (1, 2, 3):
        promote(ledger, model, version, version - 1 or None)
    done = rollback(ledger, model, by="ann", reason="x", at=datetime.now(UTC), to_version=1)
    assert (done.from_version, done.to_version, done.files) == (3, 1, "files1")
    with pytest.raises(TerminalError, match="version 1 is the champion already"):
        rollback(ledger, model, by="bob", reason="x", at=datetime.now(UTC), to_version=1)
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
