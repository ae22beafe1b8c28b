"""What the stages hand on: frozen records with one JSON form, the same in XCom, in MLflow and on the pages.

Every record names its inputs by digest, so lineage falls out of the records. A record's own digest is that of its canonical
JSON; nothing in it depends on when it was made, save a `Promotion`, which is an event.
"""

from taxiway.records.base import Record, RecordRef, Severity, Status, worst
from taxiway.records.data import (
    Anomaly,
    DataReport,
    JoinMatch,
    SampleRule,
    SchemaChange,
    Snapshot,
    SourceFile,
    Span,
    SplitRule,
    Waiver,
    span_label,
    span_order,
)
from taxiway.records.decisions import Outcome, Promotion, Reason, RunSummary, ShadowReport, Verdict
from taxiway.records.training import (
    Candidate,
    Evaluation,
    FeatureSet,
    Interval,
    MetricResult,
    SliceResult,
    SweepPlan,
    SweepReport,
    Trial,
    Trials,
)

__all__ = [
    "Anomaly",
    "Candidate",
    "DataReport",
    "Evaluation",
    "FeatureSet",
    "Interval",
    "JoinMatch",
    "MetricResult",
    "Outcome",
    "Promotion",
    "Reason",
    "Record",
    "RecordRef",
    "RunSummary",
    "SampleRule",
    "SchemaChange",
    "Severity",
    "ShadowReport",
    "SliceResult",
    "Snapshot",
    "SourceFile",
    "Span",
    "SplitRule",
    "Status",
    "SweepPlan",
    "SweepReport",
    "Trial",
    "Trials",
    "Verdict",
    "Waiver",
    "span_label",
    "span_order",
    "worst",
]
