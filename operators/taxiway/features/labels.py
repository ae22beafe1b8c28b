"""The values of labels: two classes (classification), or numbers (regression)."""

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError
from taxiway.features.encoding import category_text
from taxiway.messages import SHOWN_VALUES, counted
from taxiway.records import Span
from taxiway.spec.metrics import Problem

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


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
    found = [f"{count:,} of {span.rows:,} in {span.label} of {span.source}" for span, count in counts if count]
    more = [f"and {counted(len(found) - SHOWN_VALUES, 'more span')}"] if len(found) > SHOWN_VALUES else []
    places = "".join(f"\n    {place}" for place in [*found[:SHOWN_VALUES], *more])
    raise DataError(
        f"the label {labels.name} is missing in {counted(int(missing.sum()), rows)}{places}\n    allowed: a label in every row. With "
        "source.unlabelled: drop, these rows are left out; with wait, a span is decided when all of its labels are known",
        key="source.unlabelled",
        allowed=("drop", "wait"),
    )


def learnable_classes(labels: "pd.Series[Any]", problem: Problem, spans: Sequence[Span] = ()) -> tuple[str, ...]:
    """The two classes of the training labels, the negative one first; empty for a regression.

    Args:
        labels: The labels.
        problem: Classification or regression.
        spans: The spans of the rows, for errors.

    Raises:
        DataError: A label is missing, there are not exactly two classes, or the numbers are constant or not finite.
    """
    require_labels(labels, "training row", spans)
    if problem == "regression":
        numbers = label_numbers(labels)
        if numbers.min() == numbers.max():
            raise DataError(
                f"the label {labels.name} is {labels.iloc[0]} in all {len(labels):,} training rows; required: at least two different values"
            )
        return ()
    classes = label_classes(labels)
    if len(classes) != 2:
        raise DataError(
            f"the label {labels.name} has {counted(len(classes), 'value')} in the {len(labels):,} training rows ({', '.join(classes[:5])}); "
            "required: exactly two. Make it boolean or a domain of two values in the schema; for a regression, use metrics such as "
            "rmse in gate"
        )
    return (classes[0], classes[1])


def label_classes(labels: "pd.Series[Any]") -> list[str]:
    """The different values of a label as text, in scikit-learn's order of classes, without missing ones."""
    return [category_text(value) for value in sorted(labels.dropna().unique())]


def label_numbers(labels: "pd.Series[Any]") -> "Floats":
    """The labels of a regression as floats.

    Raises:
        DataError: The labels are not finite numbers.
    """
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

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


def true_labels(labels: "pd.Series[Any]", problem: Problem, classes: tuple[str, ...], spans: Sequence[Span] = ()) -> "Floats":
    """The label of each evaluation row as a float.

    Args:
        labels: The labels.
        problem: Classification or regression.
        classes: The two classes of the model, the negative one first; empty for a regression.
        spans: The spans of the rows, for errors.

    Returns:
        For a regression the numbers, else 0 for the first class and 1 for the second.

    Raises:
        DataError: A label is missing, is not a finite number, or is not one of the classes.
    """
    import numpy as np

    require_labels(labels, "evaluation row", spans)
    if problem == "regression":
        return label_numbers(labels)
    unknown = [value for value in label_classes(labels) if value not in classes]
    if unknown:
        raise DataError(
            f"the label {labels.name} is {', '.join(unknown[:5])} in some evaluation rows; the classes of the model are {', '.join(classes)}"
        )
    found: Floats = (labels.map(category_text) == classes[1]).to_numpy().astype(np.float64)
    return found
