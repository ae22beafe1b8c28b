"""The folder of a small pipeline, and the ledger of an MLflow without a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.local_runs import small_site
from stages.conftest import Site

from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.tracking.local import local_mlflow


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A team's folder with a pipeline file and two spans, whose data Airflow's settings name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", str(tmp_path / "data"))
    return small_site(tmp_path)


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with local_mlflow(tmp_path_factory.mktemp("mlflow")) as client:
        yield Ledger(client, LedgerKeys((new_key(),)))
