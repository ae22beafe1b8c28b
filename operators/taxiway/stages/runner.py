"""The runner: a whole pipeline in this process, stage after stage, without Airflow."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from taxiway.data.sources.find import located, needs_data
from taxiway.errors import ConfigError, TransientError, allowed_values
from taxiway.lineage.run_records import RunRecords
from taxiway.records import Record, RunSummary, ShadowReport, Trials
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext
from taxiway.stages.ingest import IngestPlan, ingest, plan_ingest
from taxiway.stages.installation import DEFAULT_DATA, DEFAULT_HOME, Installation, Sharing, open_installation
from taxiway.tracking import tags

R = TypeVar("R", bound=Record)
STAGES = ("ingest", "validate_data", "transform", "tune", "train", "validate_model", "shadow", "push")
_NO_REQUESTS = "a run outside of Airflow has no live requests: nothing was compared"


class Watcher:
    """Is told how a run goes on; this one ignores it."""

    def started(self, url: str) -> None:
        """The run began; MLflow shows it at `url`."""

    def began(self, stage: str) -> None:
        """A stage began."""

    def ended(self, stage: str, seconds: float, failure: str | None) -> None:
        """A stage is done; `failure` is why the pipeline stops with it."""

    def stopped(self, reason: str) -> None:
        """The run stops without an outcome."""


@dataclass
class _Made:
    """What the stages of one run have made so far."""

    planned: IngestPlan
    records: RunRecords = field(default_factory=RunRecords)
    trials: tuple[Trials, ...] = ()
    failure: str | None = None


def run(
    pipeline: Pipeline | Path | str,
    *,
    span: str | None = None,
    until: str | None = None,
    data: str = DEFAULT_DATA,
    tracking_uri: str | None = None,
    store: str | None = None,
    home: Path = DEFAULT_HOME,
    watcher: Watcher | None = None,
) -> RunRecords:
    """Run a pipeline in this process: the next span that is due, from ingest to push.

    Args:
        pipeline: The pipeline, or the path of its file.
        span: The name of the span to decide, instead of the oldest one that is not processed.
        until: The last stage to run. After one before `push` the span stays due.
        data: The folder or URL that `{data}` stands for in the pipeline's source.
        tracking_uri: The MLflow server; without one, runs and models are kept below `home`.
        store: The URL of the store that belongs to that server; without one nothing is pushed, because the records are below `home`.
        home: The folder for what is kept nowhere else.
        watcher: Is told how the run goes on.

    Returns:
        The records of the run. There is no snapshot if there was nothing to do, and no summary if nothing was decided.

    Raises:
        ConfigError: The pipeline file, or an argument, cannot be used.
        TransientError: The source, or the MLflow server, cannot be reached.
        TaxiwayError: A stage failed for another reason than its decision.
    """
    if not isinstance(pipeline, Pipeline):
        from taxiway.spec.pipeline_file import read_pipeline

        pipeline = read_pipeline(Path(pipeline))
    _stages_until(pipeline, until)  # what is wrong is told before anything is opened
    if needs_data(pipeline.source):
        _check_data(data)
    with open_installation(data, tracking_uri, store, home) as installation:
        return run_in(installation, pipeline, span=span, until=until, watcher=watcher)


def run_in(
    installation: Installation,
    pipeline: Pipeline,
    *,
    span: str | None = None,
    until: str | None = None,
    watcher: Watcher | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> RunRecords:
    """As `run`, in an installation that is there."""
    names, watcher = _stages_until(pipeline, until), watcher or Watcher()
    store, services = installation.store, installation.services
    source = located(pipeline.source, services.data)
    try:
        planned = plan_ingest(source, pipeline.name, store, services.connect, now=clock(), requested=span)
    except OSError as error:
        raise TransientError(f"the source {source.text} cannot be read: {error}") from error
    if not planned.plan.spans:
        watcher.stopped(f"nothing to do at {source.text}: {planned.plan.reason}")
        return RunRecords()
    context = _context(pipeline, installation, clock)
    watcher.started(context.recorder.url)
    made = _Made(planned)
    try:
        for name in names:
            reason = _stop_before(name, made, context, installation.sharing)
            if reason is not None:
                watcher.stopped(reason)
                break
            _run_stage(name, context, made, watcher)
            if made.failure is not None:
                break
    except BaseException as error:
        try:
            context.recorder.end("FAILED")
        except Exception as second:
            error.add_note(f"its MLflow run could not be ended: {second}")
        raise
    return replace(made.records, summary=_close(context, made, decides=names[-1] == STAGES[-1]))


def _check_data(data: str) -> None:
    """Raise ConfigError if `data` is a local path that is not a folder, or a URL of an unknown protocol."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(data)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"data is {data}: {error}", key="data", got=data) from error
    if "file" in files.protocol and not files.isdir(path):
        raise ConfigError(
            f"data is {data}, which is not a folder; give the folder or URL of the data (`taxiway example-data` writes an example)",
            key="data",
            got=data,
        )


def _stages_until(pipeline: Pipeline, until: str | None) -> tuple[str, ...]:
    """The stages of this pipeline, up to `until`."""
    names = tuple(name for name in STAGES if name != "tune" or pipeline.sweep is not None)
    if until is None:
        return names
    if until not in names:
        hint = "; the pipeline has no sweep, so it is not tuned" if until == "tune" else ""
        raise ConfigError(f'until is "{until}"; {allowed_values(until, names)}{hint}', key="until", got=until, allowed=names)
    return names[: names.index(until) + 1]


