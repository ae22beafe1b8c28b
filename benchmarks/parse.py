"""What a pipeline file costs each time that Airflow reads it.

Airflow reads a DAG file in its DAG processor over and over, and once more at the start of every task. Measured in one process,
in turns: `load_pipeline` on a copy of the flights' pipeline, against a bare Airflow DAG of 8 EmptyOperators in a chain. What is
imported once a process is measured in fresh processes. The goal is at most 10 ms a pipeline beyond the bare DAG.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import seconds, show

FLIGHTS = Path(__file__).parents[1] / "dags" / "flights"
GOAL_MS = 10
_IMPORTS = """
import time
began = time.perf_counter()
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
middle = time.perf_counter()
from taxiway.templates import load_pipeline
print(middle - began, time.perf_counter() - middle)
"""


def bare_dag() -> Any:
    """A DAG of 8 tasks in a chain, which do nothing."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, chain

    with DAG("bare", schedule=None) as dag:
        chain(*[EmptyOperator(task_id=f"task_{number}") for number in range(8)])
    return dag


def import_seconds(times: int) -> tuple[float, float]:
    """Medians of importing Airflow's SDK, and then Taxiway's templates, in fresh processes."""
    found = []
    for _ in range(times):
        output = subprocess.run([sys.executable, "-c", _IMPORTS], capture_output=True, text=True, check=True).stdout
        found.append([float(word) for word in output.split()[-2:]])
    airflow, taxiway = (statistics.median(column) for column in zip(*found, strict=True))
    return airflow, taxiway


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200, help="how often each is built (default: 200)")
    parser.add_argument("--processes", type=int, default=5, help="fresh processes for the imports (default: 5)")
    asked = parser.parse_args()
    from taxiway.spec.files.pipeline_file import read_pipeline
    from taxiway.templates import load_pipeline

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "flights"
        shutil.copytree(FLIGHTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        stub, file = str(folder / "late_arrivals.py"), folder / "late_arrivals.pipeline.yaml"
        load_pipeline(stub)
        bare_dag()
        # In turns of ten, so that a busy moment of the machine hits all of them.
        turns = [
            [seconds(work, 10) for work in (bare_dag, lambda: load_pipeline(stub), lambda: read_pipeline(file))]
            for _ in range(max(asked.times // 10, 1))
        ]
    bare, whole, read = (statistics.median(column) for column in zip(*turns, strict=True))
    airflow, taxiway = import_seconds(asked.processes)
    rows = [
        ("bare DAG of 8 EmptyOperators", f"{bare * 1e3:.2f}", "1.0"),
        ("load_pipeline, 8 operators", f"{whole * 1e3:.2f}", f"{whole / bare:.1f}"),
        ("  of it, reading and checking the file", f"{read * 1e3:.2f}", f"{read / bare:.1f}"),
        (f"beyond the bare DAG (goal: at most {GOAL_MS})", f"{(whole - bare) * 1e3:.2f}", f"{(whole - bare) / bare:.1f}"),
    ]
    show("One pipeline file, once the modules are loaded", ("what", "ms", "times the bare DAG"), rows)
    imports = [
        ("airflow.sdk and EmptyOperator", f"{airflow * 1e3:.0f}", "1.00"),
        ("then taxiway.templates", f"{taxiway * 1e3:.0f}", f"{taxiway / airflow:.2f}"),
    ]
    show("Imports, once a process", ("what", "ms", "times Airflow's"), imports)


if __name__ == "__main__":
    main()
