"""The folder in which a team's commands run, and a copy of a team's pipelines."""

import shutil
from pathlib import Path

import pytest
from cli.linting import DAGS
from cli.local_runs import small_site
from stages.conftest import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A team's folder with a pipeline file and two spans, in which commands find the local runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return small_site(tmp_path)


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A copy of the pipelines of flights."""
    return Path(shutil.copytree(DAGS / "flights", tmp_path / "flights"))
