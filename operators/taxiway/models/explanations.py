"""Explains predictions: what each raw column of a row contributes to its prediction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError
from taxiway.features.encoding import predict_rows, raw_frame
from taxiway.features.labels import predicted_classes
from taxiway.features.origins import origins
from taxiway.features.signature import predict_function, raw_model
from taxiway.models.contributions import EXPLAINED, contributions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Cells = Mapping[str, list[Any]]
UNITS = ("log_odds", "probability", "log_probability", "prediction", "log_prediction")
"""The units of contributions; see `Explanations`."""
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5
"""How far the sum of contributions may be from the prediction, relative to the summands: XGBoost and LightGBM compute with 32-bit floats."""


@dataclass(frozen=True)
class Explanation:
    """What the columns contribute to a prediction.

    Attributes:
        of: The class whose probability is explained: the second of two, or the predicted one of several; empty for a regression.
        base: What the model predicts on average, in the unit of the contributions.
        contributions: What each column adds to it. Their sum and the base are the prediction, in that unit.
    """

    of: str
    base: float
    contributions: Mapping[str, float]


@dataclass(frozen=True)
class Explanations:
    """Explanations of rows.

    Attributes:
        unit: `log_odds` of the class; `probability` of it; `log_probability`, of which the constant that makes the probabilities of all
            classes add up to 1 is left out; `prediction`, a number; or `log_prediction`, its natural logarithm.
        rows: The explanation of each row.
    """

    unit: str
    rows: Sequence[Explanation]


def explainer_of(model: Any) -> Callable[[Cells], Explanations]:
    """The function that explains predictions of a pyfunc model, for the cells of each column as JSON values.

    It raises DataError if a value does not have the type of its column, and ConfigError if the contributions do not add up to the
    predictions, so that they would explain another model.

    Raises:
        ConfigError: The model cannot be explained.
    """
    from sklearn.pipeline import Pipeline

    from taxiway.models.row_model import RowModel

    raw = raw_model(model)
    pipeline = raw.estimator if type(raw) is RowModel else None
    if not isinstance(pipeline, Pipeline) or len(pipeline.steps) != 2:
        raise _not_explained("it is not a transform and an estimator")
    if raw.calibration is not None:
        raise _not_explained("it was recalibrated, and contributions are to what its estimator predicts")
    (_, transform), (_, estimator) = pipeline.steps
    made_of = origins(transform)
    contribute = contributions(estimator, raw.means)
    if made_of is None or contribute is None:
        raise _not_explained(
            "a feature is computed from several columns"
            if made_of is None
            else f"its estimator is {_kind(estimator, raw.means)}"
        )
    predict, columns = predict_function(model), raw.columns

    def explained(cells: Cells) -> Explanations:
        import numpy as np

        frame = raw_frame(cells, columns.numeric, columns.categorical, columns.types)
        features = transform.transform(frame)
        dense = np.asarray(features.toarray() if hasattr(features, "toarray") else features, dtype="float64")
        return _explanations(contribute(dense), np.asarray(predict_rows(predict, frame)), made_of, raw.classes, raw.threshold)

    return explained


def _explanations(
    found: "Floats", predictions: "Floats", made_of: Sequence[str], classes: Sequence[str], threshold: float | None
) -> Explanations:
    """The explanations, from the contributions (rows, features + 1, outputs) and the predictions."""
    import numpy as np

    unit = _unit(found.sum(axis=1), np.abs(found).sum(axis=1), predictions)
    outputs = found.shape[2]
    chosen = predicted_classes(predictions, threshold) if len(classes) > 2 else np.full(len(found), max(0, len(classes) - 1))
    names = list(dict.fromkeys(made_of))
    of_column = np.array([[name == origin for origin in made_of] for name in names], dtype="float64")
    rows = []
    for at, position in enumerate(chosen.tolist()):
        *values, base = found[at, :, position if outputs > 1 else 0]
        sums = (of_column @ np.asarray(values)).tolist()
        rows.append(Explanation(classes[position] if classes else "", float(base), dict(zip(names, sums, strict=True))))
    return Explanations(unit, rows)


def _unit(sums: "Floats", sizes: "Floats", predictions: "Floats") -> str:
    """The unit of the sums of contributions (rows, outputs), by how the predictions follow from them.

    Args:
        sums: The sums.
        sizes: The sums of the contributions without their signs.
        predictions: The predictions.

    Raises:
        ConfigError: They follow in no known way.
    """
    import numpy as np
    from scipy.special import expit, softmax

    candidates: dict[str, tuple[Any, Any]]
    if predictions.ndim == 1:
        scale = np.maximum(sizes[:, 0], 1e-300)
        candidates = {
            "prediction": (sums[:, 0] / scale, predictions / scale),
            "log_prediction": (np.exp(np.minimum(sums[:, 0], 700)), predictions),
        }
    elif sums.shape[1] == 1:
        candidates = {"log_odds": (expit(sums[:, 0]), predictions[:, 1]), "probability": (sums[:, 0], predictions[:, 1])}
    else:
        candidates = {"probability": (sums, predictions), "log_probability": (softmax(sums, axis=1), predictions)}
    for unit, (made, expected) in candidates.items():
        if made.shape == expected.shape and np.allclose(made, expected, rtol=_RELATIVE, atol=_ABSOLUTE):
            return unit
    raise _not_explained("the contributions of its features do not add up to its predictions")


def _kind(estimator: Any, means: Sequence[float] | None) -> str:
    if hasattr(estimator, "coef_") and means is None:
        return "linear, and it was trained by a version of Taxiway that did not keep the means of its features; train it again"
    return f"a {type(estimator).__name__}"


def _not_explained(why: str) -> ConfigError:
    return ConfigError(f"the model cannot be explained: {why}. Taxiway explains {EXPLAINED}")
