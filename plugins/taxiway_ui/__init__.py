"""Taxiway in Airflow's web interface and processes."""
