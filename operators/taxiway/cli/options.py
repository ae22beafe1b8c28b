"""What several commands share: their options, and a client of MLflow."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taxiway.errors import ConfigError

if TYPE_CHECKING:
    pass

import traceback
from typing import TYPE_CHECKING, NoReturn

from taxiway.tracking.client import mlflow_errors, quiet_mlflow

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
USAGE = 2
"""The exit code for what cannot be done as it was asked, so that 1 can speak of data and models."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")


@contextmanager
def mlflow_at(tracking_uri: str) -> "Iterator[MlflowClient]":
    """A client of the MLflow server; its errors become messages, and it does not wait for minutes."""
    quiet_mlflow()
    with mlflow_errors(tracking_uri):
        from mlflow import MlflowClient

        yield MlflowClient(tracking_uri)


@contextmanager
def usage_errors() -> Iterator[None]:
    """A ConfigError ends the command with code 2, so that code 1 always speaks of the data."""
    try:
        yield
    except ConfigError as error:
        fail(error, USAGE)


def fail(error: BaseException, code: int) -> NoReturn:
    """End the command with a message, and with `--debug` the traceback before it."""
    if click.get_current_context().find_root().params.get("debug"):
        traceback.print_exception(error)
    click.secho(f"taxiway: {error}", fg="red", err=True)
    sys.exit(code)


def check_folders(*files: Path | None) -> None:
    """Raise ConfigError where a file could not be written for want of its folder, before any work is done."""
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise ConfigError(f"{file} cannot be written: there is no folder {file.parent}")


@contextmanager
def busy(what: str) -> Iterator[None]:
    """A sign of life on a terminal while something takes its time."""
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
