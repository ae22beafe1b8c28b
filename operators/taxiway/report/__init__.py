"""The gate report: one HTML file that explains a verdict, with the model card of the version that it is about."""

from taxiway.report.content import ReportContent, TrainingCosts
from taxiway.report.render import gate_report

__all__ = ["ReportContent", "TrainingCosts", "gate_report"]
