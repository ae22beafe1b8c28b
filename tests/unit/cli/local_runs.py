"""A team's folder with one small pipeline, whose runs and decisions are made from the command line."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner, Result
from stages.conftest import SCHEMA, Site

from conftest_mlflow import locked
from taxiway.cli.main import main
from taxiway.tracking import local

NAME = "runner.small"
PIPELINE = """\
pipeline: small
team: runner
source: {spans: "{data}/{SPAN}.parquet", window: 1, label: y}
schema: small.schema.yaml
model: {estimator: sklearn.linear_model.LogisticRegression}
gate:
  thresholds: {roc_auc: 0.6}
  against_champion: {metric: roc_auc, min_improvement: -0.05}
"""


_LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
"""Where MLflow's database names the folder of the files."""


def small_site(folder: Path) -> Site:
    """A folder with the pipeline file, its schema, and the data of two spans."""
    made = Site(folder, "small")
    (folder / "small.pipeline.yaml").write_text(PIPELINE)
    (folder / "small.schema.yaml").write_text(SCHEMA)
    made.arrive(1)
    made.arrive(2)
    return made


def taxiway(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner(env={"COLUMNS": "250"}).invoke(main, list(arguments))


def run(*arguments: str) -> Result:
    """Run the pipeline."""
    return taxiway("run", "small.pipeline.yaml", "--data", "data", *arguments)


def kept(folder: Path, template: Path, make: Callable[[], None]) -> None:
    """Let a folder be as `make` leaves it, which is called once for all processes; later folders are copies.

    Args:
        folder: The folder, in which local runs are made.
        template: Where the first one is kept.
        make: Makes it.
    """
    with locked(template):
        if not template.exists():
            make()
            beside = template.with_name(f"{template.name}.new")
            shutil.copytree(folder, beside / "files")
            (beside / "made_in").write_text(str(folder))
            beside.rename(template)
            return
    shutil.copytree(template / "files", folder, dirs_exist_ok=True)
    made_in = (template / "made_in").read_text()
    for database in folder.rglob(local._DATABASE):
        with closing(sqlite3.connect(database)) as connection, connection:
            for table, column in _LOCATIONS:
                connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (made_in, str(folder)))


def done(*arguments: str) -> str:
    """The output of a command that succeeds."""
    result = taxiway(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    """The output of a command that fails."""
    result = taxiway(*arguments)
    assert result.exit_code in (1, 2), result.output
    return result.output
