"""What Airflow loads by the entry point `airflow.plugins`."""

import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import conf


class TaxiwayPlugin(AirflowPlugin):
    """Loads the heavy libraries into the scheduler of the embedded stack, before it forks its tasks."""

    name = "taxiway"

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called by Airflow in every process that loads plugins."""
        if "scheduler" in sys.argv and conf.getboolean("taxiway", "preload", fallback=False):
            preload()


def preload() -> None:
    """Import what every task would import: 2 to 6 s, once instead of in each task.

    Imported, never used: pools of threads that were used before a fork hang after it.
    """
    import duckdb  # noqa: F401
    import mlflow.pyfunc
    import mlflow.sklearn  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import sklearn.compose
    import sklearn.ensemble
    import sklearn.pipeline
    import sklearn.preprocessing  # noqa: F401
    import skops.io  # noqa: F401
