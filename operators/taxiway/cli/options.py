"""What several commands share: options, the MLflow client, and error handling."""

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from taxiway.credentials import without_credentials
from taxiway.errors import ConfigError
from taxiway.local.stack_dir import DEFAULT_STACK_HOME
from taxiway.messages import one_line, printable
from taxiway.tracking.client import mlflow_errors, quiet_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from taxiway.data.formats.convert import ReadOptions
    from taxiway.spec.base import Format

Command = TypeVar("Command", bound=Callable[..., Any])

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_STACK_HOME,
    show_default=True,
    help="The stack's folder: databases, logs, secrets.",
)
dags_option = click.option(
    "--dags",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dags"),
    show_default=True,
    help="The folder of DAG files that Airflow reads.",
)
tracking_option = click.option(
    "--tracking-uri", envvar="MLFLOW_TRACKING_URI", required=True, help="The MLflow server.", show_envvar=True
)


def _or_the_stacks(_: click.Context, __: click.Parameter, given: str | None) -> str:
    from taxiway.local.stack import find_running
    from taxiway.stages.installation import DEFAULT_HOME
    from taxiway.tracking.local import database_uri, has_database

    if given:
        return given
    stack = find_running(DEFAULT_STACK_HOME)
    if stack is None and has_database(DEFAULT_HOME):
        return database_uri(DEFAULT_HOME)  # of `taxiway run`
    if stack is None:
        raise click.UsageError(
            "no MLflow server is named; allowed: --tracking-uri URL, the environment variable MLFLOW_TRACKING_URI, or a folder "
            f"in whose {DEFAULT_STACK_HOME} a stack runs (taxiway up) or runs are kept (taxiway run)"
        )
    return stack.url("mlflow")


found_tracking_option = click.option(
    "--tracking-uri",
    envvar="MLFLOW_TRACKING_URI",
    callback=_or_the_stacks,
    help=f"The MLflow server; by default that of the stack that runs in {DEFAULT_STACK_HOME}, or the local runs there.",
    show_envvar=True,
)
USAGE = 2
"""The exit code of a usage error; 1 is for data and models that do not pass."""
json_option = click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
_csv_option = click.option(
    "--csv",
    "csv",
    multiple=True,
    metavar="KEY=VALUE",
    help="How CSV files are written, such as 'delimiter=;'; may be repeated. Keys: delimiter, header, decimal, thousands, dayfirst, "
    "encoding, skip, null.",
)
_format_option = click.option(
    "--format", "file_format", type=click.Choice(["csv", "jsonl", "parquet"]), help="The format, if file names do not show it."
)


def reading_options(command: Command) -> Command:
    """Add the options `csv` and `file_format` to a command that reads files; see `read_options`."""
    return _csv_option(_format_option(command))


def read_options(csv: Iterable[str], file_format: "Format | None") -> "ReadOptions":
    """How files are read, by the options of a command.

    Raises:
        ConfigError: An option is not valid.
    """
    from taxiway.data.formats.convert import ReadOptions
    from taxiway.spec.source.csv_options import csv_options

    return ReadOptions(file_format, csv_options(csv))


def show_notes(notes: Iterable[str]) -> None:
    """Print what is doubtful about files, and how to settle it."""
    shown = list(notes)
    for note in shown:
        click.echo(f"note: {one_line(note)}", err=True)
    if any("csv: {" in note for note in shown):
        click.echo("note: csv is a key of source in a pipeline file; here, give it as --csv KEY=VALUE", err=True)


@contextmanager
def mlflow_at(tracking_uri: str) -> "Iterator[MlflowClient]":
    """Open an MLflow client.

    Raises:
        TransientError: The server does not answer, or reports an error.
    """
    quiet_mlflow()
    with mlflow_errors(tracking_uri):
        from mlflow import MlflowClient

        yield MlflowClient(tracking_uri)


@contextmanager
def usage_errors() -> Iterator[None]:
    """End the command with exit code 2 if the block raises a ConfigError, so that 1 always means data that does not pass."""
    try:
        yield
    except ConfigError as error:
        fail(error, USAGE)


def fail(error: BaseException, code: int) -> NoReturn:
    """End the command with the message of an error; with `--debug`, its traceback is printed first."""
    if click.get_current_context().find_root().params.get("debug"):
        print_traceback(type(error), error, error.__traceback__)
    click.secho(f"taxiway: {printable(without_credentials(str(error)))}", fg="red", err=True)
    sys.exit(code)


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback without the credentials of URLs; usable as `sys.excepthook`."""
    click.echo(without_credentials("".join(traceback.format_exception(kind, error, trace))), err=True, nl=False)


def check_folders(*files: Path | None) -> None:
    """Check that output files can be written, before any work is done; None is skipped.

    Raises:
        ConfigError: A folder does not exist, or a file or its folder is not writable.
    """
    for file in files:
        if file is None:
            continue
        if not file.absolute().parent.is_dir():
            raise ConfigError(f"{file} cannot be written: the folder {file.parent} does not exist")
        denied = file if file.exists() else file.absolute().parent
        if not os.access(denied, os.W_OK):
            raise ConfigError(f"{file} cannot be written: you may not write to {denied}; give another file")


def write_output(file: Path, text: str) -> None:
    """Write an output file.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {problem_of(error)}; give another file") from error


def problem_of(error: OSError) -> str:
    """The message of an operating system error, without its number."""
    return error.strerror.lower() if error.strerror else str(error)


@contextmanager
def busy(activity: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner with the activity on a terminal while the block runs; yields a function that changes the activity."""
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(activity)) as status:
        yield lambda text: status.update(escape(text))
