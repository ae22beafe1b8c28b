"""Airflow connections to MLflow and to the model gateway."""
