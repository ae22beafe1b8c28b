"""Taxiway: one marked way for every model, from raw data to production, inside the Airflow that a team already runs."""

__version__ = "0.1.0"
