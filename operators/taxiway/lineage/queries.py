"""Lineage queries, answered by MLflow alone: how a model was made, and which runs read some data."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from taxiway.errors import CorruptArtifactError, TerminalError, allowed_values
from taxiway.ledger.entry import State
from taxiway.ledger.promotions import entries
from taxiway.lineage.batches import BatchRun, batches_of
from taxiway.lineage.run_records import RunRecords, run_records
from taxiway.lineage.upstream import Downstream, Upstream, downstream_of, upstream_of
from taxiway.records import Promotion, Record
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.tracking import tags
from taxiway.tracking.paging import all_pages
from taxiway.tracking.run import refs_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

R = TypeVar("R", bound=Record)
_NAME = re.compile(r"(?P<model>[^@/]+)(?:@(?P<alias>[^@/]+)|/(?P<version>[1-9]\d{0,8}))?")


@dataclass(frozen=True)
class ModelLineage:
    """How a model version was made.

    Attributes:
        model: The registered model.
        version: Its version.
        mlflow_run: The id of the MLflow run that trained it.
        airflow_url: The DAG run's page; empty for a local run.
        environment: The versions of Python and the libraries; empty if not recorded.
        code: The git commit of the team's folder; empty if not recorded.
        records: The records of the run.
        promotions: The promotions from this version and to it, oldest first.
        batches: The newest batches of predictions of this version, newest first.
        upstream: The models whose predictions it was trained on or evaluated on.
        downstream: The newest runs that read predictions of this version, newest first.
    """

    model: str
    version: int
    mlflow_run: str
    airflow_url: str
    environment: str
    code: str
    records: RunRecords
    promotions: tuple[Promotion, ...] = ()
    batches: tuple[BatchRun, ...] = ()
    upstream: tuple[Upstream, ...] = ()
    downstream: tuple[Downstream, ...] = ()


@dataclass(frozen=True)
class RunArtifacts:
    """The records that an MLflow run has as artifacts."""

    client: "MlflowClient"
    run: "Run"

    def get(self, kind: type[R], digest: str) -> R:
        """Read the record of this kind.

        Raises:
            CorruptArtifactError: The artifact has another digest.
        """
        from mlflow.artifacts import download_artifacts

        # By the URI of the run's artifacts: by its id, MLflow would look up the run three times for each file.
        uri = f"{self.run.info.artifact_uri}/records/{kind.__name__}.json"
        record = kind.from_json(Path(download_artifacts(artifact_uri=uri, tracking_uri=self.client.tracking_uri)).read_text())
        if record.digest != digest:
            raise CorruptArtifactError(
                f"records/{kind.__name__}.json of the MLflow run {self.run.info.run_id} has the digest {record.digest}, but the run's tag "
                f"has {digest}"
            )
        return record


@dataclass(frozen=True)
class DataUse:
    """A run that read a span or a joined table, or a batch that scored it.

    Attributes:
        pipeline: The pipeline; for a batch, the model.
        mlflow_run: The id of the MLflow run.
        airflow_url: The DAG run's page; empty for a local run.
        span: The name of the span, or of the join.
        content: The digest of the rows.
        context: What they were read for: `training`, `evaluation`, `joined` or `scoring`.
        outcome: The run's outcome; the status of a batch.
        version: The model version that the run trained, None if it trained none; or that scored the batch.
        promotions: The promotions from that version and to it, oldest first; none for a batch.
        folder: The folder of the predictions; empty for a run of a pipeline.
    """

    pipeline: str
    mlflow_run: str
    airflow_url: str
    span: str
    content: str
    context: str
    outcome: str
    version: int | None
    promotions: tuple[Promotion, ...]
    folder: str = ""


def resolve(client: "MlflowClient", name: str) -> tuple[str, int]:
    """The model and the version that a name refers to; see `registered_version`."""
    found = registered_version(client, name)
    return found.name, int(found.version)


def registered_version(client: "MlflowClient", name: str) -> "ModelVersion":
    """Find the model version that `MODEL`, `MODEL@alias` or `MODEL/version` refers to; `MODEL` is its champion.

    Raises:
        TerminalError: There is no such version.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise TerminalError(
            f"{name!r} is not the name of a model; allowed: MODEL, MODEL@alias or MODEL/version, such as flights.late_arrivals@champion"
        )
    model, alias = match["model"], match["alias"] or CHAMPION
    version = int(match["version"]) if match["version"] else version_at(client, model, alias)
    found = _registered(client, model, version) if version is not None else None
    if found is None:
        pages = all_pages(lambda token: client.search_model_versions(f"name = '{_quoted(model)}'", page_token=token))
        known = sorted(int(each.version) for each in pages)
        has = f"it has the versions {', '.join(map(str, known))}" if known else "MLflow has no version of this model"
        wanted = f"version {version}" if match["version"] else f'alias "{alias}"'
        raise TerminalError(f"{model} has no {wanted}; {has}")
    return found


