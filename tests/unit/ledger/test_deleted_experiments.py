"""A deleted experiment of the ledger is an error that says how to restore it, and not an empty ledger."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ledger.entries import decision, promote, wrong
from ledger.test_answers import OTHERS, asked, decide

from taxiway.errors import TerminalError
from taxiway.ledger import decisions, promotions
from taxiway.ledger.answers.asking import ask
from taxiway.ledger.answers.chains import experiment_of
from taxiway.ledger.chain import Ledger
from taxiway.registry.alias_moves import champion_now
from taxiway.registry.demote import rollback
from taxiway.serving.gateway.backing import BackingRules, wanted_champion


def delete(ledger: Ledger, name: str) -> str:
    known = ledger.client.get_experiment_by_name(name)
    assert known is not None
    ledger.client.delete_experiment(known.experiment_id)
    return str(known.experiment_id)


@pytest.mark.parametrize(
    ("experiment", "read"),
    [
        (promotions.EXPERIMENT, champion_now),
        (promotions.EXPERIMENT, lambda ledger, model: promote(ledger, model, 2, 1)),
        (promotions.EXPERIMENT, lambda ledger, model: rollback(ledger, model, by="ann", reason="x", at=datetime.now(UTC))),
        (decisions.EXPERIMENT, lambda ledger, _: decisions.answer(ledger, "v1")),
        (decisions.EXPERIMENT, lambda ledger, model: decisions.record_decision(ledger, decision(model, by="bob"))),
    ],
)
def test_nothing_is_read_from_a_deleted_experiment(
    ledger: Ledger, model: str, experiment: str, read: Callable[[Ledger, str], Any]
) -> None:
    promote(ledger, model, 1, None)
    made = decisions.record_decision(ledger, decision(model))
    deleted = delete(ledger, experiment)
    with pytest.raises(
        TerminalError, match=rf"{experiment} is deleted in MLflow.*mlflow experiments restore --experiment-id {deleted}"
    ):
        read(ledger, model)
    ledger.client.restore_experiment(deleted)
    assert (champion_now(ledger, model), decisions.answer(ledger, "v1")) == (1, made)
    assert wrong(ledger) == ()


@pytest.mark.parametrize("allow_unbacked_alias", [False, True])
def test_the_gateway_serves_on_while_the_promotions_are_deleted(ledger: Ledger, model: str, allow_unbacked_alias: bool) -> None:
    promote(ledger, model, 1, None)
    delete(ledger, promotions.EXPERIMENT)
    rules = BackingRules(ledger.keys, allow_unbacked_alias=allow_unbacked_alias)
    found = wanted_champion(ledger.client, model, None, rules, None)
    assert (found.version, found.keep_current) == (None, True)
    assert "taxiway/promotions is deleted in MLflow" in found.problem


def test_deleted_answers_of_another_model_about_these_rows_are_missed(ledger: Ledger) -> None:
    decide(ledger, "a", model="team.other", guaranteed=True, shared=True)
    decide(ledger, "b", model="team.third", evaluation_set=OTHERS)
    delete(ledger, experiment_of("team.third"))
    decide(ledger, "c", guaranteed=True, shared=True)
    deleted = delete(ledger, experiment_of("team.other"))
    with pytest.raises(
        TerminalError, match=rf"taxiway/answers/team.other is deleted in MLflow.*restore --experiment-id {deleted}"
    ):
        ask(ledger, asked("d", guaranteed=True, shared=True))
    assert any("the answers about team.other were removed" in problem for problem in wrong(ledger))
