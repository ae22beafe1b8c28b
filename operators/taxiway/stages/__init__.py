"""The stages of a pipeline: one function each, with the whole logic of its step, and the runner that needs no Airflow.

A stage takes records and a `StageContext` and returns a record. An Airflow operator, a notebook and a test call the same function.
"""
