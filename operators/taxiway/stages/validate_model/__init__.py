"""Validate model: the stage, how a version is judged, and the report on it."""

from taxiway.stages.validate_model.stage import already_champion, failure_reason, validate_model

__all__ = ["already_champion", "failure_reason", "validate_model"]
