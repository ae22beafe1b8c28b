"""MLflow in a folder is the one that a run uses, and what the process used before is used again afterwards."""

import os
from pathlib import Path

import mlflow
import pytest

from taxiway.errors import ConfigError
from taxiway.tracking.local import database_uri, local_mlflow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an MLflow, for the tests that leave it as it is: MLflow takes a second to make its database."""
    folder = tmp_path_factory.mktemp("home")
    with local_mlflow(folder):
        return folder


def test_a_tracking_uri_that_a_notebook_has_set_is_used_again_afterwards(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    mlflow.set_tracking_uri(other)
    try:
        with local_mlflow(home):
            assert mlflow.get_tracking_uri() == database_uri(home)
        assert mlflow.get_tracking_uri() == other
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # what it was


@pytest.mark.parametrize("before", [None, "http://127.0.0.1:1"])
def test_the_environment_is_what_it_was(home: Path, monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    if before:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", before)
    else:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with local_mlflow(home):
        assert mlflow.get_tracking_uri() == database_uri(home)
    assert os.environ.get("MLFLOW_TRACKING_URI") == before


def test_a_folder_that_was_moved_is_used_by_a_link_or_where_it_was(tmp_path: Path) -> None:
    with local_mlflow(tmp_path / "home") as client:
        client.create_experiment("one")
    (tmp_path / "home").rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match=r"was made as .*/home, where MLflow looks"), local_mlflow(tmp_path / "moved"):
        pass
    (tmp_path / "home").symlink_to(tmp_path / "moved")
    with local_mlflow(tmp_path / "moved") as client:
        assert client.get_experiment_by_name("one") is not None
