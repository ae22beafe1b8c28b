"""Where the pages are in Airflow's web interface."""

PREFIX = "/taxiway"
