"""Alerts of monitoring, each of which a person can acknowledge."""

from collections.abc import Mapping
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


_SENTENCES: Mapping[AlertKind, str] = {
    AlertKind.AUDIT: "labels are needed for the {metric} of {version}; the last audit was on {first}",
    AlertKind.TARGET: "the {metric} of {version} misses its target by the audit on {first}",
    AlertKind.DATA: "inputs of {version} have anomalies in the window from {first}",
    AlertKind.LABELS: "labels of {version} are late for the window from {first}",
    AlertKind.DRIFT: "inputs of {version} have drifted in the window from {first}",
    AlertKind.OUTLIERS: "more rows than usual are outliers in the window of {version} from {first}",
    AlertKind.CHECK: "a check of the team's own has found something in the window of {version} from {first}",
}
_WORSE = "the {kind} {metric} of {version} is worse in the window from {first} than on the evaluation rows"


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
        return _SENTENCES.get(self.kind, _WORSE).format(
            kind=self.kind, metric=metric, version=f"version {self.version}", first=self.first
        )
