"""What holds for every operator of ours, and for what a DAG file costs: no database, no run."""

import inspect
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

import taxiway.operators
from taxiway.operators.base import MlflowRunLink, StageOperator, parse_params
from taxiway.operators.ingest import plan_run
from taxiway.provider_info import get_provider_info
from taxiway.records import Span
from taxiway.serving.api import ChallengerStatus
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.shadow.stage import LEASE_SLACK, wait_until
from taxiway.templates import load_pipeline

REPOSITORY = Path(__file__).parents[2]
PIPELINE = read_pipeline(REPOSITORY / "dags/flights/late_arrivals.pipeline.yaml")
OPERATORS = [getattr(taxiway.operators, name) for name in taxiway.operators.__all__]
HEAVY = (
    "mlflow",
    "sklearn",
    "skops",
    "pandas",
    "pyarrow",
    "duckdb",
    "scipy",
    "great_expectations",
    "numpy",
    "polars",
    "docker",
)


def own_parameters(operator: type[BaseOperator]) -> dict[str, inspect.Parameter]:
    found = dict(inspect.signature(operator.__init__).parameters)
    for name in ("self", "kwargs"):
        found.pop(name)
    return found


def make(operator: type[BaseOperator]) -> BaseOperator:
    if operator is taxiway.operators.BatchPredictOperator:
        return operator(task_id="predict", model="flights.late_arrivals", output_folder="predictions")
    given = {name: {"record": "X", "digest": "0" * 32} for name in own_parameters(operator) if name in operator.template_fields}
    if operator is taxiway.operators.IngestOperator:
        given = {}
    return operator(task_id="stage", pipeline=PIPELINE, **given)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda o: o.__name__)
class TestEveryOperator:
    def test_takes_keywords_only(self, operator: type[BaseOperator]) -> None:
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in own_parameters(operator).values())

    def test_only_stores_what_it_is_given(self, operator: type[BaseOperator]) -> None:
        made = make(operator)
        for name, parameter in own_parameters(operator).items():
            given = {"pipeline": PIPELINE, "model": "flights.late_arrivals", "output_folder": "predictions"}
            kept = getattr(made, name)
            assert kept == given[name] if name in given else kept in (parameter.default, {"record": "X", "digest": "0" * 32})

    def test_its_template_fields_are_its_parameters(self, operator: type[BaseOperator]) -> None:
        assert set(operator.template_fields) <= set(own_parameters(operator))

    def test_links_to_its_mlflow_run(self, operator: type[BaseOperator]) -> None:
        made = make(operator)
        link, *_ = made.operator_extra_links
        assert isinstance(link, MlflowRunLink)
        assert link.get_link(made, ti_key=None) == ""
        made.mlflow_run_url = "http://127.0.0.1:5000/#/x"
        assert link.get_link(made, ti_key=None) == "http://127.0.0.1:5000/#/x"

    def test_says_what_it_is_for_and_names_its_parameters(self, operator: type[BaseOperator]) -> None:
        assert operator.__doc__
        for name in own_parameters(operator):
            if name not in ("pipeline", "mlflow_conn_id"):
                assert f"\n        {name}: " in operator.__doc__

    def test_is_an_adapter_of_a_few_lines(self, operator: type[BaseOperator]) -> None:
        """What a stage decides is in `taxiway.stages`, where it runs and is tested without Airflow."""
        assert operator.__doc__
        source = inspect.getsource(operator).replace(operator.__doc__, "").replace(inspect.getsource(operator.__init__), "")
        assert len([line for line in source.splitlines() if line.strip()]) <= 29

    def test_leaves_mlflow_and_the_store_to_its_stage(self, operator: type[BaseOperator]) -> None:
        module = Path(inspect.getfile(operator)).read_text()
        for reach in ("client", "get_conn", "log_batch", "set_tag", "find_or_make", ".put(", "set_ref", "recorder.record"):
            assert reach not in module, reach


def test_a_reference_of_the_wrong_record_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path))
    stage = StageOperator(task_id="stage", pipeline=PIPELINE)
    for wrong in (None, {}, {"record": "Verdict", "digest": "0" * 32}, "text"):
        with pytest.raises(Exception, match="stage needs a Span"):
            stage.read(Span, wrong)


def test_a_missing_setting_says_where_to_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__TAXIWAY__STORE", raising=False)
    stage = StageOperator(task_id="stage", pipeline=PIPELINE)
    with pytest.raises(Exception, match="AIRFLOW__TAXIWAY__STORE"):
        stage.read(Span, {"record": "Span", "digest": "0" * 32})


@pytest.mark.parametrize("value", ["[]", "3", '"x"'])
def test_model_params_that_are_no_mapping_are_refused(value: str) -> None:
    with pytest.raises(Exception, match="allowed: a mapping"):
        parse_params(value)
    assert parse_params('{"a": 1}') == parse_params({"a": 1}) == {"a": 1}
    assert parse_params("") == {}


def test_ingest_fails_at_once_on_a_pattern_that_cannot_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path))
    wrong = PIPELINE.model_copy(update={"source": PIPELINE.source.model_copy(update={"spans": f"{tmp_path}/{{MM}}.parquet"})})
    with pytest.raises(AirflowFailException):
        taxiway.operators.IngestOperator(task_id="ingest", pipeline=wrong, span="2013-04").execute(first_try({}))


