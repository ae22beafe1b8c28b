"""Explains predictions: what each raw column of a row contributes to its prediction."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError
from taxiway.features.encoding import predict_rows, raw_frame
from taxiway.features.labels import predicted_classes
from taxiway.features.origins import origins
from taxiway.features.signature import (
    ModelColumns,
    decision_threshold,
    example_rows,
    predict_function,
    raw_model,
    signature_columns,
)
from taxiway.models.background import background_frame
from taxiway.models.contributions import contributions
from taxiway.models.shapley_sampling import PAIRS, sampled_shapley, value_of_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Cells = Mapping[str, list[Any]]
METHODS = ("exact", "sampling")
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
        standard_errors: The standard error of each contribution; None if they are exact.
    """

    of: str
    base: float
    contributions: Mapping[str, float]
    standard_errors: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Sampling:
    """How contributions were sampled.

    Attributes:
        orders: How many orders of the columns were drawn for each row, half of them the reverse of the others.
        background_rows: How many rows stand for the values of columns that are not known.
    """

    orders: int
    background_rows: int


@dataclass(frozen=True)
class Explanations:
    """Explanations of rows.

    Attributes:
        unit: `log_odds` of the class; `probability` of it; `log_probability`, of which the constant that makes the probabilities of all
            classes add up to 1 is left out; `prediction`, a number; or `log_prediction`, its natural logarithm.
        rows: The explanation of each row.
        method: `exact`, or `sampling`.
        sampling: How they were sampled; None if they are exact.
    """

    unit: str
    rows: Sequence[Explanation]
    method: str = "exact"
    sampling: Sampling | None = None

    def as_json(self) -> str:
        """The explanations in an answer; what is None is left out."""
        content = asdict(self, dict_factory=lambda pairs: {name: value for name, value in pairs if value is not None})
        return json.dumps(content, allow_nan=False, ensure_ascii=False)


def explainer_of(model: Any) -> Callable[[Cells], Explanations]:
    """The function that explains predictions of a pyfunc model, for the cells of each column as JSON values.

    The contributions are exact if the estimator allows it and they add up to the predictions; otherwise they are sampled. It raises
    DataError if a value does not have the type of its column, and ConfigError if a prediction can be explained in neither way.

    Raises:
        ConfigError: The model cannot be explained.
    """
    exact: Callable[[Cells], Explanations] | None
    try:
        exact, why = _exact_explainer(model), ""
    except ConfigError as error:
        exact, why = None, str(error)
    sampled = _sampling_explainer(model)
    if sampled is None:
        if exact is None:
            raise _not_explained(why)
        return exact

    def explained(cells: Cells) -> Explanations:
        if exact is not None:
            with suppress(ConfigError):  # they do not add up
                return exact(cells)
        return sampled(cells)

    return explained


def _exact_explainer(model: Any) -> Callable[[Cells], Explanations]:
    """The function that computes contributions exactly; it raises ConfigError if they do not add up to the predictions.

    Raises:
        ConfigError: There is none for this model; the message says why.
    """
    from sklearn.pipeline import Pipeline

    from taxiway.models.row_model import RowModel

    raw = raw_model(model)
    pipeline = raw.estimator if type(raw) is RowModel else None
    if not isinstance(pipeline, Pipeline) or len(pipeline.steps) != 2:
        raise ConfigError("it is not a transform and an estimator")
    if raw.is_recalibrated:
        raise ConfigError("it was recalibrated, and exact contributions are to what its estimator predicts")
    (_, transform), (_, estimator) = pipeline.steps
    made_of = origins(transform)
    if made_of is None:
        raise ConfigError("a feature is computed from several columns")
    contribute = contributions(estimator, raw.means)
    if contribute is None:
        raise ConfigError(f"its estimator is a {type(estimator).__name__}")
    predict, columns = predict_function(model), raw.columns

    def explained(cells: Cells) -> Explanations:
        import numpy as np

        frame = raw_frame(cells, columns.numeric, columns.categorical, columns.types)
        features = transform.transform(frame)
        dense = np.asarray(features.toarray() if hasattr(features, "toarray") else features, dtype="float64")
        return _explanations(contribute(dense), np.asarray(predict_rows(predict, frame)), made_of, raw.classes, raw.threshold)

    return explained


def _sampling_explainer(model: Any) -> Callable[[Cells], Explanations] | None:
    """The function that estimates contributions by sampling; None if no rows of the training data are saved with the model."""
    raw, columns = raw_model(model), signature_columns(model)
    background = _background(model, columns)
    if background is None:
        return None
    predict = predict_function(model)
    classes, threshold = tuple(getattr(raw, "classes", None) or ()), decision_threshold(model)

    def explained(cells: Cells) -> Explanations:
        import numpy as np

        frame = raw_frame(cells, columns.numeric, columns.categorical, columns.types)
        predictions = np.asarray(predict_rows(predict, frame))
        if predictions.dtype.kind not in "biuf" or predictions.ndim > 2:
            raise ConfigError("the model cannot be explained: it does not predict numbers")
        chosen, names = _chosen(predictions, classes, threshold), [str(name) for name in frame]
        rows = []
        for at, output in enumerate(chosen):
            found = sampled_shapley(value_of_columns(predict, frame.iloc[[at]], background), len(frame.columns))
            values, errors = found.values[:, output].tolist(), found.errors[:, output].tolist()
            of = "" if predictions.ndim == 1 else classes[output] if classes else str(output)
            contributed, spread = dict(zip(names, values, strict=True)), dict(zip(names, errors, strict=True))
            rows.append(Explanation(of, float(found.base[output]), contributed, spread))
        unit = "prediction" if predictions.ndim == 1 else "probability"
        return Explanations(unit, rows, "sampling", Sampling(2 * PAIRS, len(background)))

    return explained


def _background(model: Any, columns: ModelColumns) -> "pd.DataFrame | None":
    """The background rows of a model, or else the rows of its input example; None if it has neither."""
    from taxiway.models.row_model import RowModel

    raw = raw_model(model)
    if isinstance(raw, RowModel) and raw.background is not None:
        return background_frame(raw.background, columns)
    example = example_rows(model)
    if example is None or not len(example) or not {*columns.names} <= {*example}:
        return None
    return raw_frame(example, columns.numeric, columns.categorical, columns.types, lenient=True)


def _chosen(predictions: Any, classes: Sequence[str], threshold: float | None) -> list[int]:
    """Which output of each row is explained: the second of two classes, the predicted one of several, or the only number."""
    if predictions.ndim == 1:
        return [0] * len(predictions)
    if predictions.shape[1] <= 2:
        return [predictions.shape[1] - 1] * len(predictions)
    return list(predicted_classes(predictions, threshold).tolist()) if classes else predictions.argmax(axis=1).tolist()


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


def _not_explained(why: str) -> ConfigError:
    return ConfigError(
        f"the model cannot be explained: {why}, and no rows of its training data are saved with it, by which it could be explained by "
        "sampling; train it again"
    )
