"""What a model predicts for training rows that it was not fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.records import FeatureSet
from taxiway.spec.model.section import Model
from taxiway.store import Store
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit, training_data
from taxiway.training.history import Watch
from taxiway.training.own.raw_rows import RawRows
from taxiway.training.own.training import OwnTraining
from taxiway.training.rows import read_training_rows, split_rows
from taxiway.training.train import NO_TRANSFORM

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeldOut:
    """The predictions for n rows, which all count alike, as evaluation rows do.

    Attributes:
        probabilities: The probabilities of the classes (n, classes).
        labels: The position of the class of each row (n).
    """

    probabilities: "Floats"
    labels: "Floats"


def held_out(
    fitted: Any, features: FeatureSet, model: Model, overrides: Mapping[str, Any], fraction: float, *, store: Store
) -> HeldOut:
    """Predict training rows by an estimator that has not seen them.

    An estimator is fitted once more, on the other rows, in the same way. What trains by itself has held out a tenth of the rows already.

    Args:
        fitted: The fitted pipeline, from `train`.
        features: The feature set that it was fitted to, with classes.
        model: The `model` section.
        overrides: Parameters that replace those of `model.params`.
        fraction: The fraction of the rows to hold out.
        store: Where the rows are.

    Raises:
        FitError: The estimator could not be fitted to the other rows.
    """
    import numpy as np

    rows, names = read_training_rows(features, store)
    estimator = build_estimator(model, overrides, "classification")
    if isinstance(estimator, OwnTraining):
        data = training_data(rows, features.classes, names, raw=RawRows(features, store))
        on_frame = fitted[0] == NO_TRANSFORM
        estimator, labels = fitted[-1], data.validation_labels
        matrix = data.validation_frame if on_frame else data.validation_matrix
    else:
        learned, held = split_rows(rows, fraction, stratified=True)
        fit(estimator, rows.take(learned), model.early_stopping, Watch(model.stop_on))
        matrix, labels = rows.matrix[held], np.unique(rows.labels, return_inverse=True)[1][held]
    return HeldOut(np.asarray(estimator.predict_proba(matrix), dtype=float), labels.astype(float))
