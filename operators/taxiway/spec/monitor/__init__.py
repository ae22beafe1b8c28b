"""The `monitor` section of a pipeline file, and the actions that monitoring may start."""

from taxiway.spec.monitor.section import (
    NOT_MONITORED,
    ROW_LOSSES,
    LabelAudits,
    Monitor,
    RetrainingPolicy,
    Rollback,
    TrainingCosts,
    default_metric,
    not_monitored_text,
)

__all__ = [
    "NOT_MONITORED",
    "ROW_LOSSES",
    "LabelAudits",
    "Monitor",
    "RetrainingPolicy",
    "Rollback",
    "TrainingCosts",
    "default_metric",
    "not_monitored_text",
]
