"""The champions of many models at once, against a real MLflow."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from mlflow import MlflowClient

from flaky import in_front_of
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import State
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.ledger.promotions import decide, entries, open_entry
from taxiway.records import ShadowReport, Status, Verdict
from taxiway.registry.alias_moves import restore_aliases
from taxiway.registry.aliases import CHAMPION, point
from taxiway.registry.champions import ModelHistory, champions, champions_and_promotions, model_history
from taxiway.registry.demote import rollback
from taxiway.registry.promote import push
from taxiway.tracking.local import local_mlflow

KEYS = LedgerKeys((new_key(),))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    with local_mlflow(tmp_path_factory.mktemp("mlflow")) as opened:
        yield opened


@pytest.fixture
def models(client: MlflowClient) -> list[str]:
    """Three registered models with two versions each."""
    return registered(client)


def registered(client: MlflowClient) -> list[str]:
    names = [f"overview.m{uuid.uuid4().hex[:8]}" for _ in range(3)]
    for name in names:
        client.create_registered_model(name)
        for _ in range(2):
            run = client.create_run("0")
            source = f"{run.info.artifact_uri}/model"
            client.create_model_version(name, source, run.info.run_id, tags={"taxiway.newest_span": "2013-04"})
    return names


def promote(client: MlflowClient, model: str, version: int, champion: int | None, keys: LedgerKeys = KEYS) -> str:
    """Promote; returns the verdict's digest."""
    verdict = Verdict(
        model=model,
        version=version,
        champion=champion,
        snapshot="s",
        report="r",
        evaluation="e",
        status=Status.PASS,
        reasons=(),
    )
    shadow = ShadowReport(model=model, version=version, champion=champion, status=Status.PASS, reasons=())
    push(Ledger(client, keys), verdict, shadow, by="test", at=datetime.now(UTC))
    return verdict.digest


def test_a_champion_is_named_with_its_promotion_and_verdict(client: MlflowClient, models: list[str]) -> None:
    first, second, _ = models
    promote(client, first, 1, None)
    newest = promote(client, first, 2, 1)
    promote(client, second, 1, None)
    found = champions(Ledger(client, KEYS), models)
    assert set(found) == {first, second}
    assert (found[first].version, found[first].verdict) == (2, newest)
    assert found[first].promotion is not None
    assert found[first].promotion.from_version == 1
    assert found[second].version == 1


def test_after_a_rollback_the_verdict_is_the_one_that_first_let_the_version_through(
    client: MlflowClient, models: list[str]
) -> None:
    verdict = promote(client, models[0], 1, None)
    promote(client, models[0], 2, 1)
    rollback(Ledger(client, KEYS), models[0], by="ann", reason="complaints", at=datetime.now(UTC))
    champion = champions(Ledger(client, KEYS), models)[models[0]]
    assert (champion.version, champion.verdict) == (1, verdict)
    assert champion.promotion is not None
    assert champion.promotion.reason == "rollback: complaints"


@pytest.mark.parametrize(("alias", "words"), [(2, "it points to version 2"), (None, "it was removed")])
def test_an_alias_that_somebody_else_moved_is_named_and_not_believed(
    client: MlflowClient, models: list[str], alias: int | None, words: str
) -> None:
    ledger, model = Ledger(client, KEYS), models[0]
    verdict = promote(client, model, 1, None)
    point(client, models[1], CHAMPION, 2)
    assert champions_and_promotions(ledger, [model]).moved == {}
    point(client, model, CHAMPION, alias)
    found = champions_and_promotions(ledger, models)
    assert (found.champions[model].version, found.champions[model].verdict) == (1, verdict)
    assert f"outside of Taxiway: {words}, and the champion of the ledger is version 1" in found.moved[model]
    assert "points to version 2, and the champion of the ledger is none" in found.moved[models[1]]
    assert models[1] not in found.champions
    assert (model_history(ledger, model).champion, model_history(ledger, model).moved) == (
        found.champions[model],
        found.moved[model],
    )
    restore_aliases(ledger, model)
    assert model not in champions_and_promotions(ledger, models).moved


def test_without_keys_a_model_without_a_promotion_has_the_champion_of_its_alias(
    client: MlflowClient, models: list[str]
) -> None:
    point(client, models[0], CHAMPION, 2)
    found = champions_and_promotions(Ledger(client), models)
    assert (found.champions[models[0]].version, found.champions[models[0]].promotion, found.moved) == (2, None, {})


def test_a_promotion_of_before_the_keys_is_no_moved_alias(client: MlflowClient, models: list[str]) -> None:
    promote(client, models[0], 1, None, LedgerKeys((new_key(),)))
    found = champions_and_promotions(Ledger(client, KEYS), models)
    assert (found.champions, found.promotions) == ({}, ())
    assert "the promotion to version 1 is not signed with a key of this installation" in found.moved[models[0]]


def test_an_alias_that_has_not_followed_yet_was_not_moved_by_hand(client: MlflowClient, models: list[str]) -> None:
    ledger, model = Ledger(client, KEYS), models[0]
    promote(client, model, 1, None)
    known = entries(client, model)
    second = known[0].promotion.model_copy(update={"from_version": 1, "to_version": 2, "at": datetime.now(UTC)})
    decide(ledger, open_entry(ledger, "k", second, known), State.MOVING)
    found = champions_and_promotions(ledger, models)
    assert (found.champions[model].version, found.moved) == (2, {})
    restore_aliases(ledger, model)


def test_one_model_comes_with_its_whole_ledger(client: MlflowClient, models: list[str]) -> None:
    assert model_history(Ledger(client, KEYS), models[0]) == ModelHistory()
    promote(client, models[0], 1, None)
    promote(client, models[0], 2, 1)
    found = model_history(Ledger(client, KEYS), models[0])
    assert found.champion == champions(Ledger(client, KEYS), models)[models[0]]
    assert [entry.promotion.to_version for entry in found.entries] == [2, 1]


def test_models_that_were_not_asked_for_are_left_out(client: MlflowClient, models: list[str]) -> None:
    promote(client, models[0], 1, None)
    assert champions(Ledger(client, KEYS), models[1:]) == {}


def test_three_requests_are_enough_for_any_number_of_models(mlflow_url: str) -> None:
    client = MlflowClient(mlflow_url)
    models = registered(client)
    for name in models:
        promote(client, name, 1, None)
    asked: list[str] = []

    def count(_: int, __: str, path: str) -> str:
        asked.append(path.partition("?")[0])
        return "pass"

    with in_front_of(mlflow_url, count) as counted:
        assert set(champions(Ledger(MlflowClient(counted), KEYS), models)) == set(models)
    assert len(asked) == 3, asked
