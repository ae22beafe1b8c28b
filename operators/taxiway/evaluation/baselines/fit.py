"""Models that a candidate is compared with to see what its complexity buys: a linear model, and a dummy model."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import read_rows
from taxiway.evaluation.threshold import ThresholdRule
from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.encoding import frame_of
from taxiway.features.labels import true_labels
from taxiway.features.transform import dump_fitted, load_fitted
from taxiway.messages import error_line
from taxiway.records import BaselineModel, FeatureSet, Snapshot
from taxiway.records.evaluation import BaselineName
from taxiway.spec.model.threshold import ChosenThreshold
from taxiway.stats.seed import SEED
from taxiway.store import StageKey, Store, keep, made_before
from taxiway.training.rows import TrainingRows, split_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = Callable[[], tuple[pd.DataFrame, Floats]]

_log = logging.getLogger(__name__)
_NO_RULE = ThresholdRule()
_RULE = 1  # version of the estimators and of their rows; see StageKey
_MAX_ROWS = 50_000
_MAX_CELLS = 10_000_000
"""Of the features, or of the probabilities, that a fit has in memory at once."""
_MAX_CATEGORIES = 200
_MAX_ITERATIONS = 100
_TOLERANCE = 1e-3
"""Ten times scikit-learn's own: a quarter of the iterations, and the same metrics to the third decimal."""


@dataclass(frozen=True)
class FittedBaseline:
    """A fitted baseline.

    Attributes:
        record: Its record.
        pipeline: A scikit-learn estimator that takes frames of `raw_frame`.
        classes: The classes as text, in the order of its probabilities; empty for a regression.
    """

    record: BaselineModel
    pipeline: Any
    classes: tuple[str, ...]

    @property
    def threshold(self) -> float | None:
        """The probability at or above which it predicts the second of two classes; None for 0.5."""
        return self.record.threshold if len(self.classes) == 2 else None

    def predict(self, frame: "pd.DataFrame") -> Any:
        """The probabilities of the classes, or numbers for a regression."""
        return self.pipeline.predict_proba(frame) if self.classes else self.pipeline.predict(frame)


def fit_baselines(
    features: FeatureSet, snapshot: Snapshot, store: Store, rule: ThresholdRule = _NO_RULE
) -> tuple[FittedBaseline, ...]:
    """Fit the baselines of a feature set, or load those that were fitted before.

    They are fitted on the raw columns of at most 50,000 training rows, fewer if there are very many columns or classes. The linear
    model has a transform of its own: numbers imputed and scaled, categories one-hot encoded. A baseline that cannot be fitted is left
    out with a warning, because nothing is decided by it.

    Args:
        features: The feature set of the candidate. Only its columns and its label are used, not its transform.
        snapshot: The snapshot that it was made from.
        store: Where rows and fitted baselines are.
        rule: How to find the decision threshold. To choose it, some of the rows are held out from one more fit.
    """

    @cache
    def rows() -> "tuple[pd.DataFrame, Floats]":
        return _training_rows(features, snapshot, store)

    found = (_find_or_fit(name, features, rows, store, rule) for name in _BUILD)
    return tuple(baseline for baseline in found if baseline is not None)


def _find_or_fit(
    name: BaselineName, features: FeatureSet, rows: "Rows", store: Store, rule: ThresholdRule
) -> FittedBaseline | None:
    try:
        key = _key(name, features, rule)
        made = made_before(store, key, BaselineModel, whole=lambda made: store.is_whole(made.model))
        if made is not None:
            pipeline = load_fitted(made.model, store)
        else:
            pipeline = _fit(_BUILD[name](features), *rows())
            model, size = dump_fitted(pipeline, store)
            record = BaselineModel(
                name=name,
                snapshot=features.snapshot,
                model=model,
                model_bytes=size,
                rows=len(rows()[1]),
                threshold=_threshold(_BUILD[name](features), features, rows, rule),
            )
            made = keep(store, key, record)
    except Exception as error:  # of any library, about any rows
        _log.warning("the candidate is not compared with a %s model, which could not be fitted: %s", name, error_line(error))
        return None
    return FittedBaseline(
        made, pipeline, tuple(features.classes[int(at)] for at in pipeline.classes_) if features.classes else ()
    )


def _threshold(estimator: Any, features: FeatureSet, rows: "Rows", rule: ThresholdRule) -> float | None:
    """The decision threshold of a baseline; None for 0.5, and if no rows are left to choose it on."""
    if len(features.classes) != 2 or not isinstance(rule.given, ChosenThreshold):
        return rule.given if isinstance(rule.given, float) else None
    frame, labels = rows()
    positions = TrainingRows(labels.reshape(-1, 1), labels, features.label)
    learned, held = split_rows(positions, rule.given.fraction, stratified=True)
    if not len(held):
        return None
    probabilities = _fit(estimator, frame.iloc[learned], labels[learned]).predict_proba(frame.iloc[held])
    return rule.threshold(features.classes, probabilities, labels[held])


def _key(name: BaselineName, features: FeatureSet, rule: ThresholdRule) -> StageKey:
    params = {
        "name": name,
        "columns": FeatureColumns.of(features),
        "types": dict(features.types),
        "label": features.label,
        "classes": features.classes,
        "rule": _RULE,
        **rule.key(),
    }
    inputs = {"snapshot": features.snapshot, "schema": features.schema_version}
    return StageKey("baseline", inputs, params, packages=("scikit-learn", "scipy", "skops"))


def _training_rows(features: FeatureSet, snapshot: Snapshot, store: Store) -> "tuple[pd.DataFrame, Floats]":
    """The raw columns of some training rows, and their labels: numbers, or positions among the classes."""
    import numpy as np

    rows = read_rows(snapshot.training, store, [*features.columns, features.label])
    most = min(_MAX_ROWS, _MAX_CELLS // max(len(features.columns), len(features.classes)))
    if len(rows) > most:
        rows = rows.iloc[np.sort(np.random.default_rng(SEED).choice(len(rows), most, replace=False))].reset_index(drop=True)
    frame = frame_of(features, rows)
    return frame, true_labels(rows[features.label], features.classes)


def _fit(estimator: Any, frame: "pd.DataFrame", labels: "Floats") -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a baseline need not be the best of its kind
        return estimator.fit(frame, labels)


def _dummy(features: FeatureSet) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyClassifier(strategy="prior") if features.classes else DummyRegressor()


def _classifier() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=_MAX_ITERATIONS, tol=_TOLERANCE)


def _linear(features: FeatureSet) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    transform = build_transform(
        FeatureColumns.of(features),
        accepts_missing=False,
        types=features.types,
        sparse=True,
        max_categories=_MAX_CATEGORIES,
    )
    return make_pipeline(transform, _classifier() if features.classes else Ridge())


_BUILD: Mapping[BaselineName, Callable[[FeatureSet], Any]] = {"linear": _linear, "dummy": _dummy}
