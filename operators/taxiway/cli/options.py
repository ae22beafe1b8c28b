"""What several commands share: their options, and a client of MLflow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taxiway.errors import TransientError

if TYPE_CHECKING:
    from mlflow import MlflowClient

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".taxiway"),
    show_default=True,
    help="The stack's folder: databases, logs, secrets.",
)
dags_option = click.option(
    "--dags",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dags"),
    show_default=True,
    help="The folder that Airflow reads.",
)
tracking_option = click.option(
    "--tracking-uri", envvar="MLFLOW_TRACKING_URI", required=True, help="The MLflow server.", show_envvar=True
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")


@contextmanager
def mlflow_at(tracking_uri: str) -> "Iterator[MlflowClient]":
    """A client of the MLflow server; its errors become sentences, and it does not wait for minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        yield MlflowClient(tracking_uri)
    except MlflowException as error:
        raise TransientError(f"MLflow at {tracking_uri} refused: {error.message}") from error
