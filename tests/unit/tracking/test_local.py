"""MLflow in a folder is the one that a run uses, and what the process used before is used again afterwards."""

import os
from pathlib import Path

import mlflow
import pytest

from taxiway.tracking.local import database_uri, local_mlflow


def test_a_tracking_uri_that_a_notebook_has_set_is_used_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    mlflow.set_tracking_uri(other)
    try:
        with local_mlflow(tmp_path / "home"):
            assert mlflow.get_tracking_uri() == database_uri(tmp_path / "home")
        assert mlflow.get_tracking_uri() == other
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # what it was


@pytest.mark.parametrize("before", [None, "http://127.0.0.1:1"])
def test_the_environment_is_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    if before:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", before)
    else:
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with local_mlflow(tmp_path / "home"):
        assert mlflow.get_tracking_uri() == database_uri(tmp_path / "home")
    assert os.environ.get("MLFLOW_TRACKING_URI") == before
