"""Models that depend on predictions of other models, by the tags of their MLflow runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NEWEST = 10


@dataclass(frozen=True)
class Upstream:
    """Batches of predictions of another model, among the data of a run.

    Attributes:
        model: The model that predicted.
        version: The version that predicted.
        mlflow_runs: The MLflow runs of the batches, oldest first; a batch that was not recorded is left out.
    """

    model: str
    version: int
    mlflow_runs: tuple[str, ...]


@dataclass(frozen=True)
class Downstream:
    """A run that read predictions of a version.

    Attributes:
        pipeline: The pipeline of the run; for a batch of predictions, the model that scored.
        version: The version that it trained, or that scored; None if it trained none.
        is_batch: Whether the run is a batch of predictions.
        mlflow_run: The id of the MLflow run.
    """

    pipeline: str
    version: int | None
    is_batch: bool
    mlflow_run: str


def upstream_of(run_tags: Mapping[str, str]) -> tuple[Upstream, ...]:
    """The models whose predictions a run read, by the tags of the run."""
    runs: dict[tuple[str, int], list[str]] = {}
    for name, value in run_tags.items():
        if name.startswith(tags.PREDICTIONS_PREFIX):
            for batch in json.loads(value):
                made = runs.setdefault((name.removeprefix(tags.PREDICTIONS_PREFIX), int(batch["version"])), [])
                made += [batch["run"]] if batch["run"] is not None else []
    return tuple(Upstream(model, version, tuple(made)) for (model, version), made in runs.items())


def downstream_of(client: "MlflowClient", model: str, version: int, experiments: list[str]) -> tuple[Downstream, ...]:
    """The newest ten runs that read predictions of a version, newest first; they cost one request.

    Args:
        client: The MLflow client.
        model: The model.
        version: The version.
        experiments: The ids of the experiments to search.
    """
    wanted = f"tags.`{tags.PREDICTIONS_PREFIX}{model}` LIKE '%\"version\": {version},%'"  # as `upstream_tags` writes it
    runs = client.search_runs(experiments, wanted, order_by=["attributes.start_time DESC"], max_results=_NEWEST)
    return tuple(_read(run.data.tags, run.info.run_id) for run in runs)


def _read(values: Mapping[str, str], run_id: str) -> Downstream:
    is_batch = tags.BATCH_MODEL in values
    version = values.get(tags.BATCH_VERSION if is_batch else tags.VERSION)
    return Downstream(
        pipeline=values.get(tags.BATCH_MODEL if is_batch else tags.PIPELINE, ""),
        version=int(version) if version is not None else None,
        is_batch=is_batch,
        mlflow_run=run_id,
    )
