"""Transform: fits the transform on the training spans, and transforms their rows."""

from typing import TYPE_CHECKING

from taxiway.operators.base import SnapshotOperator
from taxiway.records import FeatureSet, Snapshot

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.context import StageContext


class TransformOperator(SnapshotOperator[FeatureSet]):
    """Fit the transform, which training and serving share, on the training spans.

    Args:
        snapshot: The reference of the Snapshot that ingest returned.
    """

    def run(self, stage: "StageContext", context: "Context") -> FeatureSet:
        from taxiway.stages.transform import transform

        return transform(stage, self.read(Snapshot, self.snapshot))
