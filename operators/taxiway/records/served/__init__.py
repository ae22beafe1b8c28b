"""How a champion has predicted in production, by windows of its requests."""

from taxiway.records.served.alerts import AlertKind, ServedAlert
from taxiway.records.served.comparisons import LossChange, PreviousPerformance, WorseSlice
from taxiway.records.served.outliers import Outlier, WindowOutliers
from taxiway.records.served.performance import MAX_EARLIER, ServedAudit, ServedPerformance
from taxiway.records.served.windows import CalibrationCheck, EarlierWindow, Operation, ServedWindow

__all__ = [
    "MAX_EARLIER",
    "AlertKind",
    "CalibrationCheck",
    "EarlierWindow",
    "LossChange",
    "Operation",
    "Outlier",
    "PreviousPerformance",
    "ServedAlert",
    "ServedAudit",
    "ServedPerformance",
    "ServedWindow",
    "WindowOutliers",
    "WorseSlice",
]
