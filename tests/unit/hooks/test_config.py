"""The settings of the installation: a store that not all workers can reach is refused, and links use MLflow's public address."""

import json
from pathlib import Path

import pytest

from taxiway.errors import ConfigError
from taxiway.hooks.config import open_store
from taxiway.hooks.mlflow import MlflowHook


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("executor", "named"),
    [
        ("CeleryExecutor", "CeleryExecutor"),
        ("LocalExecutor,KubernetesExecutor", "KubernetesExecutor"),
        ("LocalExecutor;flights=CeleryExecutor", "CeleryExecutor"),
        ("far:company.executors.FarExecutor", "FarExecutor"),
    ],
)
def test_a_local_store_is_refused_where_tasks_may_run_on_other_hosts(
    folder: str, executor: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    with pytest.raises(ConfigError, match=f"local path {folder}, and {named} may run"):
        open_store()
    monkeypatch.setenv("AIRFLOW__TAXIWAY__SHARED_STORE", "True")
    assert open_store().url == folder


@pytest.mark.parametrize("executor", ["LocalExecutor", "LocalExecutor;flights=LocalExecutor"])
def test_a_local_store_will_do_on_one_host(folder: str, executor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    assert open_store().url == folder


def test_a_shared_url_is_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", "memory://taxiway")
    assert not open_store().is_local


def test_links_lead_to_the_public_address_of_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "mlflow", "host": "http://mlflow:5000"}
    monkeypatch.setenv("AIRFLOW_CONN_INSIDE", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_CONN_BOTH", json.dumps(connection | {"extra": {"public_url": "https://mlflow.example.com/"}}))
    page = "http://mlflow:5000/#/experiments/1/runs/2"
    assert MlflowHook("inside").public_url(page) == page
    assert MlflowHook("both").public_url(page) == "https://mlflow.example.com/#/experiments/1/runs/2"
