"""Training: the estimator on the transformed rows, joined with the transform into the one object that is served."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import FitError, TaxiwayError
from taxiway.features.transform import load_fitted
from taxiway.records import FeatureSet
from taxiway.records.digests import digest_of_file
from taxiway.records.recorder import Recorder
from taxiway.spec.pipeline import Model
from taxiway.spec.python_refs import look_up
from taxiway.store import StageKey, Store
from taxiway.training.estimator import build_estimator

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_ROWS = 100


def candidate_key(features: FeatureSet, report: str | None, model: Model, overrides: Mapping[str, Any]) -> StageKey:
    """Everything that makes this candidate: rows, transform, DataReport, estimator, parameters, the packages that fit it.

    For `build`, the content of the file that defines the function counts, not where it lies, and not the files that it imports.
    The same key means the same model, so a second try finds the version that the first one registered.
    """
    described = {**model.model_dump(mode="json"), "build": model.build and Path(model.build).name}
    return StageKey(
        "train",
        {"features": features.digest, "report": report},
        {"model": described, "overrides": dict(overrides)},
        code=_code_digest(model),
        packages=("scikit-learn", "numpy", "skops"),
    )


def _code_digest(model: Model) -> dict[str, str]:
    """The digest of the file with the function that builds the estimator; empty for an estimator of an installed package."""
    if model.build is None:
        return {}
    source = model.build.rpartition(":")[0]
    if source.endswith(".py"):
        return {"build": digest_of_file(Path(source))}
    file = inspect.getsourcefile(inspect.unwrap(look_up(model.build, ":", "model")))
    return {"build": digest_of_file(Path(file))} if file else {}


def fit(estimator: Any, matrix: Any, labels: Any, *, label: str) -> None:
    """Fit in place. Raises FitError with what the estimator says of its parameters or of these rows."""
    try:
        estimator.fit(matrix, labels)
    except (MemoryError, TaxiwayError, OSError):
        raise  # not of parameters and rows
    except Exception as error:
        raise FitError(
            f"{type(estimator).__name__} could not be fitted to {label} on {len(labels):,} rows: {type(error).__name__}: {error}"
        ) from error


def train(features: FeatureSet, model: Model, overrides: Mapping[str, Any], *, store: Store, recorder: Recorder) -> Any:
    """Fit the estimator; returns a scikit-learn Pipeline from raw columns to answers, the same for the same arguments.

    It gives a probability for each of the two classes of `features`, or a number where it has none. Raises FitError where the
    estimator refuses its parameters or the rows.
    """
    import time

    import pyarrow.parquet as pq
    from sklearn.pipeline import Pipeline

    estimator = build_estimator(model, overrides, "classification" if features.classes else "regression")
    with store.local_file(features.rows) as path:
        table = pq.read_table(path)
    labels = table.column("label").to_numpy()
    matrix = table.drop_columns(["label"]).to_pandas().to_numpy()
    recorder.params({f"model.{name}": value for name, value in {**model.params, **overrides}.items()})
    started = time.monotonic()
    fit(estimator, matrix, labels, label=features.label)
    recorder.metrics({"train.seconds": time.monotonic() - started, "train.rows": features.row_count})
    return Pipeline([("transform", load_fitted(features.transform, store)), ("model", estimator)])


def example_rows(rows: "pd.DataFrame", features: FeatureSet) -> "pd.DataFrame":
    """The first raw training rows, in the model's shape: what its signature and input example are made of."""
    from taxiway.features.encoding import raw_frame

    return raw_frame(rows.head(EXAMPLE_ROWS), features.numeric, features.categorical)
