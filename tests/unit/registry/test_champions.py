"""The champions of many models at once, against a real MLflow."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from mlflow import MlflowClient

from flaky import in_front_of
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.records import ShadowReport, Status, Verdict
from taxiway.registry.aliases import CHAMPION, point
from taxiway.registry.champions import champion_and_history, champions
from taxiway.registry.promote import push, rollback
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


def promote(client: MlflowClient, model: str, version: int, champion: int | None) -> str:
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
    push(Ledger(client, KEYS), verdict, shadow, by="test", at=datetime.now(UTC))
    return verdict.digest


def test_a_champion_is_named_with_its_promotion_and_verdict(client: MlflowClient, models: list[str]) -> None:
    first, second, _ = models
    promote(client, first, 1, None)
    newest = promote(client, first, 2, 1)
    promote(client, second, 1, None)
    found = champions(client, models)
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
    champion = champions(client, models)[models[0]]
    assert (champion.version, champion.verdict) == (1, verdict)
    assert champion.promotion is not None
    assert champion.promotion.reason == "rollback: complaints"


def test_an_alias_that_somebody_else_moved_has_no_promotion(client: MlflowClient, models: list[str]) -> None:
    promote(client, models[0], 1, None)
    point(client, models[0], CHAMPION, 2)
    champion = champions(client, models)[models[0]]
    assert (champion.version, champion.promotion, champion.verdict) == (2, None, None)


def test_one_model_comes_with_its_whole_ledger(client: MlflowClient, models: list[str]) -> None:
    assert champion_and_history(client, models[0]) == (None, ())
    promote(client, models[0], 1, None)
    promote(client, models[0], 2, 1)
    champion, entries = champion_and_history(client, models[0])
    assert champion == champions(client, models)[models[0]]
    assert [entry.promotion.to_version for entry in entries] == [2, 1]


def test_models_that_were_not_asked_for_are_left_out(client: MlflowClient, models: list[str]) -> None:
    promote(client, models[0], 1, None)
    assert champions(client, models[1:]) == {}


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
        assert set(champions(MlflowClient(counted), models)) == set(models)
    assert len(asked) == 3, asked