def _run_stage(name: str, context: StageContext, made: _Made, watcher: Watcher) -> None:
    watcher.began(name)
    began = time.monotonic()
    _STEPS[name](context, made)
    watcher.ended(name, time.monotonic() - began, made.failure)


def _stop_before(name: str, made: _Made, context: StageContext, sharing: Sharing) -> str | None:
    """Why the run cannot go on to this stage although nothing failed."""
    if name != "shadow":
        return None
    verdict = made.records.verdict
    if verdict is None:
        from taxiway.stages.validate_model import already_champion

        return already_champion(_needed(made.records.candidate))
    passed = f"version {verdict.version} passed the model gate and is not pushed"
    if sharing is Sharing.MLFLOW:
        return f"{passed}: its records are on this machine alone. Give the installation's store too: --store URL"
    if sharing is Sharing.ALL and context.pipeline.shadow is not None and verdict.champion is not None:
        return (
            f"{passed}: shadow needs live requests, which a run outside of Airflow does not have. The span stays due; run the "
            "pipeline in Airflow"
        )
    return None


def _ingest(context: StageContext, made: _Made) -> None:
    _keep(context, made, snapshot=ingest(context, made.planned))


def _validate_data(context: StageContext, made: _Made) -> None:
    from taxiway.stages.validate_data import failure_reason, validate_data

    report = validate_data(context, _needed(made.records.snapshot))
    _keep(context, made, report=report)
    made.failure = failure_reason(report, context.pipeline)


def _transform(context: StageContext, made: _Made) -> None:
    from taxiway.stages.transform import transform

    _keep(context, made, features=transform(context, _needed(made.records.snapshot)))


def _tune(context: StageContext, made: _Made) -> None:
    from taxiway.stages.tune import plan_sweep, run_trials

    plan = plan_sweep(context, _needed(made.records.snapshot), {})
    made.trials = (run_trials(context, plan, 0, len(plan.trials)),)


def _train(context: StageContext, made: _Made) -> None:
    from taxiway.stages.train import train

    found = made.records
    snapshot, report, features = _needed(found.snapshot), _needed(found.report), _needed(found.features)
    _keep(context, made, candidate=train(context, snapshot, report, features, trials=made.trials))


def _validate_model(context: StageContext, made: _Made) -> None:
    from taxiway.stages.validate_model import failure_reason, validate_model

    found = made.records
    verdict = validate_model(context, _needed(found.candidate), _needed(found.snapshot), _needed(found.report))
    if verdict is not None:
        _keep(context, made, verdict=verdict)
        made.failure = failure_reason(verdict)


def _shadow(context: StageContext, made: _Made) -> None:
    from taxiway.gates.shadow_gate import not_applicable
    from taxiway.stages.shadow import begin_shadow, failure_reason, record_shadow

    verdict = _needed(made.records.verdict)
    if context.pipeline.shadow is not None and verdict.champion is not None:
        report = record_shadow(context, not_applicable(verdict.model, verdict.version, _NO_REQUESTS))
    else:
        begun = begin_shadow(context, verdict)
        assert isinstance(begun, ShadowReport)  # without a champion, or a shadow, there is nothing to wait for
        report = begun
    _keep(context, made, shadow=report)
    made.failure = failure_reason(report)


def _push(context: StageContext, made: _Made) -> None:
    from taxiway.stages.push import push

    _keep(context, made, promotion=push(context, _needed(made.records.verdict), _needed(made.records.shadow)))


_STEPS: dict[str, Callable[[StageContext, _Made], None]] = {
    "ingest": _ingest,
    "validate_data": _validate_data,
    "transform": _transform,
    "tune": _tune,
    "train": _train,
    "validate_model": _validate_model,
    "shadow": _shadow,
    "push": _push,
}


def _close(context: StageContext, made: _Made, *, decides: bool) -> RunSummary | None:
    """End the run; its outcome, if one was reached and every stage was asked for."""
    if not decides:
        context.recorder.end("FAILED" if made.failure is not None else "FINISHED")
        return None
    from taxiway.stages.close import close

    summary = close(context, failed=made.failure is not None)
    if summary is not None:
        context.store.put(summary)
    return summary


def _keep(context: StageContext, made: _Made, **records: Record) -> None:
    """Store the record of a stage, and hand it to the next ones."""
    for record in records.values():
        context.store.put(record)
    made.records = replace(made.records, **records)  # type: ignore[arg-type]


def _needed(record: R | None) -> R:
    assert record is not None  # the stages before this one have made it
    return record


def _context(pipeline: Pipeline, installation: Installation, clock: Callable[[], datetime]) -> StageContext:
    from taxiway.tracking.run import MlflowRun, end_abandoned

    if installation.sharing is Sharing.NOBODY:
        end_abandoned(installation.client, pipeline.experiment)
    run = f"{pipeline.name}/local__{clock().isoformat(timespec='microseconds')}"
    recorder = MlflowRun.find_or_make(installation.client, pipeline.experiment, run, {tags.PIPELINE: pipeline.name})
    return StageContext(
        pipeline=pipeline,
        store=installation.store,
        recorder=recorder,
        registry=installation.client,
        run=run,
        services=installation.services,
        clock=clock,
    )
