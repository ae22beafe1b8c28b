"""Predictions of a loaded model for raw rows, as metrics take them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError
from taxiway.evaluation.predictions import Predictions, predictions_of
from taxiway.features.encoding import predict_rows, raw_frame
from taxiway.features.signature import decision_threshold, predict_function, signature_columns

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A loaded model version.

    Attributes:
        version: Its number in the registry.
        predictor: A pyfunc model with a signature; see `predict_function`.
        classes: The label's values as text, in the order of the probabilities; empty for a regression.
        size: The size of its file in bytes; None if it is not known.
        renamed: The present name of columns that the source has renamed, by their former name: an older model takes the former one.
    """

    version: int
    predictor: Any
    classes: tuple[str, ...]
    size: int | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)


def score(model: LoadedModel, rows: "pd.DataFrame", classes: Sequence[str], positive: int | None) -> Predictions:
    """The predictions of a model for rows of the source; see `model_frame` and `score_frame`."""
    return score_frame(model, model_frame(model, rows), classes, positive)


def score_frame(model: LoadedModel, frame: "pd.DataFrame", classes: Sequence[str], positive: int | None) -> Predictions:
    """The predictions for a frame of `model_frame`.

    Args:
        model: The model.
        frame: The rows.
        classes: All classes of the comparison, among them those of the model; empty for a regression.
        positive: See `Predictions.positive`.
    """
    answers = predict_rows(predict_function(model.predictor), frame)
    return predictions_of(answers, model.classes, classes, positive, decision_threshold(model.predictor))


def model_frame(model: LoadedModel, rows: "pd.DataFrame") -> "pd.DataFrame":
    """The raw columns of a model.

    A column of the model that the rows do not have is without values. If the type of a column has changed at the source, values that
    the model's type does not have are categories that it does not know.

    Raises:
        DataError: A value of a column of numbers is not a number.
    """
    columns = signature_columns(model.predictor)
    former = {new: old for old, new in model.renamed.items() if old in columns.names and old not in rows and new in rows}
    whole = rows.rename(columns=former).assign(**dict.fromkeys(missing_columns(model, rows)))
    arguments = (whole, columns.numeric, columns.categorical, columns.types)
    try:
        return raw_frame(*arguments)
    except DataError as error:
        frame = raw_frame(*arguments, lenient=True)
        _log.warning("version %d is evaluated on values that it would refuse in requests: %s", model.version, error)
        return frame


def missing_columns(model: LoadedModel, rows: "pd.DataFrame") -> tuple[str, ...]:
    """The columns of a model's signature that the rows do not have, by their former name or the present one."""
    return tuple(
        name for name in signature_columns(model.predictor).names if name not in rows and model.renamed.get(name) not in rows
    )
