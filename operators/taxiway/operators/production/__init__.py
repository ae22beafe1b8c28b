"""Operators for models in production: they score rows, and compare what is predicted with the evaluation."""

from taxiway.operators.production.batch_predict import BatchPredictOperator
from taxiway.operators.production.monitor import MonitorOperator

__all__ = ["BatchPredictOperator", "MonitorOperator"]
