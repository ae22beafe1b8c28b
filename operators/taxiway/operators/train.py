"""Train: registers a model version, once for the same rows, transform, report and parameters."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from taxiway.operators.base import Input, StageOperator, parse_params
from taxiway.records import Candidate, DataReport, FeatureSet, Snapshot, Trials

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class TrainOperator(StageOperator[Candidate]):
    """Train the pipeline's estimator and register it; a retry finds the version that the first try registered.

    Args:
        snapshot: The reference of the Snapshot that ingest returned.
        report: The reference of the DataReport of that snapshot.
        features: The reference of the FeatureSet to train on.
        model_params: Parameters that override those of the pipeline file and of the sweep; a mapping or its JSON text.
        trials: The references of the Trials of a sweep, whose best parameters are used; empty without a sweep.
    """

    template_fields = ("snapshot", "report", "features", "model_params", "trials")

    def __init__(
        self,
        *,
        snapshot: Input,
        report: Input,
        features: Input,
        model_params: Mapping[str, Any] | str = "{}",
        trials: Iterable[Input] | XComArg = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.report = report
        self.features = features
        self.model_params = model_params
        self.trials = trials

    def run(self, stage: "StageContext", context: "Context") -> Candidate:
        from taxiway.stages.train.train import train

        snapshot, report = self.read(Snapshot, self.snapshot), self.read(DataReport, self.report)
        features, overrides = self.read(FeatureSet, self.features), parse_params(self.model_params)
        # Airflow replaces an XComArg by its value before the task runs.
        refs = () if isinstance(self.trials, XComArg) else self.trials
        return train(stage, snapshot, report, features, overrides=overrides, trials=[self.read(Trials, ref) for ref in refs])
