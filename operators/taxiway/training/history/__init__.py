"""The history of a training: its curves, the rules that judge them, and what follows a fit while it runs."""

from taxiway.training.history.curves import GRADIENT, Curve, curves_of
from taxiway.training.history.printed import printed_history
from taxiway.training.history.rules import findings
from taxiway.training.history.trees import saturated_trees
from taxiway.training.history.watch import PROGRESS, ReportedHistory, Watch

__all__ = [
    "GRADIENT",
    "PROGRESS",
    "Curve",
    "ReportedHistory",
    "Watch",
    "curves_of",
    "findings",
    "printed_history",
    "saturated_trees",
]
