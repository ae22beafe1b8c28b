"""Small files, validated against a schema of few features."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.validate import validate
from taxiway.records import Anomaly, DataReport

TODAY = date(2026, 3, 1)
LABEL = Feature(name="y", type="boolean")
Write = Callable[..., Path]


def schema(*features: Feature, **more: Any) -> Schema:
    return Schema(label="y", features=(*features, LABEL), **more)


def judged(data: Path, expected: Schema, **more: Any) -> DataReport:
    return validate(data, expected, today=TODAY, **more)


def only(report: DataReport) -> Anomaly:
    (anomaly,) = report.anomalies
    return anomaly
