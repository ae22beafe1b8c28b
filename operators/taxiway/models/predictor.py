"""How a loaded model predicts for rows of requests: compiled for few rows where that is proven equal, otherwise as it was saved."""

import random
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.features.encoding import predict_features, predict_rows, raw_columns, raw_frame
from taxiway.features.signature import ModelColumns, predict_function, raw_model, signature_columns

if TYPE_CHECKING:
    import pandas as pd

COMPILED = "compiled"
_ROWS = 256
_ALONE = 4
_SEED = 0
_OTHER_KIND = "it is not a transform and an estimator"

Cells = Mapping[str, list[Any]]


@dataclass(frozen=True)
class Predictor:
    """The predict function of a model.

    Attributes:
        columns: The columns that it takes.
        predict: Takes the cells of each column as JSON values; returns the probabilities of the classes, or numbers. Raises DataError if
            a value does not have the type of its column.
        plan: `compiled`, or `original` and why it is not compiled.
    """

    columns: ModelColumns
    predict: Callable[[Cells], Any]
    plan: str


def predictor_of(model: Any) -> Predictor:
    """The predict function of a pyfunc model as it was saved."""
    columns, predict = signature_columns(model), predict_function(model)

    def predicted(cells: Cells) -> Any:
        return predict_rows(predict, raw_frame(cells, columns.numeric, columns.categorical, columns.types))

    return Predictor(columns, predicted, "original")


def compiled_predictor(model: Any, example: "pd.DataFrame | None") -> Predictor:
    """The compiled predict function of a pyfunc model, or that of `predictor_of` if it cannot be compiled.

    A `RowModel` of a transform that `fast_transform` knows and an estimator of scikit-learn's interface is compiled. It is used only if
    its predictions for the example rows and for 256 generated rows are equal to the model's own, bit for bit.

    Args:
        model: The pyfunc model.
        example: The rows of its input example; None if it has none.
    """
    original = predictor_of(model)
    try:
        compiled, why = _compiled(model, original.columns)
        if compiled is not None:
            cells = _rows_to_compare(raw_model(model).estimator[0], original.columns, example)
            compiled, why = (
                (compiled, why)
                if _same(original.predict, compiled, cells)
                else (None, "its compiled form has other predictions")
            )
    except Exception as error:  # of any kind: the model is served as it was saved
        compiled, why = None, f"{place_of(error)} while it was compiled or tried on the example rows"
    if compiled is None:
        return Predictor(original.columns, original.predict, f"original: {why}")
    return Predictor(original.columns, compiled, f"{COMPILED}{why}")


def place_of(error: Exception) -> str:
    """The type of an error and where it was raised. Unlike its text, this has no values of rows."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {last.name} ({Path(last.filename).name}:{last.lineno})"


def _compiled(model: Any, columns: ModelColumns) -> tuple[Callable[[Cells], Any] | None, str]:
    """The compiled predict function and which parts it does not have, or None and why there is none."""
    raw = raw_model(model)
    if raw is None:
        return None, _OTHER_KIND  # without the imports, which take a second
    from sklearn.pipeline import Pipeline

    from taxiway.features.fast_transform import fast_transform
    from taxiway.models.fast_trees import fast_trees
    from taxiway.models.row_model import RowModel

    pipeline = raw.estimator if type(raw) is RowModel else None
    if not isinstance(pipeline, Pipeline) or len(pipeline.steps) != 2:
        return None, _OTHER_KIND
    (_, transform), (_, estimator) = pipeline.steps
    fast = fast_transform(transform, columns.numeric)
    if fast is None:
        return None, "its transform is of another kind, or has sparse features"
    of_estimator = fast_trees(estimator) or (estimator.predict_proba if raw.classes else estimator.predict)

    def predict(features: Any) -> Any:
        return raw.recalibrated(of_estimator(features))

    def predicted(cells: Cells) -> Any:
        features = fast(*raw_columns(cells, columns.numeric, columns.categorical, columns.types))
        return predict_features(predict, features)

    return predicted, f", but for {', '.join(fast.slow)}" if fast.slow else ""


def _same(original: Callable[[Cells], Any], compiled: Callable[[Cells], Any], cells: Cells) -> bool:
    """Whether two predict functions have the same predictions, together and for the first rows alone."""
    import numpy as np

    parts = [cells, *({name: values[at : at + 1] for name, values in cells.items()} for at in range(_ALONE))]
    for part in parts:
        expected, found = np.asarray(original(part)), np.asarray(compiled(part))
        if (expected.dtype, expected.shape, expected.tobytes()) != (found.dtype, found.shape, found.tobytes()):
            return False
    return True


def _rows_to_compare(transform: Any, columns: ModelColumns, example: "pd.DataFrame | None") -> Cells:
    """Generated rows, by column: values of the example rows, the known categories, extreme and unknown values, and missing ones."""
    chance = random.Random(_SEED)  # noqa: S311 (not for secrets)
    categories = _categories(transform)
    cells: dict[str, list[Any]] = {}
    for name in columns.names:
        kind = columns.types.get(name)
        values = [] if example is None or name not in example else example[name].tolist()
        values += _NUMBERS if name in columns.numeric and kind not in _OF_TYPE else _OF_TYPE.get(kind or "string", [])
        values += categories.get(name, [])
        cells[name] = [*values[:_ROWS], *(chance.choice([*values, None]) for _ in range(_ROWS - len(values)))]
        chance.shuffle(cells[name])
    return cells


def _categories(transform: Any) -> dict[str, list[str]]:
    """The known categories of the columns of texts of a fitted `ColumnTransformer`."""
    found: dict[str, list[str]] = {}
    for _, fitted, names in transform.transformers_:
        encoder = getattr(fitted, "steps", [("", fitted)])[0][1]
        known = getattr(encoder, "categories_", [])
        found |= {
            name: [value for value in values if isinstance(value, str)] for name, values in zip(names, known, strict=False)
        }
    return found


_NUMBERS = [0, -0.0, 1, -1, 0.1, -2.5, 1e-300, 1e10, 3e38, -3e38, 17, 1234567]
_OF_TYPE: Mapping[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, 1, -1, 7, 123456789],
    "number": _NUMBERS,
    "string": ["", "never seen", "7", "True", "nan"],
    "date": ["1899-01-01", "1970-01-01", "2013-06-01", "2024-02-29"],
    "datetime": ["1899-01-01T00:00:01", "1970-01-01T00:00:00", "2013-06-01T12:30:00", "2024-02-29T23:59:59.5"],
}
"""Values of columns by their type; columns of lists have those of the example rows."""
