"""The path of the pages in Airflow's web interface."""

PREFIX = "/taxiway"
