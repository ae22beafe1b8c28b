"""The local runner: runs a whole pipeline in this process, stage by stage, without Airflow."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from taxiway.data.engine.storage_errors import file_system, storage_errors
from taxiway.data.sources.find import located, needs_data
from taxiway.errors import ConfigError, allowed_values
from taxiway.ledger.decisions import local_person
from taxiway.lineage.again import record_again
from taxiway.lineage.outcomes import newest_decided
from taxiway.lineage.run_records import RunRecords
from taxiway.messages import kept_text_problem
from taxiway.monitoring.retraining import RetrainingDecision
from taxiway.records import RunSummary
from taxiway.spec.base import RETRAIN
from taxiway.spec.monitor.action import Action
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.python_refs import never_exiting
from taxiway.spec.source import Source
from taxiway.stages.context import StageContext, doing, schema_of
from taxiway.stages.ingest import IngestPlan, plan_ingest
from taxiway.stages.installation import DEFAULT_DATA, DEFAULT_HOME, Installation, Sharing, open_installation
from taxiway.stages.monitor.retraining import training_tags
from taxiway.stages.runner.steps import STEPS, Progress
from taxiway.stages.runner.stops import stop_before
from taxiway.stages.runner.watcher import Watcher
from taxiway.store import Store
from taxiway.tracking import tags
from taxiway.training.estimator import build_estimator
from taxiway.tuning.search_space import parameter_sets

STAGES = ("ingest", "validate_data", "transform", "tune", "train", "validate_model", "shadow", "approval", "push")


@never_exiting()
def run(
    pipeline: Pipeline | Path | str,
    *,
    span: str | None = None,
    until: str | None = None,
    data: str = DEFAULT_DATA,
    tracking_uri: str | None = None,
    store: str | None = None,
    home: Path = DEFAULT_HOME,
    again: str | None = None,
    watcher: Watcher | None = None,
) -> RunRecords:
    """Run a pipeline in this process, from ingest to push, on the next span that is due.

    Args:
        pipeline: The pipeline, or the path of its file.
        span: The name of the span to decide, instead of the oldest one without a decision.
        until: The last stage to run. If it is before `push`, the span stays due.
        data: The folder or URL that `{data}` stands for in the pipeline's source.
        tracking_uri: The MLflow server. Without one, runs and models are kept in `home`.
        store: The URL of the store that belongs to that server. Without one, records are kept in `home` and nothing is pushed.
        home: The local folder for models and records.
        again: Why a span is decided again: `span`, or without it the newest one that has a decision.
        watcher: Receives the progress of the run.

    Returns:
        The records of the run. Without anything to do there is no snapshot; without a decision there is no summary.

    Raises:
        ConfigError: The pipeline file or an argument cannot be used.
        TransientError: The source or the MLflow server cannot be reached.
        TaxiwayError: A stage failed for another reason than its decision.
    """
    if not isinstance(pipeline, Pipeline):
        from taxiway.spec.files.pipeline_file import read_pipeline

        pipeline = read_pipeline(Path(pipeline))
    _check_again(again)
    _stages_until(pipeline, until)  # reports a wrong stage or estimator before anything is opened
    build_estimator(pipeline.model, parameter_sets(pipeline.sweep)[0] if pipeline.sweep else {}, pipeline.gate.problem)
    if needs_data(pipeline.source):
        _check_data(data)
    with open_installation(data, tracking_uri, store, home) as installation:
        return run_in(installation, pipeline, span=span, until=until, again=again, watcher=watcher)


@never_exiting()
def run_in(
    installation: Installation,
    pipeline: Pipeline,
    *,
    span: str | None = None,
    until: str | None = None,
    again: str | None = None,
    watcher: Watcher | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    retraining: RetrainingDecision | None = None,
) -> RunRecords:
    """Run a pipeline in an open installation; see `run`.

    Args:
        installation: The store and MLflow.
        pipeline: The pipeline.
        span: The name of the span to decide.
        until: The last stage to run.
        again: Why a span is decided again; see `run`.
        watcher: Receives the progress of the run.
        clock: Returns the current time in UTC.
        retraining: The decision of monitoring that has started the run; None if it was started for another reason.
    """
    names, watcher = _stages_until(pipeline, until), watcher or Watcher()
    action = retraining.action if retraining is not None else None
    store, services = installation.store, installation.services
    source = located(pipeline.source, services.data)
    with storage_errors(f"the source {source.text}"):
        plan = plan_ingest(
            source,
            pipeline.name,
            store,
            services.connect,
            now=clock(),
            requested=span or (_newest_decided(store, pipeline) if again else None),
            newest=RETRAIN in pipeline.schedule,
            types=lambda: schema_of(pipeline).types,
            action=action,
        )
        if span is None and not again:
            _notice_waiting(pipeline, source, plan, installation, watcher, clock())
    if not plan.window.spans:
        watcher.stopped(plan.nothing_to_do("--span NAME"))
        return RunRecords()
    context, progress = _context(pipeline, installation, clock, again, action), Progress(plan)
    context.recorder.tags({tags.STARTED_BY: f"{local_person()} on the command line" if retraining is None else "monitoring"})
    if retraining is not None:
        context.recorder.tags(training_tags(retraining.described()))
    watcher.started(context.recorder.url)
    with _failing(context):
        _record_again(context, plan)
        _run_stages(names, context, progress, installation.sharing, watcher)
    return replace(progress.records, summary=_close(context, progress, decides=names[-1] == STAGES[-1]))


@contextmanager
def _failing(context: StageContext) -> Iterator[None]:
    """End the MLflow run as failed if an error ends this block."""
    try:
        yield
    except BaseException as error:
        try:
            context.recorder.end("FAILED")
        except Exception as second:
            error.add_note(f"its MLflow run could not be ended: {second}")
        raise


def _record_again(context: StageContext, plan: IngestPlan) -> None:
    """Record in the ledger who has the span decided again, if somebody has said why."""
    if context.again is None or plan.window.target is None:
        return
    by, via = local_person(), "command line"
    record_again(
        context.ledger,
        context.store,
        context.pipeline.name,
        plan.window.target.name,
        by=by,
        via=via,
        reason=context.again,
        at=context.clock(),
    )


def _newest_decided(store: Store, pipeline: Pipeline) -> str:
    newest = newest_decided(store, pipeline.name)
    if newest is None:
        raise ConfigError(f"no span of {pipeline.name} has a decision yet, so none can be decided again", key="again")
    return newest


def _check_again(again: str | None) -> None:
    """Raise ConfigError if the reason for deciding a span again cannot be kept."""
    problem = kept_text_problem(again, "say why the span is decided again") if again is not None else None
    if problem is not None:
        raise ConfigError(f"the reason of --again {problem}", key="again", got=again)


def _check_data(data: str) -> None:
    """Raise ConfigError if `data` is a local path that is not a folder, or a URL of an unknown protocol."""
    files, path = file_system(data)
    if "file" in files.protocol and not files.isdir(path):
        raise ConfigError(
            f"data is {data}, which is not a folder; give the folder or URL of the data: --data FOLDER (`taxiway example-data` "
            "writes example data)",
            key="data",
            got=data,
        )


def _stages_until(pipeline: Pipeline, until: str | None) -> tuple[str, ...]:
    """The stages of this pipeline, up to `until`."""
    optional = {"tune": pipeline.sweep is not None, "approval": pipeline.may_ask}
    names = tuple(name for name in STAGES if optional.get(name, True))
    if until is None:
        return names
    if until not in names:
        hint = f"; the pipeline file has no {'sweep' if until == 'tune' else until}" if until in optional else ""
        raise ConfigError(f'until is "{until}"; {allowed_values(until, names)}{hint}', key="until", got=until, allowed=names)
    return names[: names.index(until) + 1]


def _run_stages(names: tuple[str, ...], context: StageContext, progress: Progress, sharing: Sharing, watcher: Watcher) -> None:
    """Run the stages in order, up to one that stops the pipeline or that cannot run here."""
    for name in names:
        reason = stop_before(name, progress, context, sharing)
        if reason is not None:
            watcher.stopped(reason)
            break
        _run_stage(name, context, progress, watcher)
        if progress.failure is not None:
            break


def _run_stage(name: str, context: StageContext, progress: Progress, watcher: Watcher) -> None:
    watcher.began(name)
    began = time.monotonic()
    STEPS[name](context, progress)
    watcher.ended(name, time.monotonic() - began, progress.failure)


def _close(context: StageContext, progress: Progress, *, decides: bool) -> RunSummary | None:
    """End the run; returns its outcome if one was reached and all stages were requested."""
    if not decides:
        context.recorder.end("FAILED" if progress.failure is not None else "FINISHED")
        return None
    from taxiway.stages.close import close

    summary = close(context, failed=progress.failure is not None)
    if summary is not None:
        context.store.put(summary)
    return summary


def _notice_waiting(
    pipeline: Pipeline, source: Source, plan: IngestPlan, installation: Installation, watcher: Watcher, now: datetime
) -> None:
    """Validate the other columns of spans that wait for labels, and report on them."""
    from taxiway.stages.waiting import messages_of, validate_waiting

    store, connect = installation.store, installation.services.connect
    with validate_waiting(pipeline, source, plan, store, connect, now=now) as news:
        for waiting in news:
            watcher.noticed("\n".join(messages_of(waiting, store)))


def _context(
    pipeline: Pipeline, installation: Installation, clock: Callable[[], datetime], again: str | None, action: Action | None
) -> StageContext:
    from taxiway.tracking.run import MlflowRun, end_abandoned

    if installation.sharing is Sharing.NOBODY:
        end_abandoned(installation.client, pipeline.experiment)
    made_tags = {tags.PIPELINE: pipeline.name, tags.SETTINGS: pipeline.digest, **({tags.AGAIN: again} if again else {})}
    run = f"{pipeline.name}/local__{clock().isoformat(timespec='microseconds')}"
    recorder = MlflowRun.find_or_make(installation.client, pipeline.experiment, run, made_tags, clock)
    return StageContext(
        pipeline=doing(pipeline, action),
        store=installation.store,
        recorder=recorder,
        registry=installation.client,
        run=run,
        services=installation.services,
        clock=clock,
        again=again,
        action=action,
    )
