"""What the library adds to a framework: fitting, predicting, saving and loading models of each kind.

Made-up rows of ten numbers with two classes. In one process, the median of some rounds: the framework alone on a matrix in
memory; Taxiway's `fit` on the same matrix, which prepares labels and, with early stopping, holds rows out; predictions of the framework
alone for the raw columns, and of a model as it is evaluated and served. The framework alone takes the matrix, if it accepts missing
values; if it does not, numbers are imputed and scaled by a ColumnTransformer before it, as its user would do. Then the seconds of saving and loading, with the checks of types, and the size.
Ratios are to the framework alone.

Then each model is served by `taxiway serve`, and asked for one row at a time, beside MLflow's pyfunc `predict` in this process, with one
thread as in the gateway's workers.
"""

import argparse
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

# Read when a library is loaded: threads that wait for each other spinning make one row ten times slower.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from measuring import seconds, show

FEATURES = tuple(f"x{at}" for at in range(10))
ESTIMATORS: dict[str, dict[str, Any]] = {
    "sklearn.linear_model.LogisticRegression": {"max_iter": 200},
    "sklearn.ensemble.HistGradientBoostingClassifier": {"max_iter": 100, "early_stopping": False},
    "xgboost.XGBClassifier": {"n_estimators": 100},
    "lightgbm.LGBMClassifier": {"n_estimators": 100, "verbose": -1},
    "catboost.CatBoostClassifier": {"n_estimators": 100, "verbose": False, "thread_count": 1},
}


ONNX = "ONNX, a softmax regression"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=300, help="requests of each model to the gateway; 0 for no gateway")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(options.rows, len(FEATURES)))
    labels = matrix[:, :3].sum(axis=1) + rng.normal(size=options.rows) > 0
    models: dict[str, Any] = {ONNX: _onnx(matrix)}
    rows = [_measured(path, params, matrix, labels, options.rounds, models) for path, params in ESTIMATORS.items()]
    show(
        f"{options.rows:,} rows x {len(FEATURES)} numbers, seconds, the median of {options.rounds}",
        ("model", "fit", "ratio", "predict", "ratio", "save", "load", "MB"),
        rows,
    )
    if options.requests:
        records = [dict(zip(FEATURES, row, strict=True)) for row in matrix[: options.requests].tolist()]
        with tempfile.TemporaryDirectory() as folder:
            served = _served(models, records, Path(folder))
        show(
            f"{options.requests:,} requests of one row each, ms",
            ("model", "pyfunc p50", "gateway p50", "difference", "gateway p99"),
            served,
        )


def _measured(
    path: str, params: dict[str, Any], matrix: Any, labels: Any, rounds: int, models: dict[str, Any]
) -> tuple[str, ...]:
    """A row of the first table; the saved model is added to `models`."""
    import pandas as pd

    from taxiway.features.encoding import predict_rows, raw_frame
    from taxiway.spec.model.section import Model
    from taxiway.training.estimator import build_estimator
    from taxiway.training.fit import fit
    from taxiway.training.rows import TrainingRows

    model, rows = Model(estimator=path, params=params), TrainingRows(matrix, labels, "y")
    plain, estimator = (build_estimator(model, {}, "classification") for _ in range(2))
    alone = seconds(lambda: plain.fit(matrix, labels), rounds)
    ours = seconds(lambda: fit(estimator, rows), rounds)
    frame = pd.DataFrame(matrix, columns=list(FEATURES))
    saved = models[path.rpartition(".")[2]] = _row_model(estimator, frame)
    bare = seconds(_without_taxiway(estimator, frame, labels), rounds)
    served = seconds(lambda: predict_rows(saved.predict_frame, raw_frame(frame, FEATURES, ())), rounds)
    save_s, load_s, size = _saved(saved, rounds)
    return (
        path.rpartition(".")[2],
        *(f"{ours:.2f}", f"{ours / alone:.2f}", f"{served:.3f}", f"{served / bare:.2f}"),
        *(f"{save_s:.2f}", f"{load_s:.2f}", f"{size / 1e6:.2f}"),
    )


def _without_taxiway(estimator: Any, frame: Any, labels: Any) -> Any:
    """Predictions for the raw columns by scikit-learn and the framework alone."""
    from sklearn.base import clone
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from taxiway.training.estimator import accepts_missing

    if accepts_missing(estimator):
        matrix = frame.to_numpy()
        return lambda: estimator.predict_proba(matrix)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    peer = make_pipeline(ColumnTransformer([("numbers", numbers, list(FEATURES))]), clone(estimator)).fit(frame, labels)
    return lambda: peer.predict_proba(frame)


