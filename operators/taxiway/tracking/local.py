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
_DATABASE = "mlflow.db"


def database_uri(folder: Path) -> str:
    """The address of the database in `folder`, as `mlflow ui --backend-store-uri` takes it."""
    return f"sqlite:///{folder.absolute() / _DATABASE}"


@contextmanager
def local_mlflow(folder: Path) -> "Iterator[MlflowClient]":
    """A client of an MLflow in `folder`, made at the first use; its environment is this process's while the block runs.

    Raises ConfigError if the MLflow that is installed is `mlflow-skinny`, which has no database, if the database cannot be used,
    or if the folder's path cannot stand in a URL.
    """
    if unfit := {"?", "%"} & set(str(folder.absolute())):
        raise ConfigError(
            f"{folder} has {' and '.join(sorted(unfit))} in its path, which MLflow reads as part of a URL; give another folder",
            key="home",
            got=folder,
        )
    folder.mkdir(parents=True, exist_ok=True)
    uri = database_uri(folder)
    # MLflow resolves `models:/` addresses by the process's own tracking URI, whichever client asks.
    with _environment({_TRACKING_URI: uri, _ARTIFACT_ROOT: str(folder.absolute() / "artifacts")}):
        for talkative in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(talkative).setLevel(logging.WARNING)
        yield _client(folder)


def _client(folder: Path) -> "MlflowClient":
    from mlflow import MlflowClient

    uri, database = database_uri(folder), folder.absolute() / _DATABASE
    try:
        from sqlalchemy.exc import SQLAlchemyError

        if not database.exists():
            _make_database(folder)
        return MlflowClient(uri, uri)
    except ImportError as error:
        raise ConfigError(
            f"without a tracking URI, runs are kept in {folder}, for which the package mlflow is needed ({error}): "
            "pip install mlflow; or give the MLflow server: --tracking-uri URL"
        ) from None
    except SQLAlchemyError as error:
        said = str(error).splitlines()[0]
        raise ConfigError(
            f"{database} cannot be used as MLflow's database ({said}); remove it, and the models in it, or give another folder",
            key="home",
            got=folder,
        ) from error


def _make_database(folder: Path) -> None:
    """Make the database beside its place and rename it: one whose making was interrupted is not taken for one that is there."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    made = folder.absolute() / f"{_DATABASE}.new"
    made.unlink(missing_ok=True)
    SqlAlchemyStore(f"sqlite:///{made}", os.environ[_ARTIFACT_ROOT]).engine.dispose()
    made.rename(folder.absolute() / _DATABASE)


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
