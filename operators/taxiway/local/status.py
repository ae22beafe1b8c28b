"""The state of a running stack: what is in production, what the gateway serves, and what the last runs decided."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.errors import TaxiwayError, TransientError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys
from taxiway.lineage.outcomes import decided_pipelines, summaries
from taxiway.local.stack import Stack
from taxiway.records import RunSummary
from taxiway.store import Store
from taxiway.tracking.client import mlflow_errors, quiet_mlflow

if TYPE_CHECKING:
    from taxiway.registry.champions import ChampionInfo
    from taxiway.serving.api import ModelStatus


@dataclass(frozen=True)
class StackStatus:
    """The state of an embedded stack.

    Attributes:
        urls: The address of each service.
        champions: The champion of each model; None if MLflow does not answer.
        served: The gateway's status of each model that it serves.
        decisions: The latest decision of each pipeline.
        problems: Messages about what could not be read.
    """

    urls: dict[str, str]
    champions: "dict[str, ChampionInfo] | None"
    served: "dict[str, ModelStatus]"
    decisions: dict[str, RunSummary]
    problems: tuple[str, ...]


def read_status(stack: Stack) -> StackStatus:
    """Read the state of a running stack; what does not answer is reported as a problem."""
    quiet_mlflow()
    from mlflow import MlflowClient

    from taxiway.registry.champions import champions as find_champions
    from taxiway.serving.client import GatewayClient

    problems: list[str] = []
    champions: dict[str, ChampionInfo] | None = None
    served: dict[str, ModelStatus] = {}
    keys = LedgerKeys.parse(stack.secrets.ledger_keys)
    try:
        with mlflow_errors(stack.url("mlflow")):
            champions = find_champions(Ledger(MlflowClient(stack.url("mlflow")), keys))
    except TransientError as error:
        problems.append(str(error))
    try:
        with GatewayClient(stack.url("gateway"), stack.secrets.gateway_caller_token) as gateway:
            served = {found.model: found for found in gateway.statuses()}
    except TaxiwayError as error:
        problems.append(str(error))
    store = Store(str(stack.home.store))
    newest = {pipeline: summaries(store, pipeline, newest=1) for pipeline in decided_pipelines(store)}
    urls = {service: stack.url(service) for service in stack.ports}
    return StackStatus(urls, champions, served, {name: found[-1] for name, found in newest.items() if found}, tuple(problems))
