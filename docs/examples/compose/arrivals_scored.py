from taxiway.templates import load_scoring  # an airflow dag

dag = load_scoring(__file__)
