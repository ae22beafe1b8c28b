"""The plugin as Airflow takes it: views that its interface accepts, nothing heavy on import, no route open to a stranger."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.api_fastapi.core_api.datamodels.plugins import PluginResponse
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from mlflow import MlflowClient
from starlette.routing import Route

from helping import free_port
from taxiway.ledger.chain import Ledger
from taxiway.registry.champions import champions
from taxiway.tracking.run import run_url
from taxiway.tracking.tags import COSTS
from taxiway_ui import plugin
from taxiway_ui.app import app
from taxiway_ui.clients import query_server
from taxiway_ui.plugin import TaxiwayPlugin
from taxiway_ui.runs.tags import run_tags

HEAVY = ["mlflow", "pandas", "numpy", "sklearn", "duckdb", "jinja2.environment", "fastapi", "airflow.api_fastapi.core_api"]


def test_airflows_interface_accepts_the_views() -> None:
    """A view that it does not accept would take the whole plugin off the interface, with a warning in a log."""
    names = PluginResponse.model_fields
    empty = {name: [] for name in names if name not in ("name", "source")}
    views = TaxiwayPlugin.external_views
    described = {**empty, "name": "taxiway", "source": "x", "external_views": views, "fastapi_apps": TaxiwayPlugin.fastapi_apps}
    described["fastapi_apps"] = [{**entry, "app": str(entry["app"])} for entry in TaxiwayPlugin.fastapi_apps]
    found = PluginResponse.model_validate(described)
    assert [(view.destination, view.url_route, view.href) for view in found.external_views] == [
        ("nav", "taxiway", "/taxiway/"),
        ("dag_run", "taxiway-run", "/taxiway/pipelines/{DAG_ID}/runs/{RUN_ID}"),
    ]


@pytest.mark.parametrize("base", ["http://host", "https://host/team/airflow", "https://host/team/airflow/"])
def test_views_are_found_where_airflow_is_served_below_a_path(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    found = [view["href"] for view in plugin._views()]
    prefix = "/team/airflow" if "team" in base else ""
    assert found == [f"{prefix}/taxiway/", f"{prefix}/taxiway/pipelines/{{DAG_ID}}/runs/{{RUN_ID}}"]


def test_importing_the_plugin_costs_scheduler_and_workers_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import json, sys; import airflow.plugins_manager, airflow.sdk; before = list(sys.modules); import taxiway_ui.plugin; "
        "print(json.dumps([before, list(sys.modules)]))"
    )
    before, after = map(set, run(code, tmp_path))
    assert [name for name in HEAVY if name in after - before] == []
    assert not {"mlflow", "pandas"} & after


def test_every_route_asks_who_calls() -> None:
    client = TestClient(app)
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(routes) == 18
    (metrics,) = (route for route in app.routes if not isinstance(route, APIRoute))
    assert isinstance(metrics, Route)
    assert metrics.path == "/metrics", "it asks for a token of its own"
    for route in routes:
        path = re.sub(r"\{[^}]+\}", "page.css", route.path)
        (method,) = route.methods
        assert client.request(method, path).status_code == 401, route.path
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", ["%00", "a.b%00", "a%0ab", "%1b[31m", "%7f", "%c2%85"])
def test_control_characters_in_an_address_reach_no_database(name: str) -> None:
    client = TestClient(app)
    for path in (f"/pipelines/{name}", f"/pipelines/{name}/runs/r", f"/pipelines/a.b/runs/{name}", f"/static/{name}"):
        assert client.get(path).status_code == 404, path


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ask` sets how long MLflow tries, for the whole process; the other tests keep their own."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")


@pytest.mark.usefixtures("own_environment")
def test_an_mlflow_that_does_not_answer_is_a_sentence_without_its_password() -> None:
    found, problem = query_server(
        f"http://ann:secret@127.0.0.1:{free_port()}", lambda client: champions(Ledger(client), ["a.b"]), {}
    )
    assert found == {}
    assert "does not answer" in problem
    assert "secret" not in problem
    assert "ann" not in problem


@pytest.mark.usefixtures("own_environment")
def test_an_mlflow_that_answers_is_asked(mlflow_url: str) -> None:
    def count(client: MlflowClient) -> int:
        return len(client.search_experiments())

    found, problem = query_server(mlflow_url, count, 0)
    assert (found > 0, problem) == (True, "")


@pytest.mark.usefixtures("own_environment")
def test_the_page_of_a_run_reads_its_tags(mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps({"conn_type": "http", "host": mlflow_url}))
    client = MlflowClient(mlflow_url)
    made = client.create_run("0", tags={COSTS: "6.0 times slower", "other": "x"})
    assert run_tags(run_url(mlflow_url, "0", made.info.run_id)) == ({COSTS: "6.0 times slower"}, "")
    assert run_tags(run_url(mlflow_url, "0", "0" * 32)) == ({}, ""), "of another server"
    assert run_tags("") == ({}, "")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", f"http://127.0.0.1:{free_port()}")
    nothing, problem = run_tags(run_url(mlflow_url, "0", made.info.run_id))
    assert nothing == {}
    assert "does not answer, so costs and findings about the training are not shown" in problem


def run(code: str, home: Path) -> list[list[str]]:
    """What `code` prints, as JSON, in a process with an Airflow home of its own."""
    environment = {"AIRFLOW_HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=home)
    found: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found
