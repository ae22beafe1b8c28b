"""Questions that people ask of the memory: what made this model, and what did these rows touch. Answered from MLflow alone."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from taxiway.errors import TerminalError
from taxiway.lineage.run import TRIAL_TAG
from taxiway.records import (
    Candidate,
    DataReport,
    Evaluation,
    FeatureSet,
    Promotion,
    Record,
    RunSummary,
    ShadowReport,
    Snapshot,
    SweepReport,
    Verdict,
)
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.registry.ledger import State, entries

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

R = TypeVar("R", bound=Record)
_NAME = re.compile(r"(?P<model>[^@/]+)(?:@(?P<alias>[^@/]+)|/(?P<version>[1-9]\d*))?")


@dataclass(frozen=True)
class ModelLineage:
    """All that made one model version. A record is None where the run broke before it was made."""

    model: str
    version: int
    mlflow_run: str
    airflow_url: str
    environment: str
    code: str
    snapshot: Snapshot | None
    report: DataReport | None
    features: FeatureSet | None
    candidate: Candidate | None
    sweep: SweepReport | None
    evaluation: Evaluation | None
    verdict: Verdict | None
    shadow: ShadowReport | None
    summary: RunSummary | None
    promotions: tuple[Promotion, ...] = field(default=())


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
    version: int
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
    known = sorted(int(v.version) for v in client.search_model_versions(f"name = '{_quoted(model)}'"))
    if version not in known:
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
        airflow_url=run.data.tags.get("airflow.url", ""),
        environment=found.tags.get("taxiway.environment", ""),
        code=found.tags.get("taxiway.code", ""),
        snapshot=_recorded(client, run, Snapshot),
        report=_recorded(client, run, DataReport),
        features=_recorded(client, run, FeatureSet),
        candidate=_recorded(client, run, Candidate),
        sweep=_recorded(client, run, SweepReport),
        evaluation=_recorded(client, run, Evaluation),
        verdict=_recorded(client, run, Verdict),
        shadow=_recorded(client, run, ShadowReport),
        summary=_recorded(client, run, RunSummary),
        promotions=_promotions(client, model, version),
    )


def data_uses(client: "MlflowClient", data: str) -> tuple[DataUse, ...]:
    """Every run that read the rows that `data` names: a content digest, or a span's name such as 2013-04; newest run first."""
    key = "digest" if re.fullmatch(r"[0-9a-f]{32}", data) else "name"
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments, f"dataset.{key} = '{_quoted(data)}'", order_by=["attributes.start_time DESC"])
    own = [run for run in runs if TRIAL_TAG not in run.data.tags]  # the trials of a sweep read what their run read
    return tuple(use for run in own for use in _uses(client, run, key, data))


def _uses(client: "MlflowClient", run: "Run", key: str, data: str) -> list[DataUse]:
    tags = run.data.tags
    pipeline, version = tags.get("taxiway.pipeline", ""), int(tags.get("taxiway.version", "0"))
    return [
        DataUse(
            pipeline=pipeline,
            mlflow_run=run.info.run_id,
            airflow_url=tags.get("airflow.url", ""),
            span=read.dataset.name,
            content=read.dataset.digest,
            context=next((tag.value for tag in read.tags if tag.key == "mlflow.data.context"), ""),
            outcome=tags.get("taxiway.outcome", "undecided as yet"),
            version=version,
            promotions=_promotions(client, pipeline, version) if version else (),
        )
        for read in (run.inputs.dataset_inputs if run.inputs else ())
        if getattr(read.dataset, key) == data
    ]


def _recorded(client: "MlflowClient", run: "Run", kind: type[R]) -> R | None:
    if f"taxiway.record.{kind.__name__}" not in run.data.tags:
        return None
    return kind.from_json(Path(client.download_artifacts(run.info.run_id, f"records/{kind.__name__}.json")).read_text())


def _promotions(client: "MlflowClient", model: str, version: int) -> tuple[Promotion, ...]:
    done = [entry.promotion for entry in entries(client, model) if entry.state is State.DONE]
    return tuple(p for p in reversed(done) if version in (p.from_version, p.to_version))


def _quoted(text: str) -> str:
    if "'" in text or "\\" in text:
        raise TerminalError(f"{text!r} names nothing here; allowed: letters, digits, dots, underscores, dashes")
    return text
