"""A team's folder with a champion, as the tasks of an Airflow see it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.local_runs import small_site
from operators.monitored import SECTION, TEAM
from stages.conftest import Site

from taxiway.stages.installation import DEFAULT_HOME
from taxiway.tracking.local import database_uri, local_mlflow


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A team's folder with a pipeline file and two spans; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return small_site(tmp_path)


@pytest.fixture
def small_team(champion_site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder after its first run, with its MLflow as Airflow's connection; it is the working directory."""
    with _as_airflow_sees(champion_site, monkeypatch):
        yield champion_site.folder


@pytest.fixture
def monitored_team(small_team: Path) -> Path:
    """The same with the section `monitor`, which compares all windows of a log that is empty, and a notifier."""
    path = small_team / "small.pipeline.yaml"
    path.write_text(path.read_text() + SECTION)
    (small_team / "team.yaml").write_text(TEAM)
    (small_team / "log").mkdir()
    return small_team


@pytest.fixture
def turned_team(turned_site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same with version 3 as the champion, which was promoted eight days ago and is worse."""
    with _as_airflow_sees(turned_site, monkeypatch):
        yield turned_site.folder


@contextmanager
def _as_airflow_sees(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    home = DEFAULT_HOME.absolute()
    connection = {"conn_type": "mlflow", "host": database_uri(home), "extra": {"public_url": "https://mlflow.example.com"}}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(home / "store"))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", str(site.data))
    monkeypatch.setenv("AIRFLOW__TAXIWAY__LEDGER_KEYS", (home / "ledger.keys").read_text())
    with local_mlflow(home):
        yield
