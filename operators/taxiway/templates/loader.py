"""From a stub beside a pipeline file to its DAG: one file a pipeline, so that a broken one breaks nobody else's."""

from pathlib import Path

from airflow.sdk import DAG

from taxiway.pipeline_file import SUFFIX, read_pipeline
from taxiway.templates.continuous_training import continuous_training

_TEMPLATES = {"continuous_training": continuous_training}


def load_pipeline(stub: str) -> DAG:
    """The DAG of the pipeline file beside `stub`: `NAME.py` goes with `NAME.pipeline.yaml`. Call it with `__file__`."""
    path = Path(stub)
    pipeline = read_pipeline(path.with_name(path.stem + SUFFIX))
    return _TEMPLATES[pipeline.template](pipeline)
