"""What holds for MLflow's client in every process of ours: it is quiet, and it speaks in our errors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from taxiway.errors import TransientError

# No usage data, and no progress bars between log lines.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def quiet_mlflow() -> None:
    """Set them for this process if the environment does not; before MLflow is imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


def without_credentials(uri: str) -> str:
    """The address without the user and password that it may carry: for messages and links."""
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@contextmanager
def mlflow_errors(tracking_uri: str) -> Iterator[None]:
    """An error of MLflow's client in the block is raised as a TransientError that names the server; commands do not wait long for it."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        shown = without_credentials(tracking_uri)
        raise TransientError(f"MLflow at {shown} refused: {str(error.message).replace(tracking_uri, shown)}") from error
