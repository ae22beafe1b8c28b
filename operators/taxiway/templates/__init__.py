"""DAG templates, and the loader for the DAG file beside each pipeline file."""

from taxiway.templates.continuous_training import continuous_training
from taxiway.templates.loader import load_pipeline

__all__ = ["continuous_training", "load_pipeline"]
