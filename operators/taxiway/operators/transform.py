"""Transform: the fitted transform and the rows that it made of the training spans."""

from typing import TYPE_CHECKING, Any

from taxiway.operators.base import Input, StageOperator
from taxiway.records import FeatureSet, Snapshot

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.lineage.run import MlflowRun


class TransformOperator(StageOperator):
    """Fit the transform that serves training and serving alike on the training spans.

    :param snapshot: the reference of the Snapshot that ingest made
    """

    template_fields = ("snapshot",)

    def __init__(self, *, snapshot: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot

    def run(self, run: "MlflowRun", context: "Context") -> FeatureSet:
        from taxiway.features.transform import transform
        from taxiway.training.estimator import accepts_missing, build_estimator

        made = transform(
            self.read(Snapshot, self.snapshot),
            self.schema(),
            self.pipeline.features,
            label=self.pipeline.source.label,
            problem=self.pipeline.gate.problem,
            accepts_missing=accepts_missing(build_estimator(self.pipeline.model, {}, self.pipeline.gate.problem)),
            store=self.store,
            recorder=run,
        )
        self.log.info(
            "%d rows, %d numeric and %d categorical columns", made.row_count, len(made.numeric), len(made.categorical)
        )
        return made
