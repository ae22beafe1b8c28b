"""Predictions of a loaded model for raw rows, as metrics take them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.features.encoding import predict_rows, raw_frame
from taxiway.features.signature import predict_function, signature_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LoadedModel:
    """A loaded model version.

    Attributes:
        version: Its number in the registry.
        predictor: A pyfunc model with a signature; see `predict_function`.
        classes: The label's values as text, in the order of the probabilities; empty for a regression.
    """

    version: int
    predictor: Any
    classes: tuple[str, ...]


def score(model: LoadedModel, rows: "pd.DataFrame") -> "Floats":
    """The predictions of a model: for each row the probability of the positive class, or a number.

    A column of the model that the rows do not have is without values.
    """
    import numpy as np

    columns = signature_columns(model.predictor)
    whole = rows.assign(**dict.fromkeys(missing_columns(model, rows)))
    frame = raw_frame(whole, columns.numeric, columns.categorical, columns.types)
    answers = np.asarray(predict_rows(predict_function(model.predictor), frame), dtype=float)
    scores: Floats = answers[:, 1] if model.classes else answers.reshape(-1)
    return scores


def missing_columns(model: LoadedModel, rows: "pd.DataFrame") -> tuple[str, ...]:
    """The columns of a model's signature that the rows do not have."""
    return tuple(name for name in signature_columns(model.predictor).names if name not in rows)
