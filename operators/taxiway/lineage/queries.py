"""Questions that people ask of the memory: what made this model, and what did these rows touch. Answered from MLflow alone."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from taxiway.errors import CorruptArtifactError, TerminalError
from taxiway.lineage.run_records import RunRecords, run_records
from taxiway.records import Promotion, Record
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.registry.ledger import State, entries
from taxiway.tracking import tags
from taxiway.tracking.paging import all_pages
from taxiway.tracking.run import refs_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

R = TypeVar("R", bound=Record)
_NAME = re.compile(r"(?P<model>[^@/]+)(?:@(?P<alias>[^@/]+)|/(?P<version>[1-9]\d*))?")


@dataclass(frozen=True)
class ModelLineage:
    """What made one model version, with the records of its run, and the promotions from it and to it, oldest first."""

    model: str
    version: int
    mlflow_run: str
    airflow_url: str
    environment: str
    code: str
    records: RunRecords
    promotions: tuple[Promotion, ...] = ()


@dataclass(frozen=True)
class RunArtifacts:
    """The records that an MLflow run keeps as artifacts, as far as it keeps them."""

    client: "MlflowClient"
    run_id: str

    def get(self, kind: type[R], digest: str) -> R:
        """The record of this kind. Raises CorruptArtifactError if the artifact has another digest."""
        record = kind.from_json(Path(self.client.download_artifacts(self.run_id, f"records/{kind.__name__}.json")).read_text())
        if record.digest != digest:
            raise CorruptArtifactError(
                f"records/{kind.__name__}.json of the MLflow run {self.run_id} is not the record that the run names, {digest}"
            )
        return record


@dataclass(frozen=True)
class DataUse:
    """One run that read a span: for what, what it came to, and the promotions of the version that it made."""

    pipeline: str
    mlflow_run: str
    airflow_url: str
    span: str
    content: str
    context: str
    outcome: str
    version: int | None
    promotions: tuple[Promotion, ...]


def resolve(client: "MlflowClient", name: str) -> tuple[str, int]:
    """Model and version that `MODEL`, `MODEL@alias` or `MODEL/version` mean; the champion where nothing else is said.

    Raises TerminalError where there is no such version.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise TerminalError(
            f"{name!r} names no model; allowed: MODEL, MODEL@alias, MODEL/version, as in flights.late_arrivals@champion"
        )
    model, alias = match["model"], match["alias"] or CHAMPION
    version = int(match["version"]) if match["version"] else version_at(client, model, alias)
    if version is None or not _is_there(client, model, version):
        pages = all_pages(lambda token: client.search_model_versions(f"name = '{_quoted(model)}'", page_token=token))
        known = sorted(int(found.version) for found in pages)
        has = f"it has the versions {', '.join(map(str, known))}" if known else "the registry has no versions of it"
        wanted = f"version {version}" if match["version"] else f'alias "{alias}"'
        raise TerminalError(f"{model} has no {wanted}; {has}")
    return model, version


def model_lineage(client: "MlflowClient", model: str, version: int) -> ModelLineage:
    """What made `version` of `model`, and what became of it."""
    found = client.get_model_version(model, str(version))
    if not found.run_id:
        raise TerminalError(f"{model} version {version} was not made by a run of Taxiway: nothing is known of it")
    run = client.get_run(found.run_id)
    return ModelLineage(
        model=model,
        version=version,
        mlflow_run=found.run_id,
        airflow_url=run.data.tags.get(tags.AIRFLOW_URL, ""),
        environment=found.tags.get(tags.ENVIRONMENT, ""),
        code=found.tags.get(tags.CODE, ""),
        records=run_records(RunArtifacts(client, found.run_id), refs_of(run.data.tags)),
        promotions=_of_version(_all_promotions(client, model), version),
    )


def data_uses(client: "MlflowClient", data: str) -> tuple[DataUse, ...]:
    """Every run that read the rows that `data` names: a content digest, or a span's name such as 2013-04; newest run first."""
    key = "digest" if re.fullmatch(r"[0-9a-f]{32}", data) else "name"
    experiments = [e.experiment_id for e in all_pages(lambda token: client.search_experiments(page_token=token))]
    wanted, newest = f"dataset.{key} = '{_quoted(data)}'", ["attributes.start_time DESC"]
    runs = all_pages(lambda token: client.search_runs(experiments, wanted, order_by=newest, page_token=token))
    own = [run for run in runs if tags.TRIAL not in run.data.tags]  # the trials of a sweep read what their run read
    promotions = cache(lambda model: _all_promotions(client, model))  # one search for each pipeline, not for each run
    return tuple(use for run in own for use in _uses(run, key, data, promotions))


def _uses(run: "Run", key: str, data: str, promotions: Callable[[str], tuple[Promotion, ...]]) -> list[DataUse]:
    said = run.data.tags
    pipeline, version = said.get(tags.PIPELINE, ""), int(said[tags.VERSION]) if tags.VERSION in said else None
    return [
        DataUse(
            pipeline=pipeline,
            mlflow_run=run.info.run_id,
            airflow_url=said.get(tags.AIRFLOW_URL, ""),
            span=read.dataset.name,
            content=read.dataset.digest,
            context=next((tag.value for tag in read.tags if tag.key == tags.DATA_CONTEXT), ""),
            outcome=said.get(tags.OUTCOME, "undecided as yet"),
            version=version,
            promotions=_of_version(promotions(pipeline), version) if version is not None else (),
        )
        for read in (run.inputs.dataset_inputs if run.inputs else ())
        if getattr(read.dataset, key) == data
    ]


def _is_there(client: "MlflowClient", model: str, version: int) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        client.get_model_version(model, str(version))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _all_promotions(client: "MlflowClient", model: str) -> tuple[Promotion, ...]:
    """The promotions of a model, oldest first."""
    return tuple(entry.promotion for entry in reversed(entries(client, model, state=State.DONE)))


def _of_version(promotions: Iterable[Promotion], version: int) -> tuple[Promotion, ...]:
    """Those from a version, or to it."""
    return tuple(p for p in promotions if version in (p.from_version, p.to_version))


def _quoted(text: str) -> str:
    if "'" in text or "\\" in text:
        raise TerminalError(f"{text!r} names nothing here; allowed: letters, digits, dots, underscores, dashes")
    return text
