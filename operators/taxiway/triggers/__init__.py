"""Triggers: what waits in Airflow's triggerer, without a worker slot."""
