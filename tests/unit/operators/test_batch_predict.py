"""`BatchPredictOperator` and the template, on a real MLflow: what a task returns, links to and skips."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
from airflow.sdk import Asset, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from cli.local_runs import NAME, taxiway

from taxiway.operators import BatchPredictOperator
from taxiway.templates import load_scoring

SCORING = """\
scoring: scored
team: runner
model: runner.small
source: {spans: "{data}/{SPAN}.parquet"}
schema: small.schema.yaml
keys: [id]
output: "{data}/predictions/{SPAN}"
"""


@pytest.fixture
def team(small_team: Path) -> Path:
    (small_team / "scored.scoring.yaml").write_text(SCORING)
    return small_team


class Events(dict[Any, Any]):
    """The events of a task's outlets, as Airflow gives them to it."""

    def __missing__(self, asset: Asset) -> SimpleNamespace:
        self[asset.name] = self.get(asset.name, SimpleNamespace(extra={}))
        return cast("SimpleNamespace", self[asset.name])


def context(operator: BatchPredictOperator, events: Events, run: str = "one", tries: int = 1, **params: str) -> Context:
    ti = SimpleNamespace(
        dag_id="runner.scored", task_id=operator.task_id, run_id=run, try_number=tries, xcom_push=lambda *_, **__: None
    )
    return cast("Context", {"ti": ti, "outlet_events": events, "params": {"span": None, **params}})


def test_a_task_of_the_template_scores_a_span_and_tells_its_asset(team: Path) -> None:
    dag = load_scoring(str(team / "scored.py"))
    operator, events = dag.get_task("predict"), Events()
    assert isinstance(operator, BatchPredictOperator)
    assert operator.outlets == [Asset(name="runner.scored.predictions", uri="taxiway://runner/scored/predictions")]
    given = context(operator, events)
    operator.render_template_fields(given)
    found = operator.execute(given)
    assert (found["folder"], found["version"], found["span"]) == (str(team / "data/predictions/1"), 1, "1")
    assert (found["rows"], found["validation"]) == (1000, "PASS")
    assert events["runner.scored.predictions"].extra == found
    assert found["mlflow_url"] == operator.mlflow_run_url
    assert found["mlflow_url"].endswith(f"/runs/{found['mlflow_run']}")
    assert list(pd.read_parquet(found["folder"])["id"]) == list(pd.read_parquet("data/1.parquet")["id"])
    shown = json.loads(taxiway("lineage", "predictions", found["folder"], "--json").output)
    assert (shown["scoring"], shown["span"], shown["model"]) == ("runner.scored.predict", "1", NAME)
    assert shown["airflow_url"].endswith("/dags/runner.scored/runs/one")


def test_a_run_without_a_span_to_score_is_skipped(team: Path) -> None:
    def operator(**given: Any) -> BatchPredictOperator:
        dag = load_scoring(str(team / "scored.py"))
        made = dag.get_task("predict")
        assert isinstance(made, BatchPredictOperator)
        made.render_template_fields(context(made, Events(), **given))
        return made

    spans = [operator().execute(context(operator(), Events(), run))["span"] for run in ("one", "two")]
    assert spans == ["1", "2"]
    with pytest.raises(AirflowSkipException, match="nothing to do"):
        operator().execute(context(operator(), Events(), "three"))
    assert operator().execute(context(operator(), Events(), "one", tries=2))["span"] == "1"
    assert operator(span="2").execute(context(operator(), Events(), "four"))["span"] == "2"


def test_files_are_scored_by_a_templated_name(team: Path) -> None:
    operator = BatchPredictOperator(
        task_id="files", model=f"{NAME}/1", data="{data}/{{ run_id }}.parquet", output_folder=str(team / "out" / "{{ run_id }}")
    )
    operator.render_template_fields(cast("Context", {"run_id": "2"}))
    assert operator.execute(context(operator, Events()))["folder"] == str(team / "out" / "2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs exactly one of source and data"),
        ({"source": {"spans": "{data}/{SPAN}.parquet", "label": "y"}}, "it has label, which is for training"),
        ({"source": {"span": "x"}}, "source is not valid"),
        ({"source": {"spans": "{data}/{SPAN}.parquet"}, "model": "nobody.trained"}, "has no champion"),
    ],
)
def test_a_mistake_fails_at_once(team: Path, given: dict[str, Any], message: str) -> None:
    operator = BatchPredictOperator(**{"task_id": "predict", "model": NAME, "output_folder": "{data}/out/{SPAN}", **given})
    with pytest.raises(AirflowFailException, match=message):
        operator.execute(context(operator, Events()))
