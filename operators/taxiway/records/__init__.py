"""What the stages hand on: frozen records with one JSON form, the same in XCom, in MLflow and on the pages.

Every record names its inputs by digest, so lineage falls out of the records. A record's own digest is that of its canonical
JSON; nothing in it depends on when it was made, save a `Promotion`, which is an event.
"""

from taxiway.records.base import Record, RecordRef, Severity, Status, worst
from taxiway.records.data import Anomaly, DataReport, SchemaChange, Snapshot, Span, Waiver, span_order
from taxiway.records.models import (
    Candidate,
    Evaluation,
    FeatureSet,
    Interval,
    MetricResult,
    Outcome,
    Promotion,
    Reason,
    RunSummary,
    ShadowReport,
    SliceResult,
    SweepPlan,
    SweepReport,
    Trial,
    Trials,
    Verdict,
)

__all__ = [
    "Anomaly",
    "Candidate",
    "DataReport",
    "Evaluation",
    "FeatureSet",
    "Interval",
    "MetricResult",
    "Outcome",
    "Promotion",
    "Reason",
    "Record",
    "RecordRef",
    "RunSummary",
    "SchemaChange",
    "Severity",
    "ShadowReport",
    "SliceResult",
    "Snapshot",
    "Span",
    "Status",
    "SweepPlan",
    "SweepReport",
    "Trial",
    "Trials",
    "Verdict",
    "Waiver",
    "span_order",
    "worst",
]
