"""One real embedded stack for all tests that need one: PostgreSQL, MLflow, gateway, Airflow; and the demonstration, played on it.

Loaded by the conftest of all tests, so whatever is heavy is imported where it is used.
"""

import contextlib
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest
from rich.console import Console

from flaky import in_front_of
from helping import PATIENCE_S, until
from taxiway.cli.main import run_command
from taxiway.demo import run as demo
from taxiway.demo.airflow_api import AirflowApi, TaskState
from taxiway.demo.run import DemoRun
from taxiway.lineage.outcomes import summaries
from taxiway.local.services import airflow_environment
from taxiway.local.stack import Stack, StackProcess
from taxiway.local.stack_dir import StackDir
from taxiway.records import RunSummary
from taxiway.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Refusals:
    """How many of the next requests are refused: to `mlflow` and `gateway` by the flaky connections, to `default` by `mlflow_default`."""

    left: Counter[str] = field(default_factory=Counter)

    def rule(self, name: str) -> Any:
        def decide(_: int, __: str, ___: str) -> str:
            self.left[name] -= 1
            return "refuse" if self.left[name] >= 0 else "pass"

        return decide


@dataclass(frozen=True)
class Running:
    """The stack of this test run, and what tests ask of it."""

    stack: Stack
    refusals: Refusals
    environment: dict[str, str]
    begun: dict[str, str] = field(default_factory=dict)

    @cached_property
    def api(self) -> AirflowApi:
        return AirflowApi(self.stack.url("airflow"), self.stack.secrets.airflow_password)

    @property
    def mlflow(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(self.stack.url("mlflow"))

    def token(self, user: str) -> str:
        """A token of `admin`, of `editor`, who may edit DAGs, of `viewer`, or of `nobody`, who has no role."""
        passwords = json.loads(self.stack.home.passwords_file.read_text())
        login = {"username": user, "password": passwords[user]}
        answer = httpx.post(f"{self.stack.url('airflow')}/auth/token", json=login, timeout=PATIENCE_S)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    @property
    def store(self) -> Store:
        return Store(str(self.stack.home.store))

    def write_small(self, name: str, span: int, *, seed: int | None = None, file: str = "") -> Path:
        """A span of 2,000 rows in which `y` depends on `a`, as the source of the pipeline `faults.NAME`; `file` if not `SPAN`."""
        import numpy as np
        import pandas as pd

        rng = np.random.default_rng(span if seed is None else seed)
        a = rng.normal(size=2000)
        rows = pd.DataFrame(
            {
                "id": np.arange(2000) + 10_000 * span,
                "a": a,
                "b": rng.choice(list("xyz"), 2000),
                "y": a + rng.normal(size=2000) > 0,
            }
        )
        folder = self.stack.home.data / name
        folder.mkdir(exist_ok=True)
        path = folder / f"{file or span}.parquet"
        rows.to_parquet(path.with_suffix(".beside"))
        return path.with_suffix(".beside").replace(path)

    def month(self, name: str, month: int, version: int = 1, *, seed: int | None = None) -> Path:
        """`write_small` as the given version of a month of 2013."""
        return self.write_small(name, month, seed=seed, file=f"2013-{month:02}_v{version}")

    def begin(self, dag: str) -> None:
        """Start a run that `run` will wait for: runs spend most of their time waiting, and can do so together."""
        self.api.wait_for_dag(dag)
        self.begun[dag] = self.api.trigger(dag, {})

    def run(self, dag: str, conf: dict[str, Any] | None = None) -> tuple[str, dict[str, TaskState]]:
        """Run a DAG to its end, or wait for the run that has begun; its run id, and its tasks by name."""
        api = self.api
        run = None if conf else self.begun.pop(dag, None)
        if run is None:
            api.wait_for_dag(dag)
            run = api.trigger(dag, conf or {})
        self.wait_for_end(dag, run)
        return run, {task.task: task for task in api.tasks(dag, run)}

    def wait_for_end(self, dag: str, run: str) -> None:
        """Wait until a DAG run is over."""
        api = self.api
        until(
            lambda: api.run_state(dag, run) in ("success", "failed"),
            f"run {run} of {dag} is over",
            progress=lambda: self.states(dag),
            every_s=1,
        )

    def wait_for_question(self, dag: str, run: str) -> None:
        """Wait until the task `approval` of a run asks, and the scheduler knows that its worker has ended.

        Airflow 3.3 takes a task that is resumed before that for one that was killed, and asks again.
        """
        ended = f"event with state success for task instance TaskInstanceKey(dag_id='{dag}', task_id='approval', run_id='{run}'"
        log = self.stack.home.logs / "scheduler.log"

        def asks() -> bool:
            states = {task.task: task.state for task in self.api.tasks(dag, run)}
            return states.get("approval") == "awaiting_input" and ended in log.read_text(errors="replace")

        until(asks, f"run {run} of {dag} asks", progress=lambda: self.states(dag), every_s=1)

    def states(self, dag: str) -> list[tuple[str, str, int, str]]:
        """Run, task, part and state of every task instance of a DAG: what changes while it makes progress."""
        found = self.api._get(f"/dags/{dag}/dagRuns/~/taskInstances?limit=1000")["task_instances"]
        return sorted((t["dag_run_id"], t["task_id"], t["map_index"], str(t["state"])) for t in found)

    def wait_for_outcomes(self, pipeline: str, count: int) -> tuple[RunSummary, ...]:
        """What the runs of a pipeline came to, once there are `count` of them."""

        def enough() -> tuple[RunSummary, ...]:
            found = summaries(self.store, pipeline)
            return found if len(found) >= count else ()

        found: tuple[RunSummary, ...] = until(
            enough, f"{count} runs of {pipeline} have an outcome", progress=lambda: self.states(pipeline), every_s=1
        )
        return found

    def mlflow_run(self, dag: str, run: str) -> Any:
        """The MLflow run of a DAG run."""
        client = self.mlflow
        experiment = client.get_experiment_by_name(dag.replace(".", "/"))
        assert experiment is not None
        (found,) = client.search_runs([experiment.experiment_id], f"tags.`taxiway.dag_run` = '{dag}/{run}'")
        return found


def processes_of(home: Path, *, of: str = "") -> list[psutil.Process]:
    """Every process that names the stack's folder in its command line, or runs in it or its session.

    Args:
        home: The stack's folder.
        of: Only processes with this text in their command line.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it may end at any time
            command = " ".join(process.cmdline())
            if "keeper.py" in command:  # it names the folder that it is to clean up
                continue
            if of in command and (str(home) in command or process.cwd().startswith(str(home))):
                found.append(process)
    return [p for p in found if p.pid != os.getpid()]


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, until_group_ends: contextlib.ExitStack
) -> Running:
    """The stack, on which the first runs of all modules with a function `begin_early` have begun."""
    running = until_group_ends.enter_context(started(tmp_path_factory.mktemp("stack")))
    modules = dict.fromkeys(item.module for item in request.session.items if isinstance(item, pytest.Function))
    for begin_early in filter(None, (getattr(module, "begin_early", None) for module in modules)):
        begin_early(running)
    return running


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Running]:
    """Start the stack with the project's DAGs and those of the tests, and stop all of it however the block ends."""
    dags = folder / "dags"
    shutil.copytree(REPOSITORY / "dags", dags)
    shutil.copytree(Path(__file__).parent / "dags", dags, dirs_exist_ok=True)
    refusals, urls = Refusals(), {}
    with (
        in_front_of(lambda: urls["mlflow"], refusals.rule("mlflow")) as mlflow,
        in_front_of(lambda: urls["mlflow"], refusals.rule("default")) as default,
        in_front_of(lambda: urls["gateway"], refusals.rule("gateway")) as gateway,
    ):
        home = StackDir.at(folder / "home")
        flaky_gateway = {"conn_type": "taxiway_gateway", "host": gateway, "password": home.secrets().gateway_admin_token}
        settings = {
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "AIRFLOW__TAXIWAY__POLL_SECONDS": "1",
            # The stack of a demonstration is quick to start the next task; here, it leaves the processor to the other tests.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
            # Not longer: a file that changed soon after it was read is stored with an old schedule until it is read again.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,editor:user,viewer:viewer,nobody:",
            "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps({"conn_type": "mlflow", "host": default}),
            "AIRFLOW_CONN_FLAKY_MLFLOW": json.dumps({"conn_type": "mlflow", "host": mlflow}),
            "AIRFLOW_CONN_FLAKY_GATEWAY": json.dumps(flaky_gateway),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        }
        starting = StackProcess(home, dags, settings)
        # Made before Airflow adds its users' passwords to the file that this writes.
        environment = {**airflow_environment(home, starting.stack.ports, dags, ""), **settings}
        urls.update({name: starting.stack.url(name) for name in ("mlflow", "gateway")})
        try:
            for _ in starting.events():
                pass
            _commit_at_once(home)
            yield Running(starting.stack, refusals, environment)
        finally:
            starting.stop()
        assert processes_of(home.root) == []


def _commit_at_once(home: StackDir) -> None:
    """Let PostgreSQL wait for no disk, which loses nothing if a process is killed: Airflow commits several times a second."""
    import psycopg2

    port, folder = (home.postgres / "postmaster.pid").read_text().splitlines()[3:5]
    with contextlib.closing(psycopg2.connect(host=folder, port=port, user="postgres", dbname="postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET fsync = off")
            cursor.execute("SELECT pg_reload_conf()")


@dataclass(frozen=True)
class Played:
    """The demonstration as it went, and what the viewer was shown."""

    run: DemoRun
    shown: str


@pytest.fixture(scope="session")
def played(running: Running) -> Played:
    run, shown = DemoRun(), io.StringIO()
    demo._run_scenarios(
        Console(file=shown, width=120), running.stack, run, running.stack.home.root.parent / "dags", run_command
    )
    return Played(run, shown.getvalue())
