"""Whether monitoring starts a training, by the evidence of the newest windows and what earlier trainings gained."""

from taxiway.stages.monitor.retraining.decision import action_of_policy, retraining, training_tags

__all__ = ["action_of_policy", "retraining", "training_tags"]
