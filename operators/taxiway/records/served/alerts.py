"""Alerts of monitoring, each of which a person can acknowledge."""

from datetime import date
from enum import StrEnum

from taxiway.records.base import Record
from taxiway.records.evaluation import Version


class AlertKind(StrEnum):
    """What an alert of monitoring is about, the most urgent first.

    Attributes:
        REALISED: The realised performance is worse than on the evaluation rows.
        TARGET: The labels of the last audit show that the metric misses its target.
        ESTIMATED: The estimated performance is worse.
        DATA: Inputs have anomalies by the schema.
        CHECK: A check of the team's own has found something.
        OUTLIERS: More rows than usual are unlike the evaluation rows.
        LABELS: Labels are late.
        AUDIT: Labels are needed.
        DRIFT: Inputs have drifted that had not in the window before.
    """

    REALISED = "realised"
    TARGET = "target"
    ESTIMATED = "estimated"
    DATA = "data"
    CHECK = "check"
    OUTLIERS = "outliers"
    LABELS = "labels"
    AUDIT = "audit"
    DRIFT = "drift"


class ServedAlert(Record):
    """An alert of monitoring. Every run that finds it finds the same record, so a person can acknowledge it by its digest.

    Attributes:
        model: The registered model.
        version: The champion.
        first: The first day of the window; of an audit, the day of the last one.
        kind: What it is about.
    """

    model: str
    version: Version
    first: date
    kind: AlertKind

    def describe(self, metric: str) -> str:
        """The alert in a sentence; `metric` is the name of the monitored one."""
        if self.kind is AlertKind.AUDIT:
            return f"labels are needed for the {metric} of version {self.version}; the last audit was on {self.first}"
        if self.kind is AlertKind.TARGET:
            return f"the {metric} of version {self.version} misses its target by the audit on {self.first}"
        if self.kind is AlertKind.DATA:
            return f"inputs of version {self.version} have anomalies in the window from {self.first}"
        if self.kind is AlertKind.LABELS:
            return f"labels of version {self.version} are late for the window from {self.first}"
        if self.kind is AlertKind.DRIFT:
            return f"inputs of version {self.version} have drifted in the window from {self.first}"
        if self.kind is AlertKind.OUTLIERS:
            return f"more rows than usual are outliers in the window of version {self.version} from {self.first}"
        if self.kind is AlertKind.CHECK:
            return f"a check of the team's own has found something in the window of version {self.version} from {self.first}"
        return (
            f"the {self.kind} {metric} of version {self.version} is worse in the window from {self.first} than on the "
            "evaluation rows"
        )
