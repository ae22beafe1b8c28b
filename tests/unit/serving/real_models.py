"""Real models of a real registry, served by a gateway with the libraries of production."""

import json
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from running import Running, start_gateway
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from helping import until
from taxiway.features import raw_frame
from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.signature import ModelColumns
from taxiway.models.row_model import RowModel
from taxiway.registry.register import ModelToSave, register
from taxiway.tracking.tags import CLASSES, THRESHOLD

NUMERIC, CATEGORICAL, DATES = ("distance", "seats", "rain"), ("carrier", "code", "wet", "gate", "day"), ("left_at",)
TYPES = {
    "distance": "number",
    "seats": "integer",
    "rain": "boolean",
    "carrier": "string",
    "code": "string",
    "wet": "boolean",
    "gate": "integer",
    "day": "date",
    "left_at": "datetime",
}
COLUMNS = ModelColumns(NUMERIC + DATES, CATEGORICAL, TYPES, tuple(TYPES))
PLAIN = (("distance",), ("carrier", "code"))
"""The numeric and the categorical columns of the plain model."""


def some_rows(count: int = 400) -> pd.DataFrame:
    """Rows with the types of the source, without gaps. The codes are texts that look like numbers."""
    chance = np.random.default_rng(5)
    day = pd.Timestamp("2013-06-01") + pd.to_timedelta(chance.integers(0, 4, count), "D")
    return pd.DataFrame(
        {
            "distance": chance.normal(0, 1e3, count),
            "seats": chance.integers(0, 400, count),
            "rain": chance.random(count) < 0.3,
            "carrier": chance.choice(["AA", "UA", "NA", "1"], count),
            "code": chance.choice(["007", "7", "1e3", "1000"], count),
            "wet": chance.random(count) < 0.5,
            "gate": chance.integers(1, 4, count),
            "day": day.strftime("%Y-%m-%d"),
            "left_at": (day + pd.to_timedelta(chance.integers(0, 86_400, count), "s")).strftime("%Y-%m-%dT%H:%M:%S"),
        }
    )


def serve(mlflow_url: str, registry: MlflowClient, state: Path) -> tuple[Running, str, str]:
    """Serve two models of the same rows.

    Returns:
        The gateway, a model as `train` registers it, and a plain pipeline with a signature of numbers and texts.
    """
    names = ("serving_tests.typed", "serving_tests.plain")
    rows = some_rows()
    label = ((rows["code"] == "007") ^ rows["wet"] ^ (rows["distance"] > 0)).astype(str)
    if not registry.search_registered_models(f"name='{names[0]}'"):  # the test run shares the registry
        _register_typed(registry, names[0], rows, label)
        _register_plain(registry, names[1], rows, label)
    running = start_gateway(mlflow_url, state, models=names, loader="taxiway.registry.load:load_folder")
    for name in names:
        until(lambda name=name: running.admin.status(name).champion == 1, f"the champion of {name} is loaded")
    return running, *names


def _fitted(columns: FeatureColumns, frame: pd.DataFrame, label: pd.Series, types: dict[str, str]) -> Pipeline:
    transform = build_transform(columns, accepts_missing=True, types=types)
    return make_pipeline(transform, HistGradientBoostingClassifier(max_iter=10, random_state=0)).fit(frame, label)


def _register_typed(registry: MlflowClient, name: str, rows: pd.DataFrame, label: pd.Series) -> None:
    frame = raw_frame(rows, COLUMNS.numeric, COLUMNS.categorical, TYPES)
    fitted = _fitted(FeatureColumns(NUMERIC, CATEGORICAL, (), DATES, ()), frame, label, TYPES)
    run = registry.create_run(registry.create_experiment(name)).info.run_id
    tags = {CLASSES: json.dumps(["False", "True"]), THRESHOLD: "0.3"}
    register(registry, run, name, ModelToSave(RowModel.of(fitted, COLUMNS, ("False", "True"), 0.3), rows, "key", tags, {}))
    registry.set_registered_model_alias(name, "champion", "1")


def _register_plain(registry: MlflowClient, name: str, rows: pd.DataFrame, label: pd.Series) -> None:
    numeric, categorical = PLAIN
    fitted = _fitted(FeatureColumns(numeric, categorical, (), (), ()), raw_frame(rows, numeric, categorical), label, {})
    specs = [ColSpec("double", column) for column in numeric] + [ColSpec("string", column) for column in categorical]
    run = registry.create_run(registry.create_experiment(name))
    with tempfile.TemporaryDirectory() as folder:
        mlflow.sklearn.save_model(
            fitted,
            f"{folder}/model",
            signature=ModelSignature(Schema(specs)),
            pip_requirements=[],
            serialization_format="skops",
            skops_trusted_types=["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"],
            pyfunc_predict_fn="predict_proba",
        )
        registry.log_artifacts(run.info.run_id, f"{folder}/model", "model")
    registry.create_registered_model(name)
    registry.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    registry.set_registered_model_alias(name, "champion", "1")
