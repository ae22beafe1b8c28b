"""What `taxiway doctor` finds, from where the pages are: Airflow's API server with its settings and connections."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from airflow.models.dag import DagModel
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from sqlalchemy import select
from sqlalchemy.orm import Session

from taxiway.credentials import without_credentials
from taxiway.errors import ConfigError
from taxiway.hooks import config as settings
from taxiway.hooks.gateway import GatewayHook
from taxiway.hooks.mlflow import MlflowHook
from taxiway.ledger.chain import Ledger
from taxiway.messages import counted
from taxiway.serving.client import GatewayClient
from taxiway.stages.installation.diagnosis import Finding, Health, diagnose
from taxiway.tracking.client import mlflow_errors
from taxiway_ui import airflow_db
from taxiway_ui.clients import answer_soon
from taxiway_ui.reviews.loaded import load


def diagnosis(session: Session) -> tuple[Finding, ...]:
    """What is configured and reachable for the pages, and what to mend; messages have no credentials."""
    found = (*diagnose(_ledger, settings.open_store, _gateway()), _pipeline_files(session))
    return tuple(replace(finding, message=without_credentials(finding.message)) for finding in found)


@contextmanager
def _ledger() -> Iterator[Ledger]:
    answer_soon()
    with _connections():
        uri, client = MlflowHook().tracking_uri(), MlflowHook().get_conn()
    with mlflow_errors(uri):
        yield Ledger(client, settings.ledger_keys())


def _gateway() -> Callable[[], GatewayClient] | None:
    """Makes a client of the gateway; None if Airflow has no connection to one, because a pipeline need not have a gateway."""
    try:
        GatewayHook.get_connection(GatewayHook.default_conn_name)
    except AirflowNotFoundException:
        return None
    return lambda: GatewayHook().get_conn()


@contextmanager
def _connections() -> Iterator[None]:
    """Report a missing connection of Airflow as a mistake in the configuration."""
    try:
        yield
    except AirflowException as error:
        raise ConfigError(f"{error}; add it in Airflow under Admin, Connections") from error


def _pipeline_files(session: Session) -> Finding:
    """Whether the API server can read the pipeline files, which reviews and labels need."""
    names = airflow_db.pipelines(session, set(session.scalars(select(DagModel.dag_id))))
    files = airflow_db.dag_files(session, names)
    unread = [why for name in names if isinstance(why := load(name, files.get(name)), str)]
    if not unread:
        return Finding("pipeline files", Health.OK, f"{counted(len(names), 'pipeline file')} can be read by the API server")
    return Finding("pipeline files", Health.WARNING, f"{len(unread)} of {len(names)} cannot be read: {unread[0]}")
