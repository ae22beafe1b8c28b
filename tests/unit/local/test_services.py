"""The services of the embedded stack: the gateway writes what tasks of Airflow read."""

import stat
from pathlib import Path

from taxiway.local.services import airflow_environment, services
from taxiway.local.stack_dir import StackDir
from taxiway.local.stack_spec import StackSpec
from taxiway.stages.context import Services


def test_the_gateway_writes_its_log_where_the_examples_of_pipelines_look(tmp_path: Path) -> None:
    home, ports = StackDir.at(tmp_path), dict.fromkeys(("airflow", "mlflow", "gateway"), 1)
    made = services(home, StackSpec(home=tmp_path, dags=tmp_path, ports=ports), {"airflow": "", "mlflow": ""})
    (gateway,) = (each for each in made if each.name == "gateway")
    folder = Path(gateway.command[gateway.command.index("--log-folder") + 1])

    data = airflow_environment(home, ports, tmp_path, "")["AIRFLOW__TAXIWAY__DATA"]
    assert str(folder) == Services(data=data).filled("{data}/request-log")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700, "it is there before the first request, and private"
