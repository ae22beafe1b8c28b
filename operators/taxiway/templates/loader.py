"""The loader of DAG files: one DAG file per pipeline or scoring file, so that a broken file does not affect the others."""

from collections.abc import Callable
from pathlib import Path

from airflow.sdk import DAG

from taxiway.errors import ConfigError
from taxiway.spec.base import CONTINUOUS_TRAINING
from taxiway.spec.files.pipeline_file import SUFFIX, read_pipeline_and_team
from taxiway.spec.files.scoring_file import SCORING_SUFFIX, read_scoring
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.python_refs import load_python
from taxiway.spec.team import Team
from taxiway.templates.batch_scoring import batch_scoring
from taxiway.templates.continuous_training import continuous_training
from taxiway.templates.monitoring import monitoring

Template = Callable[[Pipeline, Team | None], DAG]


def load_pipeline(stub: str) -> DAG:
    """Create the DAG of the pipeline file beside a DAG file: `NAME.py` belongs to `NAME.pipeline.yaml`.

    With a section `monitor`, there is a second DAG, which Airflow finds without a variable of the DAG file.

    Args:
        stub: The path of the DAG file; call this function with `__file__`.

    Raises:
        ConfigError: The pipeline file, the team file or the team's own template cannot be used.
    """
    path = Path(stub)
    pipeline, team = read_pipeline_and_team(path.with_name(path.stem + SUFFIX))
    if pipeline.monitor is not None:
        monitoring(pipeline, pipeline.monitor, team)
    if pipeline.template == CONTINUOUS_TRAINING:
        return continuous_training(pipeline, team)
    dag = _own_template(Path(pipeline.template))(pipeline, team)
    if not isinstance(dag, DAG) or dag.dag_id != pipeline.name:
        got = f'the DAG "{dag.dag_id}"' if isinstance(dag, DAG) else f"a {type(dag).__name__}"
        raise ConfigError(f'{pipeline.template}: template() returned {got}; allowed: a DAG whose dag_id is "{pipeline.name}"')
    return dag


def load_scoring(stub: str) -> DAG:
    """Create the DAG of the scoring file beside a DAG file: `NAME.py` belongs to `NAME.scoring.yaml`.

    Args:
        stub: The path of the DAG file; call this function with `__file__`.

    Raises:
        ConfigError: The scoring file or the team file cannot be used.
    """
    path = Path(stub)
    return batch_scoring(*read_scoring(path.with_name(path.stem + SCORING_SUFFIX)), code=path.parent)


def _own_template(path: Path) -> Template:
    template: Template | None = getattr(load_python(path), "template", None)
    if not callable(template):
        raise ConfigError(f"{path} has no function template; define template(pipeline, team), which returns a DAG")
    return template
