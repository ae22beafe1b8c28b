"""The DAGs of a pipeline file with a section `monitor`."""

import runpy
import shutil
from pathlib import Path

from airflow.sdk import Asset
from airflow.sdk.definitions._internal.contextmanager import DagContext

REPOSITORY = Path(__file__).parents[3]


def test_the_example_makes_a_dag_of_monitoring_that_starts_the_training(tmp_path: Path) -> None:
    for name in ("late_arrivals.py", "late_arrivals.pipeline.yaml"):
        shutil.copy(REPOSITORY / "docs/examples/monitoring" / name, tmp_path)
    shutil.copy(REPOSITORY / "dags/flights/late_arrivals.schema.yaml", tmp_path)
    DagContext.autoregistered_dags.clear()
    DagContext.current_autoregister_module_name = __name__  # as Airflow does while it reads a DAG file
    try:
        training = runpy.run_path(str(tmp_path / "late_arrivals.py"))["dag"]
        found = {dag.dag_id: dag for dag, _ in DagContext.autoregistered_dags}
    finally:
        DagContext.current_autoregister_module_name = None
        DagContext.autoregistered_dags.clear()
    assert set(found) == {"flights.late_arrivals", "flights.late_arrivals.monitor"}
    assert found["flights.late_arrivals"] is training
    monitoring = found["flights.late_arrivals.monitor"]
    assert (monitoring.schedule, monitoring.task_ids) == ("@daily", ["monitor"])
    asset = Asset(name="flights.late_arrivals.retrain", uri="taxiway://flights/late_arrivals/retrain")
    assert list(training.schedule) == [asset]
