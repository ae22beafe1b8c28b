"""Sweep: plan a search over parameters, and run its trials, a few in each mapped task."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from taxiway.operators.base import Input, StageOperator, parse_params
from taxiway.records import FeatureSet, Record, Snapshot, SweepPlan, Trial, Trials

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.lineage.run import MlflowRun

_NAME_LENGTH = 200


class PlanSweepOperator(StageOperator):
    """Choose the parameters to try; hands on a list with one entry for each task that runs some of the trials.

    An entry is the reference of the SweepPlan with `first` and `last` (of its trials, the last one excluded) and a `name`.

    :param snapshot: the reference of the Snapshot that ingest made
    :param model_params: parameters over those of the pipeline file, in every trial; a mapping or its JSON text
    """

    template_fields = ("snapshot", "model_params")

    def __init__(self, *, snapshot: Input, model_params: Mapping[str, Any] | str = "{}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.model_params = model_params

    def run(self, run: "MlflowRun", context: "Context") -> SweepPlan:
        from taxiway.tuning.trials import plan_sweep

        plan = plan_sweep(
            self.pipeline, self.read(Snapshot, self.snapshot), self.schema(), parse_params(self.model_params), store=self.store
        )
        run.record(plan)
        self.log.info("%d trials, scored by %s", len(plan.trials), plan.metric)
        return plan

    def _hand_on(self, context: "Context", record: Record) -> Any:
        from taxiway.tuning.trials import words

        assert isinstance(record, SweepPlan)
        assert self.pipeline.sweep is not None
        ref, each = super()._hand_on(context, record), self.pipeline.sweep.trials_per_task
        starts = range(0, len(record.trials), each)
        chunks = [(first, min(first + each, len(record.trials))) for first in starts]
        return [
            {
                **ref,
                "first": first,
                "last": last,
                "name": _name(first, last, [words(params) for params in record.trials[first:last]]),
            }
            for first, last in chunks
        ]


def _name(first: int, last: int, trials: Sequence[str]) -> str:
    """`1 to 4: learning_rate=0.1; learning_rate=0.2 and 2 more`: as many as Airflow's grid has room for."""
    shown = list(trials)
    while len(shown) > 1 and len("; ".join(shown)) > _NAME_LENGTH:
        shown.pop()
    more = f" and {len(trials) - len(shown)} more" if len(shown) < len(trials) else ""
    return f"{first + 1} to {last}: {'; '.join(shown)[:_NAME_LENGTH]}{more}"


class RunTrialsOperator(StageOperator):
    """Run some trials of a sweep, each in a nested MLflow run; a retry runs only those that have no score yet.

    :param chunk: an entry of what `PlanSweepOperator` hands on
    """

    template_fields = ("chunk",)

    def __init__(self, *, chunk: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chunk = chunk

    def run(self, run: "MlflowRun", context: "Context") -> Trials:
        from taxiway.data.rows import read_rows

        plan = self.read(SweepPlan, self.chunk)
        tuning, features = self.store.get(Snapshot, plan.snapshot), self.store.get(FeatureSet, plan.features)
        rows = read_rows(tuning.evaluation, self.store)
        made = []
        for number in range(self.chunk["first"], self.chunk["last"]):
            made.append(self._trial(run, plan.trials[number], tuning, features, rows))
            self._tell(number + 1, len(plan.trials), made[-1])
        return Trials(plan=plan.digest, trials=tuple(made))

    def _trial(self, run: "MlflowRun", params: str, tuning: Snapshot, features: FeatureSet, rows: Any) -> Trial:
        from taxiway.tuning.trials import run_trial, trial_key, words

        chosen = json.loads(params)
        key = trial_key(features, self.pipeline, self.pipeline.tuning_metric, chosen)
        nested = run.nested(key, words(params))
        nested.datasets(tuning.training, "training")
        nested.datasets(tuning.evaluation, "tuning")
        try:
            trial = run_trial(chosen, features, rows, self.pipeline, store=self.store, recorder=nested)
        except BaseException:
            nested.end("FAILED")
            raise
        if trial.score is not None:
            nested.metrics({f"tuning.{trial.metric}": trial.score})
        else:
            nested.tags({"mlflow.note.content": trial.error})
        nested.end("FINISHED" if trial.score is not None else "FAILED")
        return trial

    def _tell(self, number: int, count: int, trial: Trial) -> None:
        from taxiway.tuning.trials import words

        came_to = f"{trial.metric} {trial.score:.4f}" if trial.score is not None else f"failed: {trial.error}"
        self.log.info("trial %d of %d: %s (%s)", number, count, came_to, words(trial.params))
