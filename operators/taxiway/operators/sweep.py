"""Sweep: plans a search over model parameters, and runs its trials, a few in each mapped task."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from taxiway.operators.base import Input, StageOperator, parse_params
from taxiway.records import Snapshot, SweepPlan, Trials

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class PlanSweepOperator(StageOperator[SweepPlan]):
    """Choose the parameters to try, and return one chunk of trials for each mapped task.

    A chunk is the reference of the SweepPlan with `first`, `last` (the index after its last trial) and `name`.

    Args:
        snapshot: The reference of the Snapshot that ingest returned.
        model_params: Parameters that override those of the pipeline file in every trial; a mapping or its JSON text.
    """

    template_fields = ("snapshot", "model_params")

    def __init__(self, *, snapshot: Input, model_params: Mapping[str, Any] | str = "{}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.model_params = model_params

    def run(self, stage: "StageContext", context: "Context") -> SweepPlan:
        from taxiway.stages.tune import plan_sweep

        return plan_sweep(stage, self.read(Snapshot, self.snapshot), parse_params(self.model_params))

    def finish(self, record: SweepPlan, stage: "StageContext", context: "Context") -> Any:
        from taxiway.stages.tune import chunks

        assert self.pipeline.sweep is not None
        ref = super().finish(record, stage, context)
        return [{**ref, **asdict(chunk)} for chunk in chunks(record, self.pipeline.sweep.trials_per_task)]


class RunTrialsOperator(StageOperator[Trials]):
    """Run a chunk of trials, each in a nested MLflow run; a retry runs only the trials without a score.

    Args:
        chunk: A chunk that `PlanSweepOperator` returned.
    """

    template_fields = ("chunk",)

    def __init__(self, *, chunk: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chunk = chunk

    def run(self, stage: "StageContext", context: "Context") -> Trials:
        from taxiway.stages.tune import run_trials

        return run_trials(stage, self.read(SweepPlan, self.chunk), self.chunk["first"], self.chunk["last"])
