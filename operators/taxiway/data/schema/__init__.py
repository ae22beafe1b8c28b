"""The schema: its model and file, how it is inferred, compared and edited, and how limits are suggested."""

from taxiway.data.schema.constraints import Counts, Drift, FeatureSkew, LifecycleStage, Range, Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.file import load_schema
from taxiway.data.schema.model import Schema
from taxiway.data.schema.watch import MetricMonitor

__all__ = [
    "Counts",
    "Drift",
    "Feature",
    "FeatureSkew",
    "LifecycleStage",
    "MetricMonitor",
    "Range",
    "Rule",
    "Schema",
    "load_schema",
]
