"""The stack of these tests; it lives in a module of its own so that tests can name its types."""

from conftest_airflow import running

__all__ = ["running"]