def require_model(client: "MlflowClient", model: str) -> None:
    """Check that MLflow knows a model.

    Raises:
        TerminalError: It does not.
    """
    if not client.search_registered_models(f"name = '{_quoted(model)}'", max_results=1):
        known = [found.name for found in client.search_registered_models(max_results=100)]
        raise TerminalError(f"MLflow has no model {model}; {allowed_values(model, known) if known else 'it has none'}")


def model_lineage(client: "MlflowClient", model: str, version: int) -> ModelLineage:
    """How a model version was made, and its promotions.

    Raises:
        TerminalError: The version was not made by a run of Taxiway.
    """
    found, run = _made_by(client, model, version)
    batches = batches_of(client, model, version)
    return ModelLineage(
        model=model,
        version=version,
        mlflow_run=run.info.run_id,
        airflow_url=run.data.tags.get(tags.AIRFLOW_URL, ""),
        environment=found.tags.get(tags.ENVIRONMENT, ""),
        code=found.tags.get(tags.CODE, ""),
        records=run_records(RunArtifacts(client, run), refs_of(run.data.tags)),
        promotions=_of_version(_all_promotions(client, model), version),
        batches=batches,
        upstream=upstream_of(run.data.tags),
        downstream=downstream_of(client, model, version, _experiments(client)) if batches else (),
    )


def version_records(
    client: "MlflowClient", model: str, version: int, kinds: Collection[type[Record]], training_run: str | None = None
) -> RunRecords:
    """Those records of the run that made a version that are of these kinds. It takes two requests, and one for each record.

    Args:
        client: The MLflow client.
        model: The registered model.
        version: Its version.
        kinds: The kinds.
        training_run: The id of the run that made the version, if it is known: then it takes one request less.

    Raises:
        TerminalError: The version was not made by a run of Taxiway.
    """
    run = client.get_run(training_run) if training_run is not None else _made_by(client, model, version)[1]
    names = {kind.__name__ for kind in kinds}
    return run_records(RunArtifacts(client, run), (ref for ref in refs_of(run.data.tags) if ref.record in names))


def _made_by(client: "MlflowClient", model: str, version: int) -> "tuple[ModelVersion, Run]":
    """A version, and the run that made it."""
    found = client.get_model_version(model, str(version))
    if not found.run_id:
        raise TerminalError(f"{model} version {version} has no lineage: it was not made by a run of Taxiway")
    return found, client.get_run(found.run_id)


def data_uses(client: "MlflowClient", data: str) -> tuple[DataUse, ...]:
    """The runs that read some data, newest first.

    Args:
        client: The MLflow client.
        data: A content digest, or the name of a span such as 2013-04.
    """
    key = "digest" if re.fullmatch(r"[0-9a-f]{32}", data) else "name"
    experiments = _experiments(client)
    wanted, newest = f"dataset.{key} = '{_quoted(data)}'", ["attributes.start_time DESC"]
    runs = all_pages(lambda token: client.search_runs(experiments, wanted, order_by=newest, page_token=token))
    own = [run for run in runs if tags.TRIAL not in run.data.tags]  # the trials of a sweep read the rows of their run
    promotions = cache(lambda model: _all_promotions(client, model))  # one search for each pipeline, not for each run
    return tuple(use for run in own for use in _uses(run, key, data, promotions))


def _experiments(client: "MlflowClient") -> list[str]:
    return [e.experiment_id for e in all_pages(lambda token: client.search_experiments(page_token=token))]


def _uses(run: "Run", key: str, data: str, promotions: Callable[[str], tuple[Promotion, ...]]) -> list[DataUse]:
    values = run.data.tags
    folder = values.get(tags.BATCH_FOLDER, "")
    pipeline = values.get(tags.BATCH_MODEL if folder else tags.PIPELINE, "")
    found = values.get(tags.BATCH_VERSION if folder else tags.VERSION)
    version = None if found is None else int(found)
    return [
        DataUse(
            pipeline=pipeline,
            mlflow_run=run.info.run_id,
            airflow_url=values.get(tags.AIRFLOW_URL, ""),
            span=read.dataset.name,
            content=read.dataset.digest,
            context=next((tag.value for tag in read.tags if tag.key == tags.DATA_CONTEXT), ""),
            outcome=run.info.status.lower() if folder else values.get(tags.OUTCOME, "no decision yet"),
            version=version,
            promotions=_of_version(promotions(pipeline), version) if version is not None and not folder else (),
            folder=folder,
        )
        for read in (run.inputs.dataset_inputs if run.inputs else ())
        if getattr(read.dataset, key) == data
    ]


def _registered(client: "MlflowClient", model: str, version: int) -> "ModelVersion | None":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(model, str(version))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _all_promotions(client: "MlflowClient", model: str) -> tuple[Promotion, ...]:
    """The promotions of a model, oldest first."""
    return tuple(entry.promotion for entry in reversed(entries(client, model, state=State.DONE)))


def _of_version(promotions: Iterable[Promotion], version: int) -> tuple[Promotion, ...]:
    """Those from a version, or to it."""
    return tuple(p for p in promotions if version in (p.from_version, p.to_version))


def _quoted(text: str) -> str:
    if "'" in text or "\\" in text:
        raise TerminalError(f"{text!r} is not a valid name; allowed: letters, digits, dots, underscores and dashes")
    return text
