"""MLflow without a server: runs and models in a local folder, for runs on a laptop, in a notebook or in CI."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# By which MLflow's own SQL store learns where artifacts go; without it they go below the current directory.
_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
_TRACKING_URI = "MLFLOW_TRACKING_URI"


def database_uri(folder: Path) -> str:
    """The address of the database in `folder`, as `mlflow ui --backend-store-uri` takes it."""
    return f"sqlite:///{folder.absolute()}/mlflow.db"


@contextmanager
def local_mlflow(folder: Path) -> "Iterator[MlflowClient]":
    """A client of an MLflow in `folder`, made at the first use; its environment is this process's while the block runs.

    Raises ConfigError if the MLflow that is installed is `mlflow-skinny`, which has no database.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uri = database_uri(folder)
    # MLflow resolves `models:/` addresses by the process's own tracking URI, whichever client asks.
    with _environment({_TRACKING_URI: uri, _ARTIFACT_ROOT: str(folder.absolute() / "artifacts")}):
        from mlflow import MlflowClient

        for talkative in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(talkative).setLevel(logging.WARNING)
        try:
            client = MlflowClient(uri, uri)
        except ImportError as error:
            raise ConfigError(
                f"without a tracking URI, runs are kept in {folder}, for which the package mlflow is needed ({error}): "
                "pip install mlflow; or give the MLflow server: --tracking-uri URL"
            ) from None
        yield client


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
