"""A label's values: the two classes that it tells apart, or the numbers that are to be estimated."""

from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError
from taxiway.features.encoding import category_text
from taxiway.spec.metrics import Problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def learnable_classes(labels: "pd.Series[Any]", problem: Problem) -> tuple[str, ...]:
    """The two classes of the training rows' `labels`, the negative one first; none for a regression.

    Raises DataError where a label is missing, where there are not two classes, and where numbers do not differ or are not finite.
    """
    if labels.isna().any():
        raise DataError(
            f"{int(labels.isna().sum())} training rows have no {labels.name}; the schema should require it: presence 1.0"
        )
    if problem == "regression":
        numbers = label_numbers(labels)
        if numbers.min() == numbers.max():
            raise DataError(
                f"{labels.name} is {labels.iloc[0]} in all {len(labels):,} training rows: there is nothing to learn"
            )
        return ()
    classes = label_classes(labels)
    if len(classes) != 2:
        raise DataError(
            f"{labels.name} has {len(classes)} values in the {len(labels):,} training rows, {', '.join(classes[:5])}; two are "
            "needed: declare it boolean, or of two values, in the schema; to estimate a number, name metrics such as rmse in gate"
        )
    return (classes[0], classes[1])


def label_classes(labels: "pd.Series[Any]") -> list[str]:
    """The values of a label as text, in the order in which scikit-learn numbers its classes; missing ones left out."""
    return [category_text(value) for value in sorted(labels.dropna().unique())]


def label_numbers(labels: "pd.Series[Any]") -> "Floats":
    """The labels of a regression as floats. Raises DataError where they are not numbers, or not finite."""
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_bool_dtype(labels) or not is_numeric_dtype(labels):
        raise DataError(f"{labels.name} is of type {labels.dtype}, and the gate's metrics are of numbers; declare it a number")
    numbers: Floats = labels.to_numpy(dtype=float)
    if not np.isfinite(numbers).all():
        raise DataError(f"{labels.name} is infinite in {int((~np.isfinite(numbers)).sum()):,} rows; estimate a finite number")
    return numbers


def true_labels(labels: "pd.Series[Any]", problem: Problem, classes: tuple[str, ...]) -> "Floats":
    """The label of each row: the number itself, or 1 where it is the second of the two `classes` and 0 where the first.

    Raises DataError where one is missing, no finite number, or none of the classes that the model was trained to tell.
    """
    import numpy as np

    name = labels.name
    if labels.isna().any():
        raise DataError(f"{name} is missing in {int(labels.isna().sum()):,} evaluation rows; the schema should require it")
    if problem == "regression":
        return label_numbers(labels)
    unknown = [value for value in label_classes(labels) if value not in classes]
    if unknown:
        raise DataError(
            f"{name} is {', '.join(unknown[:5])} in some evaluation rows; the model was trained to tell {' from '.join(classes)}"
        )
    found: Floats = (labels.map(category_text) == classes[1]).to_numpy().astype(np.float64)
    return found
