"""The MLflow client in all processes of Taxiway: without telemetry and progress bars, and with Taxiway's errors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from taxiway.errors import ConfigError, TransientError

# No telemetry, and no progress bars between log lines.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def quiet_mlflow() -> None:
    """Turn off MLflow's telemetry and progress bars, unless the environment sets them. Call it before MLflow is imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


@contextmanager
def mlflow_errors(tracking_uri: str) -> Iterator[None]:
    """Raise errors of the MLflow client in the block as Taxiway's own, with few retries, so that a command does not wait for minutes.

    Args:
        tracking_uri: The address of the server, for the message.

    Raises:
        ConfigError: The address needs a package that is not installed.
        TransientError: The server does not answer, or reports an error.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    from mlflow.exceptions import MlflowException

    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"MLflow at {tracking_uri} needs a package that is not installed here ({error}); install it, or give the address of an "
            "MLflow server, such as http://127.0.0.1:5000"
        ) from None
    except MlflowException as error:
        if is_unreachable(error):
            raise TransientError(
                f"MLflow at {tracking_uri} does not answer; check the address, and whether the server is running"
            ) from error
        raise TransientError(f"MLflow at {tracking_uri} reports an error: {error.message}") from error


def is_unreachable(error: BaseException) -> bool:
    """Whether an error of the MLflow client is one of the connection, and not an answer of the server."""
    import requests

    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
        if isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
            return True
    return False
