"""The `ScoringContext` of an Airflow task, from Airflow's connections and settings."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from taxiway.hooks.config import ledger_keys, open_store
from taxiway.hooks.context import airflow_url, dag_run_of
from taxiway.hooks.mlflow import MlflowHook
from taxiway.hooks.sources import airflow_engine
from taxiway.spec.scoring import rows_to_score
from taxiway.spec.source import read_source

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.spec.source import Source
    from taxiway.stages.batch.context import ScoringContext


def task_name(dag_id: str, task_id: str) -> str:
    """The name of a task under which the spans are noted that it has scored."""
    return f"{dag_id}.{task_id}"


def scoring_context(context: "Context", mlflow_conn_id: str) -> "ScoringContext":
    """The scoring context of a task."""
    from taxiway.ledger.chain import Ledger
    from taxiway.stages.batch.context import ScoringContext
    from taxiway.stages.context import Services
    from taxiway.tracking import tags

    ti: Any = context["ti"]
    return ScoringContext(
        name=task_name(ti.dag_id, ti.task_id),
        run=dag_run_of(context),
        store=open_store(),
        ledger=Ledger(MlflowHook(mlflow_conn_id).get_conn(), ledger_keys()),
        services=Services(
            data=conf.get("taxiway", "data", fallback=None) or None,
            connect=airflow_engine,
            in_airflow=True,
            ledger_keys=ledger_keys(),
        ),
        tags={tags.AIRFLOW_DAG: ti.dag_id, tags.AIRFLOW_RUN: ti.run_id, tags.AIRFLOW_URL: airflow_url(context)},
        log=logging.getLogger(f"airflow.task.{__name__}"),
    )


def source_to_score(source: "Source | Mapping[str, Any]") -> "Source":
    """The source of rows to score, which was given as a section of a pipeline file, or as an object.

    Raises:
        ConfigError: The section is not valid.
    """
    from pydantic import ValidationError

    from taxiway.errors import ConfigError

    if not isinstance(source, Mapping):
        return source
    try:
        return read_source(rows_to_score(dict(source)))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise ConfigError(f"source is not valid: {problems}", key="source", got=source) from None
    except ValueError as error:
        raise ConfigError(f"source is not valid: {error}", key="source", got=source) from None
