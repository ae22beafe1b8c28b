"""The stages of a pipeline: one function each, with all of its logic, and a runner that does not need Airflow.

A stage takes records and a `StageContext` and returns a record. Airflow operators, notebooks and tests call the same functions.
"""
