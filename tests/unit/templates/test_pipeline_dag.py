"""The end of a pipeline's DAG: `close_run` comes last, whatever a team adds to the DAG and wherever."""

from pathlib import Path

import pytest
from airflow.sdk import DAG, TaskGroup, task
from airflow.sdk.bases.operator import BaseOperator

from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.pipeline import Pipeline
from taxiway.templates import continuous_training

REPOSITORY = Path(__file__).parents[3]
FLIGHTS = read_pipeline(REPOSITORY / "dags/flights/late_arrivals.pipeline.yaml")
BIKES = read_pipeline(REPOSITORY / "dags/bikes/hourly_rentals.pipeline.yaml")


def upstream_of_close(dag: DAG) -> set[str]:
    return set(dag.get_task("close_run").upstream_task_ids)


@pytest.mark.parametrize("pipeline", [FLIGHTS, BIKES], ids=lambda pipeline: pipeline.name)
def test_close_run_waits_for_every_task_of_the_template(pipeline: Pipeline) -> None:
    dag = continuous_training(pipeline)
    assert upstream_of_close(dag) == set(dag.task_ids) - {"close_run"}
    assert ("trials" in dag.task_ids) is (pipeline is BIKES), "a sweep's mapped task is one of them"


def test_close_run_waits_for_the_tasks_that_a_team_adds() -> None:
    dag = continuous_training(FLIGHTS)
    with dag:
        card = BaseOperator(task_id="card")
        dag.get_task("train") >> card
        with TaskGroup("checks"):
            BaseOperator(task_id="alone")

            @task
            def each(number: int) -> int:
                return number

            each.expand(number=[1, 2])
    BaseOperator(task_id="outside_of_the_block", dag=dag)
    dag.validate()
    assert upstream_of_close(dag) == set(dag.task_ids) - {"close_run"}
    assert {"card", "checks.alone", "checks.each", "outside_of_the_block"} <= upstream_of_close(dag)


def test_a_task_that_a_team_runs_after_close_run_stays_there() -> None:
    dag = continuous_training(FLIGHTS)
    told, later = BaseOperator(task_id="told", dag=dag), BaseOperator(task_id="later", dag=dag)
    dag.get_task("close_run") >> told >> later
    dag.validate()
    dag.check_cycle()
    assert upstream_of_close(dag) == set(dag.task_ids) - {"close_run", "told", "later"}


def test_the_setup_and_teardown_of_a_team_keep_to_themselves() -> None:
    dag = continuous_training(FLIGHTS)
    cluster, work = BaseOperator(task_id="cluster", dag=dag).as_setup(), BaseOperator(task_id="work", dag=dag)
    cluster >> work >> BaseOperator(task_id="remove_cluster", dag=dag).as_teardown(setups=cluster)
    dag.validate()
    dag.validate()
    assert upstream_of_close(dag) == set(dag.task_ids) - {"close_run", "cluster"}
