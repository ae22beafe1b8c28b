"""What a stage needs from the world: the pipeline, the store, MLflow, the clock, and the services of the installation."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from taxiway.data.sources.find import located
from taxiway.data.sources.reader import Connect
from taxiway.errors import ConfigError
from taxiway.records.recorder import RunRecorder
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source import Source
from taxiway.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from taxiway.data.schema.model import Schema
    from taxiway.serving.api import Remote
    from taxiway.serving.client import GatewayClient


class ContainerDeployer(Protocol):
    """Runs challengers in containers of their own."""

    def start(self, *, model: str, version: int, run: str, lease: timedelta) -> "Remote":
        """Serve a version for the DAG run `run`; returns where it answers."""

    def remove(self, run: str) -> int:
        """Remove the containers of a DAG run; returns how many there were."""


def no_connection(name: str) -> "AbstractContextManager[object]":
    """The default where there are no database connections. Raises ConfigError."""
    raise ConfigError(f"source.connection {name}: this process has no connections; run the pipeline in Airflow", got=name)


@dataclass(frozen=True)
class Services:
    """What the installation offers to the stages of all pipelines.

    Args:
        data: The folder or URL that `{data}` stands for in a source; None if there is none.
        connect: Opens the database of a source's connection.
        gateway: A client of the pipeline's gateway, with the join_tables of its admin; None if there is none.
        containers: Runs challengers in containers; None if there is no container engine.
    """

    data: str | None = None
    connect: Connect = no_connection  # type: ignore[assignment]
    gateway: Callable[[], "GatewayClient"] | None = None
    containers: ContainerDeployer | None = None


@dataclass(frozen=True)
class StageContext:
    """One run of a pipeline, as its stages see it.

    Args:
        pipeline: The pipeline.
        store: Where rows and records are kept.
        recorder: What stages report to: an MLflow run, or `InMemoryRun` in a notebook or a test.
        registry: The client of the MLflow server that holds models, aliases and the promotion ledger.
        run: The run's name in all of Taxiway, `DAG/RUN`.
        services: What the installation offers.
        clock: The time now, in UTC.
        log: Where a stage says what it does; in a task, the task's log.
    """

    pipeline: Pipeline
    store: Store
    recorder: RunRecorder
    registry: "MlflowClient"
    run: str
    services: Services = field(default_factory=Services)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    log: logging.Logger = field(default=logging.getLogger("taxiway.stages"))

    @property
    def source(self) -> Source:
        """The pipeline's source with `{data}` filled in. Raises ConfigError if it needs that and the services have none."""
        return located(self.pipeline.source, self.services.data)

    def schema(self) -> "Schema":
        """The pipeline's schema. Raises ConfigError if its label is not the one that the pipeline learns."""
        from taxiway.data.schema.file import label_text, load_schema

        schema, label = load_schema(Path(self.pipeline.schema_file)), self.pipeline.source.label
        if schema.label != label:
            raise ConfigError(
                f'the pipeline\'s source.label is "{label}", the schema {label_text(schema)}; make them the same',
                key="source.label",
                got=label,
            )
        return schema


def bullets(reasons: Sequence[str]) -> str:
    """Several reasons, a line each, for a log."""
    return "\n".join(f"  - {reason}" for reason in reasons)
