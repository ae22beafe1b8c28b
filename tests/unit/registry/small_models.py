"""Small models that tests register, and the MLflow run that they belong to."""

import uuid
from typing import Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from sklearn.pipeline import make_pipeline

from taxiway.features.signature import ModelColumns
from taxiway.models.row_model import RowModel
from taxiway.registry.register import ModelToSave
from taxiway.tracking.run import MlflowRun


def rows() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])


def to_save(estimator: Any, key: str = "key") -> ModelToSave:
    data = rows()
    fitted = make_pipeline(estimator).fit(data, (data["a"] > 0).to_numpy())
    return ModelToSave(with_columns(fitted, ("False", "True")), data, key, {"taxiway.snapshot": "s"}, {"p": "1"})


def with_columns(pipeline: Any, classes: tuple[str, ...] = ()) -> RowModel:
    return RowModel.of(pipeline, ModelColumns(("a", "b"), ()), classes)


def open_run(url: str) -> MlflowRun:
    return MlflowRun.find_or_make(MlflowClient(url), "team/models", f"dag/{uuid.uuid4()}", {})
