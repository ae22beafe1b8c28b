"""What the library adds to a framework: fitting, predicting, saving and loading models of each kind.

Made-up rows of ten numbers with two classes. In one process, the median of some rounds: the framework alone on a matrix in
memory; Taxiway's `fit` on the same matrix, which prepares labels and, with early stopping, holds rows out; predictions of the framework
alone, and of a model as it is evaluated and served, from raw columns. Then the seconds of saving and loading, with the checks of types, and the size.
Ratios are to the framework alone.
"""

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from measuring import seconds, show

FEATURES = tuple(f"x{at}" for at in range(10))
ESTIMATORS: dict[str, dict[str, Any]] = {
    "sklearn.linear_model.LogisticRegression": {"max_iter": 200},
    "sklearn.ensemble.HistGradientBoostingClassifier": {"max_iter": 100, "early_stopping": False},
    "xgboost.XGBClassifier": {"n_estimators": 100},
    "lightgbm.LGBMClassifier": {"n_estimators": 100, "verbose": -1},
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(options.rows, len(FEATURES)))
    labels = matrix[:, :3].sum(axis=1) + rng.normal(size=options.rows) > 0
    rows = [_measured(path, params, matrix, labels, options.rounds) for path, params in ESTIMATORS.items()]
    show(
        f"{options.rows:,} rows x {len(FEATURES)} numbers, seconds, the median of {options.rounds}",
        ("model", "fit", "ratio", "predict", "ratio", "save", "load", "MB"),
        rows,
    )


def _measured(path: str, params: dict[str, Any], matrix: Any, labels: Any, rounds: int) -> tuple[str, ...]:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from taxiway.features.build import build_transform
    from taxiway.features.columns import FeatureColumns
    from taxiway.features.encoding import predict_rows, raw_frame
    from taxiway.features.row_model import RowModel
    from taxiway.features.signature import ModelColumns
    from taxiway.spec.pipeline import Model
    from taxiway.training.estimator import accepts_missing, build_estimator
    from taxiway.training.fit import TrainingRows, fit

    model, rows = Model(estimator=path, params=params), TrainingRows(matrix, labels, "y")
    plain, estimator = (build_estimator(model, {}, "classification") for _ in range(2))
    alone = seconds(lambda: plain.fit(matrix, labels), rounds)
    ours = seconds(lambda: fit(estimator, rows), rounds)
    frame = pd.DataFrame(matrix, columns=list(FEATURES))
    transform = build_transform(FeatureColumns(FEATURES, ()), accepts_missing=accepts_missing(estimator)).fit(frame)
    saved = RowModel.of(Pipeline([("transform", transform), ("model", estimator)]), ModelColumns(FEATURES, ()), ("no", "yes"))
    bare = seconds(lambda: estimator.predict_proba(matrix), rounds)
    served = seconds(lambda: predict_rows(saved.predict_frame, raw_frame(frame, FEATURES, ())), rounds)
    save_s, load_s, size = _saved(saved, rounds)
    return (
        path.rpartition(".")[2],
        *(f"{ours:.2f}", f"{ours / alone:.2f}", f"{served:.3f}", f"{served / bare:.2f}"),
        *(f"{save_s:.2f}", f"{load_s:.2f}", f"{size / 1e6:.2f}"),
    )


def _saved(model: Any, rounds: int) -> tuple[float, float, int]:
    """Seconds to save and to load a model, with the checks of its types, and its size in bytes."""
    import skops.io

    from taxiway.registry.models import check_savable

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
