"""The example pipelines of the Compose stack: without mistakes, and with paths at which the services mount what they need."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from taxiway.cli.main import main
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.files.scoring_file import read_scoring

REPOSITORY = Path(__file__).parents[3]
READ_ONLY = ":ro"


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """The folder of a team with the examples."""
    shutil.copytree(REPOSITORY / "docs" / "examples" / "compose", tmp_path / "flights")
    shutil.copy(REPOSITORY / "dags" / "flights" / "late_arrivals.schema.yaml", tmp_path / "flights")
    return tmp_path / "flights"


def mounts(service: str) -> dict[str, bool]:
    """The folders that a service of the Compose file mounts, and whether it may write there."""
    found: Any = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"][service]["volumes"]
    parts = [re.fullmatch(r"(?:\$\{[^}]*\}|[\w-]+):([^:]+)(:ro)?", each) for each in found]
    return {part[1]: part[2] != READ_ONLY for part in parts if part is not None}


def test_the_examples_have_no_mistakes(team: Path) -> None:
    shown = CliRunner().invoke(main, ["lint", str(team)])
    assert (shown.exit_code, "1 pipeline file and 1 scoring file, no mistakes" in shown.output) == (0, True), shown.output


def test_their_paths_are_mounted_by_the_services_that_use_them(team: Path) -> None:
    pipeline, (scoring, _) = (
        read_pipeline(team / "rebookings.pipeline.yaml"),
        read_scoring(team / "arrivals_scored.scoring.yaml"),
    )
    assert pipeline.monitor is not None
    predictions, log = str(Path(scoring.output).parents[1]), pipeline.monitor.log
    assert pipeline.source.join["predictions"].path.startswith(scoring.output.removesuffix("{SPAN}"))

    worker, gateway = mounts("airflow-worker"), mounts("gateway")
    assert (worker[log], worker[predictions], gateway[log]) == (False, True, True)
    for service in ("airflow-triggerer", "airflow-dag-processor", "airflow-api-server"):
        assert mounts(service)[predictions] is False
