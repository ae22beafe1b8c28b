"""Where a run outside of Airflow keeps its records and models: in a local folder, or in the store and MLflow of an installation."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import VARIABLE, LedgerKeys, new_key
from taxiway.ledger.verify import sign, unsigned_entries
from taxiway.records.digests import digest_of_bytes
from taxiway.stages.context import Services
from taxiway.store import Store
from taxiway.tracking.client import mlflow_errors, quiet_mlflow
from taxiway.tracking.local import database_uri, has_database, local_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_HOME = Path(".taxiway/local")
DEFAULT_DATA = ".taxiway/data"
_KEYS_FILE = "ledger.keys"


class Sharing(Enum):
    """Who else uses an installation."""

    NOBODY = "store and MLflow belong to this machine"
    MLFLOW = "MLflow is shared, the store belongs to this machine"
    ALL = "store and MLflow are shared"


@dataclass(frozen=True)
class Installation:
    """Where a run keeps its records and models.

    Attributes:
        store: The store of rows and records.
        client: The MLflow client.
        services: The data and the databases that sources read.
        sharing: Whether others use the store and MLflow too.
    """

    store: Store
    client: "MlflowClient"
    services: Services = field(default_factory=Services)
    sharing: Sharing = Sharing.NOBODY


@contextmanager
def open_installation(data: str | None, tracking_uri: str | None, store: str | None, home: Path) -> Iterator[Installation]:
    """Open the installation that the arguments of `taxiway.run` describe; a local one is locked while the block runs.

    Args:
        data: The folder or URL that `{data}` stands for; None if there is none.
        tracking_uri: The MLflow server; None for an MLflow in `home`.
        store: The URL of the store that belongs to that server; None for a store in `home`.
        home: The local folder.

    Raises:
        ConfigError: Another run uses the local folder, or a store is given without its MLflow server.
        TransientError: MLflow cannot be reached, or reports an error.
    """
    quiet_mlflow()
    if tracking_uri is None and store is not None:
        raise ConfigError(
            f"the store {store} needs the MLflow server that belongs to it; give it too: --tracking-uri URL", key="tracking_uri"
        )
    if tracking_uri is None:
        older = has_database(home) and not (home / _KEYS_FILE).exists()
        services = Services(data=data, ledger_keys=local_keys(home))
        with _locked_home(home), local_mlflow(home) as client, mlflow_errors(database_uri(home)):
            if older:  # of runs before the ledger was signed
                ledger = Ledger(client, services.ledger_keys)
                sign(ledger, unsigned_entries(ledger))
            yield Installation(Store(str(home.absolute() / "store")), client, services)
        return
    services = Services(data=data, ledger_keys=LedgerKeys.parse(os.environ.get(VARIABLE, "")))
    # Separate from the records of local runs, and from those of other servers.
    records = home.absolute() / digest_of_bytes(tracking_uri.encode())[:8] / "store"
    with mlflow_errors(tracking_uri):
        from mlflow import MlflowClient

        sharing = Sharing.MLFLOW if store is None else Sharing.ALL
        yield Installation(Store(store or str(records)), MlflowClient(tracking_uri), services, sharing)


def local_keys(home: Path) -> LedgerKeys:
    """The keys that sign the ledger of the local runs in `home`; made at the first call.

    Raises:
        ConfigError: The folder cannot be written, or the file has a key that is too short.
    """
    path = home / _KEYS_FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            beside = home / f"ledger.keys.{os.getpid()}"
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(new_key())
            with suppress(FileExistsError):  # another process was faster
                os.link(beside, path)
            beside.unlink()
    except OSError as error:
        message = f"the folder {home} cannot be written ({error.strerror}); give another: --home FOLDER"
        raise ConfigError(message, key="home", got=home) from error
    return LedgerKeys.parse(path.read_text())


@contextmanager
def _locked_home(home: Path) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        opened = (home / "lock").open("w")
    except OSError as error:
        message = f"the folder {home} cannot be written ({error.strerror}); give another: --home FOLDER"
        raise ConfigError(message, key="home", got=home) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"another run uses {home}; wait until it has ended, or use another folder: --home FOLDER",
                key="home",
                got=home,
            ) from None
        yield
