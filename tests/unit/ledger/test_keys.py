"""Which keys an entry of the ledger is signed with: before there were keys, after a rotation, and by somebody who has none."""

from dataclasses import replace
from pathlib import Path

import pytest
from ledger.entries import KEYS, NOW, decision, promote, registered, wrong
from mlflow import MlflowClient

from taxiway.errors import TerminalError
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import record_decision
from taxiway.ledger.verify import sign, unsigned_entries, verify
from taxiway.records import Promotion
from taxiway.registry.alias_moves import champion_now
from taxiway.registry.aliases import CHAMPION
from taxiway.tracking import tags
from taxiway.tracking.local import local_mlflow


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
        with pytest.raises(TerminalError, match="the ledger is signed, and there is no key"):
            promote(without, model, 3, 2)


def test_after_a_rotation_old_signatures_hold(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    rotated = replace(ledger, keys=KEYS.rotated())
    promote(rotated, model, 2, 1)
    assert wrong(rotated) == ()
    assert any("is not signed" in problem for problem in wrong(ledger)), "who has only the old key does not know the new one"


def test_a_key_that_is_not_known_here_is_named(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    promote(replace(ledger, keys=KEYS.rotated()), model, 2, 1)
    with pytest.raises(
        TerminalError, match=r"is signed with the key \w{8}, which is not known here .* Give this process all keys"
    ):
        promote(ledger, model, 3, 2)


def test_who_has_no_key_writes_nothing_into_a_signed_ledger(tmp_path: Path) -> None:
    with local_mlflow(tmp_path) as client:
        ledger, model = Ledger(client, KEYS), registered(client)
        promote(ledger, model, 1, None)
        made = record_decision(ledger, decision(model))
        before = promotions.entries(client, model)
        with pytest.raises(TerminalError, match="there is no key here to sign with"):
            promote(Ledger(client), model, 2, 1)
        with pytest.raises(TerminalError, match="there is no key here to sign with"):
            record_decision(Ledger(client), made.model_copy(update={"reason": "another"}))
        assert promotions.entries(client, model) == before
        assert wrong(ledger) == ()
        promote(ledger, model, 2, 1)
