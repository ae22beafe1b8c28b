"""MLflow without a server: runs and models in a local folder, for runs on a laptop, in a notebook or in CI."""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError, TransientError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's SQL store reads the folder for artifacts from this variable; without it, it uses the current directory.
_ARTIFACT_ROOT = "_MLFLOW_SERVER_ARTIFACT_ROOT"
_TRACKING_URI = "MLFLOW_TRACKING_URI"
_DATABASE = "mlflow.db"


def database_uri(folder: Path) -> str:
    """The URI of the database in `folder`, as `mlflow ui --backend-store-uri` takes it."""
    return f"sqlite:///{folder.absolute() / _DATABASE}"


def has_database(folder: Path) -> bool:
    """Whether runs are kept in `folder`."""
    return (folder / _DATABASE).is_file()


@contextmanager
def local_mlflow(folder: Path) -> "Iterator[MlflowClient]":
    """Open an MLflow client on a database in `folder`, which is created if needed.

    While the block runs, environment variables of this process are set for it.

    Raises:
        ConfigError: Only `mlflow-skinny` is installed, which has no database; the database cannot be used; or the path of the
            folder cannot be part of a URL.
    """
    if unfit := {"?", "%"} & set(str(folder.absolute())):
        raise ConfigError(
            f"the path of {folder} contains {' and '.join(sorted(unfit))}, which MLflow reads as part of a URL; give another folder: "
            "--home FOLDER",
            key="home",
            got=folder,
        )
    folder.mkdir(parents=True, exist_ok=True)
    uri = database_uri(folder)
    # MLflow resolves `models:/` URIs with the tracking URI of the process, not with that of the client.
    with environment({_TRACKING_URI: uri, _ARTIFACT_ROOT: str(folder.absolute() / "artifacts")}), _instead_of_code(uri):
        for talkative in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(talkative).setLevel(logging.WARNING)
        yield _client(folder)


def _client(folder: Path) -> "MlflowClient":
    from mlflow import MlflowClient

    uri, database = database_uri(folder), folder.absolute() / _DATABASE
    try:
        if not database.exists():
            _make_database(folder)
        _check_database(database)
        client = MlflowClient(uri, uri)
        _check_place(client, folder)
        return client
    except ImportError as error:
        raise ConfigError(
            f"without --tracking-uri, runs are kept in {folder}, which needs the package mlflow ({error}): pip install mlflow; "
            "or give an MLflow server: --tracking-uri URL"
        ) from None
    except Exception as error:
        if not _is_of_database(error):
            raise
        first_line = str(error).splitlines()[0]
        if "disk is full" in first_line:
            raise TransientError(f"{database} cannot be written: the disk is full; free some space and run again") from error
        raise ConfigError(
            f"{database} cannot be used as MLflow's database ({first_line}); delete it, with the models in it, or give another folder: "
            "--home FOLDER",
            key="home",
            got=folder,
        ) from error


def _check_database(database: Path) -> None:
    """Raise at once what MLflow would raise after a hundred seconds of retries: the file is not a database, or cannot be opened."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA schema_version")


def _is_of_database(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, SQLAlchemyError | sqlite3.Error)


def _check_place(client: "MlflowClient", folder: Path) -> None:
    """MLflow keeps the paths of models and files as they were when the folder was made.

    Raises:
        ConfigError: The folder was made elsewhere, and is no longer found there.
    """
    made = Path(client.get_experiment("0").artifact_location).parent.parent
    if not (made.exists() and made.samefile(folder)):
        raise ConfigError(
            f"{folder} was made as {made}, where MLflow looks for its models; move it back, let {made} be a link to it, or give "
            "another folder: --home FOLDER",
            key="home",
            got=folder,
        )


def _make_database(folder: Path) -> None:
    """Create the database under a temporary name and rename it, so that an interrupted creation leaves no broken database."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    made = folder.absolute() / f"{_DATABASE}.new"
    made.unlink(missing_ok=True)
    SqlAlchemyStore(f"sqlite:///{made}", os.environ[_ARTIFACT_ROOT]).engine.dispose()
    made.rename(folder.absolute() / _DATABASE)


@contextmanager
def _instead_of_code(uri: str) -> Iterator[None]:
    """Use a tracking URI instead of one that a notebook has set in code, which goes before the environment."""
    try:
        import mlflow
    except ImportError:  # told where the client is made
        yield
        return
    del os.environ[_TRACKING_URI]
    set_in_code = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    os.environ[_TRACKING_URI] = uri
    if set_in_code is None:
        yield
        return
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(set_in_code)


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables of this process while the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)  # whoever ran in the block may have removed it
            else:
                os.environ[name] = value
