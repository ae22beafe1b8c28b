"""The stages as steps of one run in this process: each takes what the stages before it made, and adds its own record."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from taxiway.lineage.run_records import RunRecords
from taxiway.records import Evaluation, Record, ShadowReport, Trials
from taxiway.stages.context import StageContext
from taxiway.stages.ingest import IngestPlan, ingest

R = TypeVar("R", bound=Record)
_NO_REQUESTS = "a local run has no live requests: nothing to compare"


@dataclass
class Progress:
    """What the stages of one run have made so far.

    Attributes:
        plan: What the run reads.
        records: The records of the stages.
        trials: The trials of the sweep.
        failure: Why the last stage stops the pipeline; None if it does not.
    """

    plan: IngestPlan
    records: RunRecords = field(default_factory=RunRecords)
    trials: tuple[Trials, ...] = ()
    failure: str | None = None


def _ingest(context: StageContext, progress: Progress) -> None:
    _keep(context, progress, snapshot=ingest(context, progress.plan))


def _validate_data(context: StageContext, progress: Progress) -> None:
    from taxiway.stages.validate_data import failure_reason, validate_data

    report = validate_data(context, needed(progress.records.snapshot))
    _keep(context, progress, report=report)
    progress.failure = failure_reason(context, report)


def _transform(context: StageContext, progress: Progress) -> None:
    from taxiway.stages.transform import transform

    _keep(context, progress, features=transform(context, needed(progress.records.snapshot)))


def _tune(context: StageContext, progress: Progress) -> None:
    from taxiway.stages.tune import plan_sweep, run_trials

    plan = plan_sweep(context, needed(progress.records.snapshot), {})
    progress.trials = (run_trials(context, plan, 0, len(plan.trials)),)


def _train(context: StageContext, progress: Progress) -> None:
    from taxiway.stages.train.train import train

    found = progress.records
    snapshot, report, features = needed(found.snapshot), needed(found.report), needed(found.features)
    _keep(context, progress, candidate=train(context, snapshot, report, features, trials=progress.trials))


def _validate_model(context: StageContext, progress: Progress) -> None:
    from taxiway.stages.validate_model import failure_reason, validate_model

    found = progress.records
    verdict = validate_model(context, needed(found.candidate), needed(found.snapshot), needed(found.report))
    if verdict is not None:
        _keep(context, progress, verdict=verdict, evaluation=context.store.get(Evaluation, verdict.evaluation))
        progress.failure = failure_reason(verdict)


def _shadow(context: StageContext, progress: Progress) -> None:
    from taxiway.gates.shadow.gate import not_applicable
    from taxiway.stages.shadow import begin_shadow, failure_reason, record_shadow

    verdict = needed(progress.records.verdict)
    if context.pipeline.shadow is not None and verdict.champion is not None:
        report = record_shadow(context, not_applicable(verdict.model, verdict.version, verdict.champion, _NO_REQUESTS))
    else:
        begun = begin_shadow(context, verdict)
        assert isinstance(begun, ShadowReport)  # without a champion or a shadow section there is nothing to wait for
        report = begun
    _keep(context, progress, shadow=report)
    progress.failure = failure_reason(report)


def _approval(context: StageContext, progress: Progress) -> None:
    from taxiway.stages.approval import accept, failure_reason, known_answer, needs_approval

    verdict = needed(progress.records.verdict)
    if not needs_approval(context.pipeline, verdict):
        return
    answered = accept(context, needed(known_answer(context, verdict)))
    _keep(context, progress, approval=answered)
    progress.failure = failure_reason(answered)


def _push(context: StageContext, progress: Progress) -> None:
    from taxiway.stages.push import push

    found = progress.records
    _keep(context, progress, promotion=push(context, needed(found.verdict), needed(found.shadow), found.approval))


STEPS: dict[str, Callable[[StageContext, Progress], None]] = {
    "ingest": _ingest,
    "validate_data": _validate_data,
    "transform": _transform,
    "tune": _tune,
    "train": _train,
    "validate_model": _validate_model,
    "shadow": _shadow,
    "approval": _approval,
    "push": _push,
}


def _keep(context: StageContext, progress: Progress, **records: Record) -> None:
    """Store the record of a stage, and pass it on to the next stages."""
    for record in records.values():
        context.store.put(record)
    progress.records = replace(progress.records, **records)  # type: ignore[arg-type]


def needed(record: R | None) -> R:
    """A record that an earlier stage has made."""
    assert record is not None
    return record
