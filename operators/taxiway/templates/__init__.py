"""DAG templates, and the loaders for the DAG file beside each pipeline or scoring file."""

from taxiway.templates.batch_scoring import batch_scoring
from taxiway.templates.continuous_training import continuous_training
from taxiway.templates.loader import load_pipeline, load_scoring

__all__ = ["batch_scoring", "continuous_training", "load_pipeline", "load_scoring"]
