"""The model gate: whether a candidate may go on, from its evaluation and from the DataReports of what it was trained on."""

from taxiway.gates.model_gate import decide

__all__ = ["decide"]
