"""What models predict that are fitted on parts of the training rows, for rows that none of them was fitted on."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from taxiway.errors import FitError
from taxiway.records import FeatureSet
from taxiway.spec.metrics import Problem
from taxiway.spec.model.section import Model
from taxiway.store import Store
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit, training_data
from taxiway.training.history import Watch
from taxiway.training.learning_curve.parts import MIN_SIZES, Groups, NotMeasured, parts_of
from taxiway.training.own.raw_rows import RawRows
from taxiway.training.own.training import OwnTraining, takes_frame
from taxiway.training.rows import TrainingRows, read_training_rows
from taxiway.training.train import answers_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Positions = NDArray[np.intp]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictedBySize:
    """The predictions of models for the same n held-out rows.

    Attributes:
        sizes: The number of rows that each model was fitted on, smallest first.
        answers: For each size, the probabilities of the classes (n, classes), or numbers (n).
        labels: The position of the class of each row, or its number (n).
        groups: The number of the group of each row, from 0 (n); None if each row is on its own.
    """

    sizes: tuple[int, ...]
    answers: "tuple[Floats, ...]"
    labels: "Floats"
    groups: "Positions | None" = None


def predicted_by_size(
    features: FeatureSet, model: Model, overrides: Mapping[str, Any], *, store: Store, group_by: str | None = None
) -> PredictedBySize | NotMeasured:
    """Fit an estimator on parts of the training rows of which each contains the one before, and predict a fifth of the rows.

    At most 20,000 rows are held out. A part has at least 50 rows, and 5 of each class; smaller ones are left out, and so is one to
    which the estimator could not be fitted. With groups, whole groups are held out, and the parts are of more and more groups: else
    the curve would be that of more rows of known groups, and flatter than that of new ones.

    Args:
        features: The feature set.
        model: The `model` section.
        overrides: Parameters that replace those of `model.params`.
        store: Where the rows are.
        group_by: A column of the source; rows with the same value of it are one group. None if each row is on its own.

    Returns:
        The predictions; why there are none, if fewer than two parts are large enough, or if fewer than two could be fitted to.

    Raises:
        ConfigError: The estimator or a parameter is not valid.
    """
    import numpy as np

    rows, names = read_training_rows(features, store)
    problem: Problem = "classification" if features.classes else "regression"
    groups = Groups(group_by, RawRows(features, store).groups(group_by)) if group_by is not None else None
    parts = parts_of(rows, problem, groups)
    if isinstance(parts, NotMeasured):
        return parts
    held = parts.held
    answers: dict[int, Floats] = {}
    for part in parts.learned:
        estimator = build_estimator(model, overrides, problem)
        try:
            if isinstance(estimator, OwnTraining):
                answers[len(part)] = _answers_of_own(estimator, rows, part, held, names, features, store)
            else:
                fit(estimator, rows.take(part), model.early_stopping, Watch(model.stop_on))
                answers[len(part)] = np.asarray(answers_of(estimator, rows.matrix[held]), dtype=float)
        except FitError as error:
            _log.warning("the learning curve has no value for %d rows: %s", len(part), error)
    if len(answers) < MIN_SIZES:
        return NotMeasured(
            f"the estimator could be fitted to {len(answers)} of {len(parts.learned)} parts of the training rows; see above"
        )
    labels = np.unique(rows.labels, return_inverse=True)[1] if features.classes else rows.labels
    held_groups = None if groups is None else np.unique(groups.numbers[held], return_inverse=True)[1]
    return PredictedBySize(tuple(answers), tuple(answers.values()), np.asarray(labels[held], dtype=float), held_groups)


def _answers_of_own(
    own: OwnTraining,
    rows: TrainingRows,
    part: "Positions",
    held: "Positions",
    names: tuple[str, ...],
    features: FeatureSet,
    store: Store,
) -> "Floats":
    """The answers of a model that a team's function or program trains anew on a part of the rows."""
    import numpy as np

    raw = RawRows(features, store)
    data = training_data(rows.take(part), features.classes, names, raw=raw)
    data = replace(data, learned=part[data.learned], held=part[data.held])
    problem: Problem = "classification" if features.classes else "regression"
    estimator = own.fit(data, problem, lambda: None)
    return np.asarray(
        answers_of(estimator, raw.frame(held) if takes_frame(estimator, data) else rows.matrix[held]), dtype=float
    )
