"""A pipeline that `taxiway new` drafted is one that runs as it is."""

from pathlib import Path

from click.testing import CliRunner
from mlflow import MlflowClient

from taxiway.cli import main
from taxiway.demo.bikes import lay_out_rentals
from taxiway.records import Outcome
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.context import Services
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in
from taxiway.store import Store


def test_a_pipeline_that_was_drafted_runs_as_it_is(tmp_path: Path, local_client: MlflowClient) -> None:
    data, dags = tmp_path / "data", tmp_path / "dags"
    lay_out_rentals(data / "bikes")
    arguments = ["new", "drafted", "--from", str(data / "bikes"), "--label", "cnt", "--team", "drafts"]
    shown = CliRunner().invoke(main, [*arguments, "--dags", str(dags), "--data", str(data)])
    assert shown.exit_code == 0, shown.output
    installation = Installation(Store(str(tmp_path / "store")), local_client, Services(data=str(data)))
    made = run_in(installation, read_pipeline(dags / "drafts/drafted.pipeline.yaml"))
    assert made.summary is not None
    assert made.summary.outcome is Outcome.FIRST_CHAMPION