def _row_model(estimator: Any, frame: Any) -> Any:
    """The model as it is saved: the transform and the fitted estimator."""
    from sklearn.pipeline import Pipeline

    from taxiway.features.build import build_transform
    from taxiway.features.columns import FeatureColumns
    from taxiway.features.signature import ModelColumns
    from taxiway.models.row_model import RowModel
    from taxiway.training.estimator import accepts_missing

    transform = build_transform(FeatureColumns(FEATURES, ()), accepts_missing=accepts_missing(estimator)).fit(frame)
    return RowModel.of(Pipeline([("transform", transform), ("model", estimator)]), ModelColumns(FEATURES, ()), ("no", "yes"))


def _onnx(matrix: Any) -> Any:
    """A softmax regression with made-up weights."""
    import pandas as pd
    from onnx import TensorProto, helper, numpy_helper

    from taxiway.models.onnx_model import OnnxModel, content_of

    weights = np.random.default_rng(2).normal(size=(len(FEATURES), 2))
    nodes = [helper.make_node("MatMul", ["rows", "weights"], ["scores"]), helper.make_node("Softmax", ["scores"], ["answers"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, size])
        for name, size in (("rows", len(FEATURES)), ("answers", 2))
    ]
    graph = helper.make_graph(nodes, "softmax", ends[:1], ends[1:], [numpy_helper.from_array(weights, "weights")])
    content = content_of(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9))
    return _row_model(OnnxModel(content or b""), pd.DataFrame(matrix, columns=list(FEATURES)))


def _served(models: dict[str, Any], records: list[dict[str, Any]], folder: Path) -> list[tuple[str, ...]]:
    """Rows of the second table: one request after the other, each model in this process and through the gateway."""
    import pandas as pd
    from mlflow import MlflowClient
    from serving_stack import ADMIN, CALLER, gateway_server, mlflow_server

    from taxiway.registry.load import load_trusted
    from taxiway.registry.register import ModelToSave, register
    from taxiway.serving.client import GatewayClient

    found: list[tuple[str, ...]] = []
    with mlflow_server(folder) as mlflow:
        client = MlflowClient(mlflow.url)
        run = client.create_run(client.create_experiment("benchmarks")).info.run_id
        names = {f"benchmarks.m{at}": title for at, title in enumerate(models)}
        for name, title in names.items():
            register(client, run, name, ModelToSave(models[title], pd.DataFrame(records[:1]), name, {}, {}))
            client.set_registered_model_alias(name, "champion", "1")
        with gateway_server(folder, mlflow.url, [*names]) as gateway:
            admin, caller = GatewayClient(gateway.url, ADMIN), GatewayClient(gateway.url, CALLER)
            for name, title in names.items():
                found.append((title, *_asked(name, load_trusted(mlflow.url, name, 1), records, admin, caller)))
            caller.close()
            admin.close()
    return found


def _asked(name: str, model: Any, records: list[dict[str, Any]], admin: Any, caller: Any) -> tuple[str, ...]:
    """The milliseconds of one row by the model in this process, and by the gateway."""
    import pandas as pd
    from gateway import one_by_one
    from measuring import percentile
    from serving_stack import until

    def ask(record: dict[str, Any]) -> Any:
        return caller.predict(name, [record])

    until(lambda: admin.status(name).champion == 1, f"{name} is loaded", 120)
    alone = one_by_one(lambda record: model.predict(pd.DataFrame([record])), records)
    one_by_one(ask, records[:50])
    taken = one_by_one(ask, records)
    bare, mine = percentile(alone, 50), percentile(taken, 50)
    return (f"{bare:.1f}", f"{mine:.1f}", f"{mine - bare:+.1f}", f"{percentile(taken, 99):.1f}")


def _saved(model: Any, rounds: int) -> tuple[float, float, int]:
    """Seconds to save and to load a model, with the checks of its types, and its size in bytes."""
    import skops.io

    from taxiway.registry.register import check_savable

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        trusted: list[str] = []

        def save() -> None:
            trusted.extend(check_savable(model))
            skops.io.dump(model, path)

        saving = seconds(save, rounds)
        return saving, seconds(lambda: skops.io.load(path, trusted=trusted), rounds), path.stat().st_size


if __name__ == "__main__":
    main()
