"""The champions of the first page are read again if the ledger has changed, and for aliases after some seconds."""

from collections.abc import Iterator

import pytest
from mlflow import MlflowClient
from registry.test_champions import KEYS, promote, registered

from taxiway.ledger.chain import Ledger
from taxiway.registry.aliases import CHAMPION
from taxiway.tracking.local import local_mlflow
from taxiway_ui.history import remembered
from taxiway_ui.history.remembered import remembered_champions


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    with local_mlflow(tmp_path_factory.mktemp("mlflow")) as opened:
        yield opened


def test_a_promotion_is_seen_at_once_and_a_moved_alias_soon(client: MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = registered(client)
    promote(client, one, 1, None)
    ledger, lists = Ledger(client, KEYS), []
    search = MlflowClient.search_registered_models
    monkeypatch.setattr(
        MlflowClient, "search_registered_models", lambda *args, **kwargs: lists.append(1) or search(*args, **kwargs)
    )
    found = remembered_champions(ledger, [one, two])
    assert {name: champion.version for name, champion in found.champions.items()} == {one: 1}
    assert remembered_champions(ledger, [one, two]) is found
    assert len(lists) == 1
    promote(client, two, 2, None)
    promote(client, three, 1, None)
    found = remembered_champions(ledger, [one, two])
    assert {name: champion.version for name, champion in found.champions.items()} == {one: 1, two: 2}
    assert set(remembered_champions(ledger, [three]).champions) == {three}, "what another user may see"
    client.set_registered_model_alias(one, CHAMPION, "2")
    monkeypatch.setattr(remembered, "SECONDS", 0.0)
    assert set(remembered_champions(ledger, [one, two]).moved) == {one}


def test_a_bounded_number_is_remembered(client: MlflowClient) -> None:
    ledger = Ledger(client, KEYS)
    for number in range(remembered._MOST + 5):
        remembered_champions(ledger, [f"a.{number}"])
    assert len(remembered._known) == remembered._MOST
