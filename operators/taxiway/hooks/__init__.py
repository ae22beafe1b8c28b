"""The Airflow side of Taxiway: connections to MLflow and the model gateway, and the `[taxiway]` section."""
