"""The embedded stack on one machine: PostgreSQL, MLflow, the gateway and Airflow, and the demonstration that runs on it."""
