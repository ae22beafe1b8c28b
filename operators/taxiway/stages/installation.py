"""Where a run outside of Airflow keeps what it makes: a local folder of its own, or the store and MLflow of an installation."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError
from taxiway.lineage.client import mlflow_errors, quiet_mlflow
from taxiway.lineage.local import local_mlflow
from taxiway.stages.context import Services
from taxiway.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_HOME = Path(".taxiway/local")


@dataclass(frozen=True)
class Installation:
    """Where a run keeps what it makes.

    Args:
        store: The store of rows and records.
        client: The client of MLflow.
        services: The data, and the databases, that sources read.
        private: Whether nobody else uses it now, so that a champion here serves nobody.
    """

    store: Store
    client: "MlflowClient"
    services: Services = field(default_factory=Services)
    private: bool = True


@contextmanager
def open_installation(data: str | None, tracking_uri: str | None, store: str | None, home: Path) -> Iterator[Installation]:
    """The installation that the arguments of `taxiway.run` describe; a local one is locked while the block runs.

    Raises:
        ConfigError: Another run uses the local folder.
    """
    quiet_mlflow()
    home.mkdir(parents=True, exist_ok=True)
    kept, services = Store(store or str(home.absolute() / "store")), Services(data=data)
    if tracking_uri is not None:
        with mlflow_errors(tracking_uri):
            from mlflow import MlflowClient

            yield Installation(kept, MlflowClient(tracking_uri), services, private=False)
        return
    with _locked(home), local_mlflow(home) as client:
        yield Installation(kept, client, services)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"another run uses {home}; wait until it has ended, or keep this one elsewhere: --home FOLDER",
                key="home",
                got=home,
            ) from None
        yield
