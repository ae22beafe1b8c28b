"""Tune: searches for the best parameters within the training window."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError
from taxiway.records import FeatureSet, Snapshot, SweepPlan, SweepReport, Trial, Trials
from taxiway.spec.metrics import metric_key
from taxiway.stages.context import StageContext, bullets
from taxiway.tracking import tags

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 10
_NAME_LENGTH = 200


@dataclass(frozen=True)
class Chunk:
    """Trials of a plan that one task runs.

    Attributes:
        first: The index of the first trial, from 0.
        last: The index after the last trial.
        name: What Airflow's grid shows.
    """

    first: int
    last: int
    name: str


def plan_sweep(context: StageContext, snapshot: Snapshot, overrides: Mapping[str, Any]) -> SweepPlan:
    """Choose the parameters to try.

    Args:
        context: The run.
        snapshot: The rows of the run; trials use only its training window.
        overrides: Parameters that override those of the pipeline file in every trial.

    Raises:
        ConfigError: `overrides` set a parameter that is searched, or one that the estimator does not have.
    """
    from taxiway.registry.register import check_savable
    from taxiway.tuning.trials import plan_sweep as plan_trials

    plan = plan_trials(context.pipeline, snapshot, context.schema(), overrides, store=context.store, check=check_savable)
    context.recorder.record(plan)
    context.log.info("%d trials, scored by %s", len(plan.trials), plan.metric)
    return plan


def chunks(plan: SweepPlan, trials_per_task: int) -> tuple[Chunk, ...]:
    """Divide the trials of a plan into chunks of `trials_per_task`."""
    from taxiway.messages import format_params

    starts = range(0, len(plan.trials), trials_per_task)
    bounds = [(first, min(first + trials_per_task, len(plan.trials))) for first in starts]
    return tuple(
        Chunk(first, last, _chunk_name(first, last, [format_params(params) for params in plan.trials[first:last]]))
        for first, last in bounds
    )


def _chunk_name(first: int, last: int, trials: Sequence[str]) -> str:
    """`1 to 4: learning_rate=0.1; learning_rate=0.2 and 2 more`: as many as fit into Airflow's grid."""
    shown = list(trials)
    while len(shown) > 1 and len("; ".join(shown)) > _NAME_LENGTH:
        shown.pop()
    more = f" and {len(trials) - len(shown)} more" if len(shown) < len(trials) else ""
    return f"{first + 1} to {last}: {'; '.join(shown)[:_NAME_LENGTH]}{more}"


def run_trials(context: StageContext, plan: SweepPlan, first: int, last: int) -> Trials:
    """Train and score some trials, each in a nested MLflow run.

    A trial that has a score already is not run again. Parameters that cannot be fitted make a trial without a score.

    Args:
        context: The run.
        plan: The plan.
        first: The index of the first trial, from 0.
        last: The index after the last trial.
    """
    from taxiway.data.engine.read_rows import read_rows

    tuning, features = context.store.get(Snapshot, plan.snapshot), context.store.get(FeatureSet, plan.features)
    rows = read_rows(tuning.evaluation, context.store)
    finished = []
    for number in range(first, last):
        finished.append(_run_trial(context, plan.trials[number], tuning, features, rows))
        _log_trial(context, number + 1, len(plan.trials), finished[-1])
    return Trials(plan=plan.digest, trials=tuple(finished))


def choose_best(context: StageContext, trials: Sequence[Trials]) -> SweepReport:
    """Rank all trials of a plan, the best one first.

    Raises:
        ConfigError: Trials of the plan are missing.
        DataError: No trial has a score.
    """
    from taxiway.messages import format_params
    from taxiway.tuning.trials import choose

    if not trials:
        raise ConfigError("the sweep has no trials; connect this task to the tasks that run them")
    plan = context.store.get(SweepPlan, trials[0].plan)
    report = choose(plan, [trial for part in trials for trial in part.trials])
    context.store.put(report)
    context.recorder.record(report)
    assert report.best.score is not None  # else there was nothing to choose
    context.recorder.metrics({"sweep.trials": len(report.trials), f"sweep.best_{metric_key(report.metric)}": report.best.score})
    ranked = [f"{'failed' if t.score is None else f'{t.score:.4f}'}  {format_params(t.params)}" for t in report.trials[:_SHOWN]]
    context.log.info("best of %d trials by %s:\n%s", len(report.trials), report.metric, bullets(ranked))
    return report


def _run_trial(context: StageContext, params: str, tuning: Snapshot, features: FeatureSet, rows: "pd.DataFrame") -> Trial:
    from taxiway.messages import format_params
    from taxiway.tuning.trials import run_trial, trial_key

    chosen = json.loads(params)
    nested = context.recorder.nested(trial_key(features, context.pipeline, chosen).digest, format_params(params))
    nested.datasets(tuning.training, "training")
    nested.datasets(tuning.evaluation, "tuning")
    try:
        trial = run_trial(chosen, features, rows, context.pipeline, store=context.store, recorder=nested)
    except BaseException:
        nested.end("FAILED")
        raise
    if trial.score is not None:
        nested.metrics({f"tuning.{metric_key(trial.metric)}": trial.score})
    else:
        nested.tags({tags.NOTE: trial.error or ""})
    nested.end("FINISHED" if trial.score is not None else "FAILED")
    return trial


def _log_trial(context: StageContext, number: int, count: int, trial: Trial) -> None:
    from taxiway.messages import format_params

    result = f"{trial.metric} {trial.score:.4f}" if trial.score is not None else f"failed: {trial.error}"
    context.log.info("trial %d of %d: %s (%s)", number, count, result, format_params(trial.params))
