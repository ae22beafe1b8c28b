"""A team's folder with one small pipeline, whose runs and decisions are made from the command line."""

from pathlib import Path

from click.testing import CliRunner, Result
from stages.conftest import SCHEMA, Site

from taxiway.cli.main import main

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