@pytest.mark.parametrize(("previous", "read"), [("backfill", None), ("scheduled", "2013-04"), (None, "2013-04")])
def test_a_backfill_run_leaves_a_span_only_to_a_previous_run_of_a_backfill(
    previous: str | None, read: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A scheduled run processes the oldest span that is due, and not the newest that had ended by then."""
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path / "store"))
    for month in ("02", "03", "04"):
        (tmp_path / f"2013-{month}.parquet").touch()
    changed = {"spans": f"{tmp_path}/{{YYYY}}-{{MM}}.parquet", "window": 2, "join": {}, "unlabelled": "drop"}
    pipeline = PIPELINE.model_copy(update={"source": PIPELINE.source.model_copy(update=changed)})

    def dag_run(kind: str, day: int) -> SimpleNamespace:
        return SimpleNamespace(conf={}, run_type=kind, logical_date=datetime(2013, 5, day, tzinfo=UTC), data_interval_end=None)

    earlier = None if previous is None else dag_run(previous, 2)
    context = cast("Context", {"ti": SimpleNamespace(get_previous_dagrun=lambda: earlier), "dag_run": dag_run("backfill", 3)})
    if read is None:
        with pytest.raises(AirflowSkipException, match="the previous run of the backfill"):
            plan_run(pipeline, context, None)
    else:
        target = plan_run(pipeline, context, None).window.target
        assert target is not None
        assert target.name == read


def first_try(conf: dict[str, object]) -> Context:
    """As much of a run's context as ingest asks for before it reads anything: no run of an earlier date is under way."""
    ti = SimpleNamespace(try_number=1, get_previous_dagrun=lambda state=None: None)
    run = SimpleNamespace(conf=conf, run_type="manual", logical_date=None, data_interval_end=None)
    return cast("Context", {"ti": ti, "dag_run": run, "dag": SimpleNamespace(params={"span": None, "model_params": {}})})


def test_a_try_again_of_the_shadow_waits_no_longer_than_the_first_would_have() -> None:
    now = datetime.now(UTC)
    begun = ChallengerStatus(version=3, owner="dag/run@2", state="serving", expires_at=now + timedelta(hours=1) + LEASE_SLACK)
    latest = now + timedelta(days=1)
    assert wait_until(begun, 3, "dag/run@2", latest) == now + timedelta(hours=1)
    for version, owner, held in ((3, "dag/run@2", None), (4, "dag/run@2", begun), (3, "dag/other@2", begun)):
        assert wait_until(held, version, owner, latest) == latest
    assert wait_until(begun, 3, "dag/run@2", now) == now


@pytest.mark.parametrize(
    ("in_file", "given", "contained"),
    [("process", None, False), ("docker", None, True), ("process", "docker", True), ("docker", "process", False)],
)
def test_the_deployer_that_is_given_goes_over_that_of_the_file(in_file: str, given: str | None, contained: bool) -> None:
    body = PIPELINE.model_dump(by_alias=True) | {"gateway": "g", "shadow": {"deployer": in_file}}
    made = taxiway.operators.ShadowDeployOperator(
        task_id="shadow", pipeline=Pipeline.model_validate(body), verdict={"record": "Verdict", "digest": "0"}, deployer=given
    )
    assert made.in_container is contained


def test_the_template_is_the_way_closed_by_a_teardown() -> None:
    dag = load_pipeline(str(REPOSITORY / "dags/flights/late_arrivals.py"))
    assert dag.dag_id == "flights.late_arrivals"
    assert [t.task_id for t in dag.topological_sort()] == [
        "ingest", "validate_data", "transform", "train", "validate_model", "shadow", "push", "close_run",
    ]  # fmt: skip
    close_run = dag.get_task("close_run")
    assert close_run.is_teardown
    assert not close_run.on_failure_fail_dagrun
    assert close_run.upstream_task_ids == set(dag.task_ids) - {"close_run"}
    assert dag.max_active_runs == 1


def test_a_dag_file_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import sys, json
sys.path.insert(0, {str(REPOSITORY / "dags/flights")!r})
import airflow.sdk
before = set(sys.modules)
import late_arrivals
assert late_arrivals.dag.dag_id == "flights.late_arrivals"
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    loaded = {name.split(".")[0] for name in json.loads(shown.strip().splitlines()[-1])}
    assert not loaded & set(HEAVY)
    assert "taxiway" in loaded


def test_airflow_finds_provider_and_plugin(tmp_path: Path) -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert manager.providers["taxiway"].version == get_provider_info()["versions"][0]
    assert manager.hooks["mlflow"].hook_name == "MLflow"  # type: ignore[union-attr]
    assert manager.hooks["taxiway_gateway"].hook_name == "Taxiway gateway"  # type: ignore[union-attr]


def test_the_plugins_folder_shadows_no_standard_library(tmp_path: Path) -> None:
    """Airflow executes every file below its plugins folder under its stem, unless .airflowignore says not to."""
    code = (
        "import logging, sys; before = logging.__file__\n"
        "from airflow.plugins_manager import _get_plugins\n"
        "plugins, errors = _get_plugins()[:2]\n"
        "assert not errors, errors\n"
        "assert sys.modules['logging'].__file__ == before\n"
        "assert [p.name for p in plugins].count('taxiway') == 1, plugins\n"
    )
    environment = {
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW_HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_validate_model_links_to_its_report_once_that_is_written() -> None:
    made = make(taxiway.operators.ValidateModelOperator)
    _, link = made.operator_extra_links
    assert link.get_link(made, ti_key=None) == ""
    made.gate_report_url = "http://127.0.0.1:5000/#/x/artifacts/report/gate.html"
    assert link.get_link(made, ti_key=None) == made.gate_report_url
