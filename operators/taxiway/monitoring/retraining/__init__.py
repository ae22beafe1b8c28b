"""When to train again: the decision, the evidence for it, and what a training is expected to gain."""

from taxiway.monitoring.retraining.decision import RetrainingDecision, WaitKind, choose_action, decide

__all__ = ["RetrainingDecision", "WaitKind", "choose_action", "decide"]
