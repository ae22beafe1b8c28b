"""What a stage needs: the pipeline, the store, MLflow, the clock, and the services of the installation."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from taxiway.data.sources.find import located
from taxiway.data.sources.reader import Connect
from taxiway.errors import ConfigError, allowed_values
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys
from taxiway.records.recorder import RunRecorder
from taxiway.spec.monitor.action import Action, model_for
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.python_refs import function_hint
from taxiway.spec.source import Source
from taxiway.spec.source.span_pattern import DATA, with_data
from taxiway.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from taxiway.data.schema.model import Schema
    from taxiway.serving.api import Remote
    from taxiway.serving.client import GatewayClient


class ContainerDeployer(Protocol):
    """Runs challengers in their own containers."""

    def start(self, *, model: str, version: int, run: str, lease: timedelta) -> "Remote":
        """Serve a version for the DAG run `run` until the lease ends; returns its address."""

    def remove(self, run: str) -> int:
        """Remove the containers of a DAG run; returns how many there were."""


def no_connection(name: str) -> "AbstractContextManager[object]":
    """The default of `Services.connect`: there are no database connections.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError(
        f"source.connection is {name}, and a run outside of Airflow has no connections; run the pipeline in Airflow", got=name
    )


@dataclass(frozen=True)
class Services:
    """What the installation offers to the stages of all pipelines.

    Attributes:
        data: The folder or URL that `{data}` stands for in a source; None if there is none.
        connect: Opens the database of a source's connection.
        gateway: Makes a client of the pipeline's gateway, with the admin token; None if there is no gateway.
        containers: Runs challengers in containers; None if there is no container engine.
        in_airflow: Whether the stages run as Airflow tasks; other runs are local and do not deploy.
        ledger_keys: The keys that promotions and decisions are signed with.
    """

    data: str | None = None
    connect: Connect = no_connection  # type: ignore[assignment]
    gateway: Callable[[], "GatewayClient"] | None = None
    containers: ContainerDeployer | None = None
    in_airflow: bool = False
    ledger_keys: LedgerKeys = field(default_factory=LedgerKeys)

    def filled(self, path: str) -> str:
        """A path with the folder of the data in place of `{data}`.

        Raises:
            ConfigError: The installation has no such folder.
        """
        if DATA not in path:
            return path
        if self.data is None:
            raise ConfigError(f"{path} needs the folder of the data, which is not set: [taxiway] data")
        return with_data(path, self.data)


@dataclass(frozen=True)
class StageContext:
    """One run of a pipeline, as its stages see it.

    Attributes:
        pipeline: The pipeline.
        store: The store of rows and records.
        recorder: Where stages record metrics, tags and records: an MLflow run, or `InMemoryRun` in a notebook or a test.
        registry: The client of the MLflow server with the models, their aliases and the promotion ledger.
        run: The run's name everywhere in Taxiway, `DAG/RUN`.
        services: What the installation offers.
        clock: Returns the current time in UTC.
        log: The logger of the stages; in an Airflow task, the task's log.
        again: Why a person decides the span again; None if nobody has said.
        action: What the run does, if monitoring has started it; None if it trains as the pipeline file says.
    """

    pipeline: Pipeline
    store: Store
    recorder: RunRecorder
    registry: "MlflowClient"
    run: str
    services: Services = field(default_factory=Services)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    log: logging.Logger = field(default=logging.getLogger("taxiway.stages"))
    again: str | None = None
    action: Action | None = None

    @property
    def source(self) -> Source:
        """The pipeline's source with `{data}` filled in.

        Raises:
            ConfigError: The source has `{data}`, and the services have no data folder.
        """
        return located(self.pipeline.source, self.services.data)

    @property
    def actions(self) -> tuple[Action, ...]:
        """What a run of the pipeline can do that monitoring has started."""
        return self.pipeline.monitor.actions if self.pipeline.monitor is not None else ()

    @property
    def ledger(self) -> Ledger:
        """The ledger of promotions and decisions."""
        return Ledger(self.registry, self.services.ledger_keys)

    @property
    def code(self) -> Path:
        """The folder of the team's code, which stages trust: that of the pipeline file."""
        return Path(self.pipeline.schema_file).parent

    def schema(self) -> "Schema":
        """Read the pipeline's schema.

        Raises:
            ConfigError: Its label is not the label of the pipeline.
        """
        return schema_of(self.pipeline)


def doing(pipeline: Pipeline, action: Action | None) -> Pipeline:
    """The pipeline as a run follows it that does an action; None for a run that monitoring has not started."""
    actions = pipeline.monitor.actions if pipeline.monitor is not None else ()
    return pipeline.model_copy(update={"model": model_for(pipeline.model, action, actions)})


def schema_of(pipeline: Pipeline) -> "Schema":
    """Read the schema of a pipeline.

    Raises:
        ConfigError: Its label is not the label of the pipeline, or it lacks the column of weights.
    """
    from taxiway.data.schema.file import label_text, load_schema

    schema, label, weight = load_schema(Path(pipeline.schema_file)), pipeline.source.label, pipeline.model.weight_column
    if schema.label != label:
        raise ConfigError(
            f'the pipeline\'s source.label is "{label}", the schema {label_text(schema)}; make them the same',
            key="source.label",
            got=label,
        )
    if weight is not None and schema.feature(weight) is None:
        names = [feature.name for feature in schema.features]
        raise ConfigError(
            f'model.weight is "{weight}", which is not a column of the schema{function_hint(weight)}\n    {allowed_values(weight, names)}',
            key="model.weight",
            got=weight,
        )
    return schema


def bullets(reasons: Sequence[str]) -> str:
    """Format reasons for a log, one per line."""
    return "\n".join(f"  - {reason}" for reason in reasons)
