"""A team's folder with a champion, as the tasks of an Airflow see it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.local_runs import run, small_site

from taxiway.stages.installation import DEFAULT_HOME
from taxiway.tracking.local import database_uri, local_mlflow


@pytest.fixture
def small_team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder, with its MLflow as Airflow's connection; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    small_site(tmp_path)
    assert run().exit_code == 0
    home = DEFAULT_HOME.absolute()
    connection = {"conn_type": "mlflow", "host": database_uri(home), "extra": {"public_url": "https://mlflow.example.com"}}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(home / "store"))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__LEDGER_KEYS", (home / "ledger.keys").read_text())
    with local_mlflow(home):
        yield tmp_path
