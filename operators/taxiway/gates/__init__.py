"""The gates: the model gate decides on a candidate, the shadow gate on its answers to live requests."""

from taxiway.gates.model_gate import decide

__all__ = ["decide"]
