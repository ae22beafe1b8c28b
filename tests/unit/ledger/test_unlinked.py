"""`verify` tells what somebody has inserted apart from what a killed process has left open."""

from typing import Any

from ledger.dying import Dying, KilledError
from ledger.entries import KEYS, decision, promote, registered

from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import EXPERIMENT, decisions, record_decision
from taxiway.ledger.entry import State
from taxiway.ledger.verify import Verified, verify
from taxiway.registry.alias_moves import restore_aliases
from taxiway.tracking import tags
from taxiway.tracking.local import local_mlflow


def killed(ledger: Ledger, before: int) -> Ledger:
    """The ledger of a process that ends before its request with this number."""
    return Ledger(Dying(ledger.client, before), ledger.keys)  # type: ignore[arg-type]


def runs(ledger: Ledger) -> list[Any]:
    return list(ledger.client.search_runs([ledger.client.get_experiment_by_name(EXPERIMENT).experiment_id]))


def inserted(ledger: Ledger, run: Any) -> str:
    """A run with the tags of a decision, but without its link."""
    values = {name: value for name, value in run.data.tags.items() if name.startswith("taxiway.")}
    del values[tags.CHAIN_LINK]
    return str(ledger.client.create_run(run.info.experiment_id, tags=values).info.run_id)


def test_a_killed_decision_is_a_note_until_it_is_completed(ledger: Ledger, model: str) -> None:
    """At none of its requests does a kill look like an attack, and a retry leaves nothing behind."""
    record_decision(ledger, decision(model, by="bob@host"))
    open_ones = 0
    for before in range(100):
        try:
            record_decision(killed(ledger, before), decision(model))
            break
        except KilledError:
            found = verify(ledger)
            assert found.problems == (), before
            open_ones += len(found.notes)
            assert all("was written and never signed into the chain, so it has no effect" in note for note in found.notes)
    assert open_ones
    assert (verify(ledger).problems, verify(ledger).notes) == ((), ())


def test_a_copy_of_a_decision_is_named(ledger: Ledger, model: str) -> None:
    """Its signature is genuine, because it is that of the original."""
    record_decision(ledger, decision(model))
    (run,) = runs(ledger)
    copy = inserted(ledger, run)
    (problem,) = verify(ledger).problems
    assert f"MLflow run {copy} was inserted: it is a copy of the one in MLflow run {run.info.run_id}" in problem
    assert len(decisions(ledger, model=model)) == 1


def test_a_decision_of_somebody_without_a_key_is_named(ledger: Ledger, model: str) -> None:
    record_decision(ledger, decision(model))
    (run,) = runs(ledger)
    forged = inserted(ledger, run)
    ledger.client.set_tag(forged, tags.DECISION_RECORD, decision(model, by="eve@host").to_json())
    (problem,) = verify(ledger).problems
    assert f"of eve@host about {model} in MLflow run {forged} was inserted: it is neither in the chain nor signed" in problem
    ledger.client.set_tag(forged, tags.DECISION_RECORD, "junk")
    assert verify(ledger).problems == (f"the MLflow run {forged} among the decisions was inserted: it has no decision",)


def test_a_decision_that_claims_a_link_is_named(ledger: Ledger, model: str) -> None:
    record_decision(ledger, decision(model))
    (run,) = runs(ledger)
    forged = inserted(ledger, run)
    ledger.client.set_tag(forged, tags.CHAIN_LINK, run.data.tags[tags.CHAIN_LINK])
    assert verify(ledger).problems == (f"the Decision of {model} in MLflow run {forged} was inserted: it is not in the chain",)


def test_without_keys_an_open_decision_is_a_note_that_says_so(tmp_path: Any) -> None:
    with local_mlflow(tmp_path) as client:
        ledger, model = Ledger(client), registered(client)
        record_decision(ledger, decision(model))
        (run,) = runs(ledger)
        values = {name: value for name, value in run.data.tags.items() if name.startswith("taxiway.decision")}
        client.create_run(run.info.experiment_id, tags={**values, tags.DECISION_RECORD: decision(model, by="eve").to_json()})
        found = verify(ledger)
        assert found.problems == ()
        assert "or somebody has inserted it; without keys the two cannot be distinguished" in found.notes[0]


def test_a_killed_promotion_is_a_note_until_it_is_completed(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    notes: list[Verified] = []
    for before in range(200):
        try:
            promote(killed(ledger, before), model, 2, 1)
            break
        except KilledError:
            found = verify(ledger)
            assert found.problems == (), before
            notes += [found] if found.notes else []
    assert "was decided and not signed into the chain" in notes[0].notes[0]
    assert (verify(ledger).problems, verify(ledger).notes) == ((), ())


def test_restore_alias_completes_a_killed_promotion(ledger: Ledger, model: str) -> None:
    promote(ledger, model, 1, None)
    known = promotions.entries(ledger.client, model)
    second = known[0].promotion.model_copy(update={"from_version": 1, "to_version": 2})
    promotions.decide(ledger, promotions.open_entry(ledger, "k", second, known), State.MOVING)
    (note,) = verify(ledger).notes
    assert f"taxiway ledger restore-alias {model}" in note
    restore_aliases(ledger, model)
    assert (verify(ledger).problems, verify(ledger).notes) == ((), ())


def test_a_promotion_that_is_closed_without_a_link_was_inserted(ledger: Ledger, model: str) -> None:
    """A process closes an entry after it has linked it, so this is no crash, although the entry is signed."""
    promote(ledger, model, 1, None)
    known = promotions.entries(ledger.client, model)
    second = known[0].promotion.model_copy(update={"from_version": 1, "to_version": 2})
    entry = promotions.decide(ledger, promotions.open_entry(ledger, "k", second, known), State.MOVING)
    promotions.close(ledger.client, entry)
    assert verify(Ledger(ledger.client, KEYS)).problems == (
        f"the Promotion of {model} in MLflow run {entry.run_id} was inserted: it is not in the chain",
    )
