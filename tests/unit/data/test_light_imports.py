"""Importing the room costs a DAG file nothing heavy."""

import json
import pkgutil
import subprocess
import sys

import taxiway.data

HEAVY = ["pandas", "numpy", "duckdb", "pyarrow", "great_expectations", "mlflow", "airflow", "sklearn", "scipy"]


def test_no_module_of_the_room_imports_a_heavy_library() -> None:
    modules = [f"taxiway.data.{module.name}" for module in pkgutil.iter_modules(taxiway.data.__path__)]
    assert len(modules) > 10
    code = f"import json, sys, {', '.join(modules)}; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []
