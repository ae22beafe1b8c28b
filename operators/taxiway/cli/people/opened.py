"""What the commands of people open: the ledger with its keys, the store and the gateway of an installation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from taxiway.cli.options import found_tracking_option, mlflow_at
from taxiway.cli.people.airflow_question import AirflowAccess
from taxiway.errors import ConfigError, TaxiwayError
from taxiway.ledger import keys
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys
from taxiway.local.stack_dir import DEFAULT_STACK_HOME
from taxiway.stages.installation import DEFAULT_DATA, DEFAULT_HOME, local_keys
from taxiway.tracking.client import mlflow_errors, quiet_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from taxiway.local.stack import Stack
    from taxiway.serving.client import GatewayClient
    from taxiway.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Given:
    """What the command line and the environment say about the installation; see `installation_options`."""

    tracking_uri: str
    store: str | None
    ledger_keys: str | None
    gateway: str | None = None
    admin_token: str | None = None
    airflow: str | None = None
    airflow_token: str | None = None


@dataclass(frozen=True)
class Opened:
    """An installation that a person acts on.

    Attributes:
        ledger: Its ledger, with the keys that the person has.
        store_url: The URL of its store; None if it is not known.
        gateway: Makes a client of its gateway; None if it is not known.
        airflow: How its Airflow is reached; None if that is not known.
    """

    ledger: Ledger
    store_url: str | None
    gateway: "Callable[[], GatewayClient] | None"
    airflow: AirflowAccess | None = None

    def store(self) -> "Store":
        """The store.

        Raises:
            ConfigError: It is not known.
        """
        from taxiway.store import Store

        if self.store_url is None:
            from taxiway.stages.installation import DEFAULT_HOME

            local = DEFAULT_HOME / "store"
            hint = f"; that of the local runs in this folder is {local}" if local.is_dir() else ""
            raise ConfigError(
                f"the store that belongs to this MLflow server is not known; give it: --store URL{hint}", key="store"
            )
        return Store(self.store_url)


_RECORDS = (
    found_tracking_option,
    click.option("--store", envvar="TAXIWAY_STORE", show_envvar=True, help="The URL of the store that belongs to that server."),
    click.option("--ledger-keys", envvar=keys.VARIABLE, hidden=True),
)
_GATEWAY = (
    click.option(
        "--gateway", envvar="TAXIWAY_GATEWAY", show_envvar=True, help="The address of the gateway that serves the model."
    ),
    click.option("--admin-token", envvar="TAXIWAY_ADMIN_TOKEN", hidden=True),
)
_AIRFLOW = (
    click.option(
        "--airflow",
        envvar="TAXIWAY_AIRFLOW",
        show_envvar=True,
        help="The address of the Airflow whose run waits for the answer.",
    ),
    click.option("--airflow-token", envvar="TAXIWAY_AIRFLOW_TOKEN", hidden=True),
)
_PIPELINES = (
    click.option(
        "--dags",
        type=click.Path(path_type=Path, exists=True),
        default=Path("dags"),
        show_default=True,
        help="The folder with the pipeline files, or one pipeline file.",
    ),
    click.option("--data", default=DEFAULT_DATA, show_default=True, help="The folder or URL that {data} stands for."),
)


def installation_options(command: Command) -> Command:
    """Add the options of `Given` to a command: by default, what runs in the working directory."""
    return _with_options(command, _RECORDS + _GATEWAY)


def answer_options(command: Command) -> Command:
    """Add the options of `Given` to a command that answers a question of Airflow."""
    return _with_options(command, _RECORDS + _GATEWAY + _AIRFLOW)


def records_options(command: Command) -> Command:
    """Add the options of `Given` without the gateway to a command."""
    return _with_options(command, _RECORDS)


def pipeline_options(command: Command) -> Command:
    """Add the options `dags` and `data` to a command, and those of `Given` without the gateway."""
    return _with_options(command, _PIPELINES + _RECORDS)


def _with_options(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def opened(given: Given) -> Iterator[Opened]:
    """Open the installation.

    Raises:
        ConfigError: The keys cannot be read.
        TransientError: MLflow does not answer.
    """
    stack = stack_of(given.tracking_uri)
    with _client_of(given.tracking_uri) as client:
        yield Opened(
            Ledger(client, _keys(given, stack)), _store_url(given, stack), _gateway(given, stack), _airflow(given, stack)
        )


def stack_of(tracking_uri: str) -> "Stack | None":
    """The stack of this folder, if it runs and the MLflow server is its own; else None."""
    from taxiway.local.stack import find_running

    stack = find_running(DEFAULT_STACK_HOME)
    return stack if stack is not None and stack.url("mlflow") == tracking_uri.rstrip("/") else None


def _is_local(tracking_uri: str) -> bool:
    from taxiway.tracking.local import database_uri

    return tracking_uri == database_uri(DEFAULT_HOME)


@contextmanager
def _client_of(tracking_uri: str) -> "Iterator[MlflowClient]":
    """An MLflow client, which keeps the files of new runs where the local runs of this folder keep theirs."""
    from taxiway.tracking.local import has_database, local_mlflow

    if not (_is_local(tracking_uri) and has_database(DEFAULT_HOME)):
        with mlflow_at(tracking_uri) as client:
            yield client
        return
    quiet_mlflow()
    with mlflow_errors(tracking_uri), local_mlflow(DEFAULT_HOME) as client:
        yield client


def _keys(given: Given, stack: "Stack | None") -> LedgerKeys:
    if given.ledger_keys:
        return LedgerKeys.parse(given.ledger_keys)
    if stack is not None:
        return LedgerKeys.parse(stack.secrets.ledger_keys)
    return local_keys(DEFAULT_HOME) if _is_local(given.tracking_uri) else LedgerKeys()


def _store_url(given: Given, stack: "Stack | None") -> str | None:
    if given.store:
        return given.store
    if stack is not None:
        return str(stack.home.store)
    return str(Path(DEFAULT_HOME).absolute() / "store") if _is_local(given.tracking_uri) else None


def _gateway(given: Given, stack: "Stack | None") -> "Callable[[], GatewayClient] | None":
    from taxiway.serving.client import GatewayClient

    if given.gateway:
        url, token = given.gateway, given.admin_token
        if not token:
            raise ConfigError(
                "the gateway needs its admin token; set the environment variable TAXIWAY_ADMIN_TOKEN", key="admin_token"
            )
        return lambda: GatewayClient(url, token)
    if stack is not None:
        return lambda: GatewayClient(stack.url("gateway"), stack.secrets.gateway_admin_token)
    return None


def _airflow(given: Given, stack: "Stack | None") -> AirflowAccess | None:
    if given.airflow:
        return AirflowAccess(given.airflow, given.airflow_token)
    return AirflowAccess(stack.url("airflow"), password=stack.secrets.airflow_password) if stack is not None else None


def echo_served(installation: Opened, model: str) -> None:
    """Wait until the gateway serves the champion of the ledger, and print what it serves."""
    if installation.gateway is None:
        click.echo("no gateway is known here (--gateway URL); one that runs follows within seconds")
        return
    try:
        with installation.gateway() as gateway:
            status = gateway.refresh(model)
    except TaxiwayError as error:
        click.echo(f"the gateway could not be asked, and follows when it runs: {error}", err=True)
        return
    serves = f"serves version {status.champion}" if status.champion else "serves no version"
    click.echo(f"the gateway {serves}{f'; {status.problem}' if status.problem else ''}")
