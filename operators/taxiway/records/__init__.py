"""The results of stages: frozen records with one JSON form, the same in XCom, in MLflow and in the UI.

Every record refers to its inputs by digest, which gives the lineage. A record's own digest is that of its canonical JSON, and does not
depend on the time, except for a `Promotion`, which is an event.
"""

from taxiway.records.base import Record, RecordRef, Severity, Status, worst
from taxiway.records.data import (
    ImportedLabels,
    JoinMatch,
    LabelsDue,
    RemovedRows,
    SampleRule,
    Snapshot,
    SourceFile,
    Span,
    SplitRule,
    WaitingSpan,
    span_label,
    span_order,
)
from taxiway.records.data_report import Anomaly, DataReport, SchemaChange, Waiver
from taxiway.records.decisions import Decision, DecisionKind, Outcome, Promotion, Reason, RunSummary, ShadowReport, Verdict
from taxiway.records.evaluation import (
    Baseline,
    ClassRows,
    ColumnAlone,
    Evaluation,
    Interval,
    MetricResult,
    MetricValue,
    RowGroups,
    RowMeans,
    SliceResult,
)
from taxiway.records.evaluation_sets import SAMPLE_HASHES, Answered, Asked, EvaluationSet, Show, SpentRows
from taxiway.records.reason_codes import ReasonCode
from taxiway.records.training import BaselineModel, Candidate, FeatureSet, LearningCurve, SweepPlan, SweepReport, Trial, Trials

__all__ = [
    "SAMPLE_HASHES",
    "Anomaly",
    "Answered",
    "Asked",
    "Baseline",
    "BaselineModel",
    "Candidate",
    "ClassRows",
    "ColumnAlone",
    "DataReport",
    "Decision",
    "DecisionKind",
    "Evaluation",
    "EvaluationSet",
    "FeatureSet",
    "ImportedLabels",
    "Interval",
    "JoinMatch",
    "LabelsDue",
    "LearningCurve",
    "MetricResult",
    "MetricValue",
    "Outcome",
    "Promotion",
    "Reason",
    "ReasonCode",
    "Record",
    "RecordRef",
    "RemovedRows",
    "RowGroups",
    "RowMeans",
    "RunSummary",
    "SampleRule",
    "SchemaChange",
    "Severity",
    "ShadowReport",
    "Show",
    "SliceResult",
    "Snapshot",
    "SourceFile",
    "Span",
    "SpentRows",
    "SplitRule",
    "Status",
    "SweepPlan",
    "SweepReport",
    "Trial",
    "Trials",
    "Verdict",
    "WaitingSpan",
    "Waiver",
    "span_label",
    "span_order",
    "worst",
]
