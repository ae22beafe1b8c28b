"""The values of labels: classes (classification), or numbers (regression)."""

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate
from numbers import Real
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError
from taxiway.features.cells import is_boolean
from taxiway.features.encoding import category_text
from taxiway.messages import SHOWN_VALUES, counted, listed
from taxiway.records import Span
from taxiway.spec.metrics import Problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

MAX_CLASSES = 1_000
DECISION_THRESHOLD = 0.5
"""The probability at or above which the second of two classes is predicted."""


def require_labels(labels: "pd.Series[Any]", rows: str, spans: Sequence[Span] = ()) -> None:
    """Check that every row has a label.

    Args:
        labels: The labels.
        rows: What the rows are, for the error: `training row`.
        spans: The spans of the rows, in their order; empty if they are not known.

    Raises:
        DataError: A label is missing.
    """
    missing = labels.isna().to_numpy()
    if not missing.any():
        return
    ends = list(accumulate(span.rows for span in spans))
    counts = [(span, int(missing[end - span.rows : end].sum())) for span, end in zip(spans, ends, strict=True)]
    found = [f"{count:,} of {span.rows:,} in span {span.label} of {span.source}" for span, count in counts if count]
    more = [f"and {counted(len(found) - SHOWN_VALUES, 'more span')}"] if len(found) > SHOWN_VALUES else []
    places = "".join(f"\n    {place}" for place in [*found[:SHOWN_VALUES], *more])
    raise DataError(
        f"the label {labels.name} is missing in {counted(int(missing.sum()), rows)}{places}\n    allowed: a label in every row. With "
        "source.unlabelled: drop, these rows are left out; with wait, a span is decided when all of its labels are known",
        key="source.unlabelled",
        allowed=("drop", "wait"),
    )


def learnable_classes(labels: "pd.Series[Any]", problem: Problem, spans: Sequence[Span] = ()) -> tuple[str, ...]:
    """The classes of the training labels, in their order: of two, the second is the positive one; empty for a regression.

    Args:
        labels: The labels.
        problem: Classification or regression.
        spans: The spans of the rows, for errors.

    Raises:
        DataError: A label is missing, there is one class or more than 1,000, or the numbers are constant or not finite.
    """
    require_labels(labels, "training row", spans)
    if problem == "regression":
        numbers = label_numbers(labels)
        if numbers.min() == numbers.max():
            raise DataError(
                f"the label {labels.name} is {labels.iloc[0]} in all {len(labels):,} training rows; required: at least two different values"
            )
        return ()
    classes = tuple(label_classes(labels))
    if not 2 <= len(classes) <= MAX_CLASSES or _has_fractions(labels, classes):
        fractions = ", some of them with fractions" if _has_fractions(labels, classes) else ""
        raise DataError(
            f"the label {labels.name} has {counted(len(classes), 'value')} in the {len(labels):,} training rows "
            f"({listed(classes[:5], len(classes))}){fractions}; required: 2 to {MAX_CLASSES:,} classes, which are texts, whole numbers or "
            "booleans. For a regression, use metrics such as rmse in gate"
        )
    return classes


def _has_fractions(labels: "pd.Series[Any]", classes: Sequence[str]) -> bool:
    """Whether a label of more than two values has fractions, which no classifier takes for classes."""
    from pandas.api.types import is_float_dtype

    if len(classes) <= 2:
        return False
    if is_float_dtype(labels):
        return bool((labels % 1 != 0).any())
    numbers = (value for value in labels.unique() if isinstance(value, Decimal | float))
    return any(not math.isfinite(value) or value != int(value) for value in numbers)


def label_classes(labels: "pd.Series[Any]") -> list[str]:
    """The different values of a label as text, in scikit-learn's order of classes, without missing ones.

    Raises:
        DataError: The values have types that cannot be ordered.
    """
    try:
        return [category_text(value) for value in sorted(labels.dropna().unique())]
    except TypeError as error:
        raise DataError(
            f"the label {labels.name} has values of several types ({error}); write it with one type at the source",
            key=str(labels.name),
        ) from None


def label_numbers(labels: "pd.Series[Any]") -> "Floats":
    """The labels of a regression as floats.

    Raises:
        DataError: The labels are not finite numbers.
    """
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if labels.dtype == object and all(_is_number(value) for value in labels):
        # Decimals, or integers that pandas has no type for; to_numpy would raise OverflowError for those beyond the floats.
        labels = labels.map(_float)
    if is_bool_dtype(labels) or not is_numeric_dtype(labels):
        raise DataError(
            f"the label {labels.name} is of type {labels.dtype}, but the gate's metrics are for regression; required: numbers"
        )
    numbers: Floats = labels.to_numpy(dtype=float)
    if not np.isfinite(numbers).all():
        raise DataError(
            f"the label {labels.name} is infinite in {counted(int((~np.isfinite(numbers)).sum()), 'row')}; required: finite numbers"
        )
    return numbers


def _is_number(value: Any) -> bool:
    return isinstance(value, Decimal | Real) and not is_boolean(value)


def _float(value: Any) -> float:
    """A number as a float: infinity if it is beyond all floats."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def with_unseen(classes: tuple[str, ...], labels: "pd.Series[Any]") -> tuple[str, ...]:
    """The classes of a model, and after them those of the labels that it has not learned; empty for a regression."""
    return (*classes, *(value for value in label_classes(labels) if value not in classes)) if classes else ()


def true_labels(labels: "pd.Series[Any]", classes: tuple[str, ...], spans: Sequence[Span] = ()) -> "Floats":
    """The label of each evaluation row as a float.

    Args:
        labels: The labels.
        classes: The classes, among them all of the labels; empty for a regression.
        spans: The spans of the rows, for errors.

    Returns:
        For a regression the numbers, else the position of each label among the classes.

    Raises:
        DataError: A label is missing or is not a finite number.
    """
    import numpy as np
    import pandas as pd

    require_labels(labels, "evaluation row", spans)
    if not classes:
        return label_numbers(labels)
    codes, values = pd.factorize(labels)
    positions: Floats = np.array([classes.index(category_text(value)) for value in values], dtype=np.float64)[codes]
    return positions


def predicted_classes(probabilities: "Floats", threshold: float | None = None) -> "Indices":
    """The position of the predicted class: the second of two from a probability of `threshold`, else the most probable one.

    Args:
        probabilities: The probabilities (rows, classes).
        threshold: The decision threshold of the model; None for 0.5.
    """
    import numpy as np

    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] >= (DECISION_THRESHOLD if threshold is None else threshold)).astype(np.intp)
    found: Indices = probabilities.argmax(axis=1)
    return found
