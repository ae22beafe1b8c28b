"""What the pages ask MLflow and the store, and what they say instead where one of them does not answer."""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

from airflow.sdk.exceptions import AirflowException

from taxiway.errors import TaxiwayError
from taxiway.hooks import config as settings
from taxiway.hooks.mlflow import MlflowHook
from taxiway.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
ANSWER_SECONDS = 5
_log = logging.getLogger(__name__)


def ask_mlflow(question: Callable[["MlflowClient"], T], otherwise: T) -> tuple[T, str]:
    """The answer to `question` by the MLflow of `mlflow_default`; or `otherwise`, and a message that says why."""
    try:
        uri = MlflowHook().tracking_uri()
    except (AirflowException, TaxiwayError) as error:
        return otherwise, f"Champions and promotions are not shown: {error}"
    return ask(uri, question, otherwise)


def ask(uri: str, question: Callable[["MlflowClient"], T], otherwise: T) -> tuple[T, str]:
    """The answer to `question` by the MLflow at `uri`; or `otherwise`, and a message without the credentials of `uri`."""
    # MLflow itself would try for minutes. It takes these from the environment only, and in the API server nobody else uses it.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(ANSWER_SECONDS))
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        return otherwise, "Champions and promotions are not shown: install taxiway[ml] where Airflow's API server runs."
    try:
        return question(MlflowClient(tracking_uri=uri)), ""
    except MlflowException as error:
        parts = urlsplit(uri)
        address = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        _log.warning("MLflow did not answer the pages: %s", str(error).replace(uri, address))
        return otherwise, f"MLflow at {address} does not answer, so champions and promotions are not shown."


def open_store() -> Store | None:
    """The installation's store; None where none is set."""
    try:
        return settings.open_store()
    except TaxiwayError:
        return None
