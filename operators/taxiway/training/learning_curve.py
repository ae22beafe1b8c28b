"""What models predict that are fitted on parts of the training rows, for rows that none of them was fitted on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from taxiway.errors import FitError
from taxiway.messages import counted
from taxiway.records import FeatureSet
from taxiway.spec.metrics import Problem
from taxiway.spec.model.section import Model
from taxiway.stats.seed import SEED
from taxiway.store import Store
from taxiway.training.estimator import build_estimator
from taxiway.training.fit import fit, training_data
from taxiway.training.history import Watch
from taxiway.training.own.raw_rows import RawRows
from taxiway.training.own.training import OwnTraining, takes_frame
from taxiway.training.rows import TrainingRows, read_training_rows, split_rows
from taxiway.training.train import answers_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Positions = NDArray[np.intp]

MOST_SIZES = 6
"""A half, a fourth and so on, up to a 32nd, of the rows to learn from; all fits together learn from less than twice these rows."""
LEAST_SIZES = 2
"""With fewer sizes there is no curve."""
_HELD_OUT, _MOST_HELD_OUT = 0.2, 20_000
_LEAST_ROWS, _LEAST_OF_A_CLASS = 50, 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictedBySize:
    """The predictions of models for the same n held-out rows.

    Attributes:
        sizes: The number of rows that each model was fitted on, smallest first.
        answers: For each size, the probabilities of the classes (n, classes), or numbers (n).
        labels: The position of the class of each row, or its number (n).
    """

    sizes: tuple[int, ...]
    answers: "tuple[Floats, ...]"
    labels: "Floats"


@dataclass(frozen=True)
class NotMeasured:
    """That there is no learning curve.

    Attributes:
        reason: Why not, for people: a clause.
    """

    reason: str


def predicted_by_size(
    features: FeatureSet, model: Model, overrides: Mapping[str, Any], *, store: Store
) -> PredictedBySize | NotMeasured:
    """Fit an estimator on parts of the training rows of which each contains the one before, and predict a fifth of the rows.

    At most 20,000 rows are held out. A part has at least 50 rows, and 5 of each class; smaller ones are left out, and so is one to
    which the estimator could not be fitted.

    Args:
        features: The feature set.
        model: The `model` section.
        overrides: Parameters that replace those of `model.params`.
        store: Where the rows are.

    Returns:
        The predictions; why there are none, if fewer than two parts are large enough, or if fewer than two could be fitted to.

    Raises:
        ConfigError: The estimator or a parameter is not valid.
    """
    import numpy as np

    rows, names = read_training_rows(features, store)
    problem: Problem = "classification" if features.classes else "regression"
    fraction = min(_HELD_OUT, _MOST_HELD_OUT / len(rows.labels))
    if len(rows.labels) * (1 - fraction) < _LEAST_ROWS << 1:
        return _too_few(len(rows.labels), problem)
    learned, held = split_rows(rows, fraction, stratified=bool(features.classes))
    labels = np.unique(rows.labels, return_inverse=True)[1] if features.classes else rows.labels
    parts = _parts(learned, labels if features.classes else None)
    if len(parts) < LEAST_SIZES:
        return _too_few(len(rows.labels), problem)
    answers: dict[int, Floats] = {}
    for part in parts:
        estimator = build_estimator(model, overrides, problem)
        try:
            if isinstance(estimator, OwnTraining):
                answers[len(part)] = _answers_of_own(estimator, rows, part, held, names, features, store)
            else:
                fit(estimator, rows.take(part), model.early_stopping, Watch(model.stop_on))
                answers[len(part)] = np.asarray(answers_of(estimator, rows.matrix[held]), dtype=float)
        except FitError as error:
            _log.warning("the learning curve has no value for %d rows: %s", len(part), error)
    if len(answers) < LEAST_SIZES:
        return NotMeasured(
            f"the estimator could be fitted to {len(answers)} of {len(parts)} parts of the training rows; see above"
        )
    return PredictedBySize(tuple(answers), tuple(answers.values()), np.asarray(labels[held], dtype=float))


def _too_few(rows: int, problem: Problem) -> NotMeasured:
    of_classes = f" and {_LEAST_OF_A_CLASS} of each class" if problem == "classification" else ""
    return NotMeasured(
        f"{counted(rows, 'training row')} are too few: of four fifths of them, at least {LEAST_SIZES} parts, such as a half and all, must "
        f"have {_LEAST_ROWS} rows{of_classes}"
    )


def _parts(learned: "Positions", classes: "Positions | None") -> "Sequence[Positions]":
    """The parts of the rows to learn from, smallest first; `classes` has the class of each row, None for a regression."""
    import numpy as np

    shuffled = np.random.default_rng(SEED).permutation(learned)
    halves = [shuffled[: len(shuffled) >> times] for times in reversed(range(MOST_SIZES))]
    return [part for part in halves if len(part) >= _LEAST_ROWS and (classes is None or _has_all(classes[part], classes))]


def _has_all(part: "Positions", classes: "Positions") -> bool:
    import numpy as np

    return bool(np.bincount(part, minlength=int(classes.max()) + 1).min() >= _LEAST_OF_A_CLASS)


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
