"""Which raw column each feature of a fitted transform is made of."""

import re
from copy import copy
from typing import Any
from uuid import uuid4


def origins(transform: Any) -> list[str] | None:
    """The raw column of each feature of a fitted `ColumnTransformer`, in order.

    The names of the features of each part are computed from generated names of its columns, which no category contains.

    Returns:
        The columns; None if it is another transform, or a feature is not made of one column, such as a principal component.
    """
    from sklearn.compose import ColumnTransformer

    if type(transform) is not ColumnTransformer or transform.remainder != "drop":
        return None
    found: list[str] = []
    for name, fitted, columns in transform.transformers_:
        made = transform.output_indices_[name]
        if fitted == "drop" or made.start == made.stop:
            continue
        of_part = _of_part(fitted, list(columns))
        if of_part is None or made.start != len(found) or made.stop != len(found) + len(of_part):
            return None
        found += of_part
    return found


def _of_part(fitted: Any, columns: list[str]) -> list[str] | None:
    """The column of each feature of a fitted part; None if one is not made of one column."""
    generated = f"{uuid4().hex}."
    try:
        names = _without_names(fitted).get_feature_names_out([f"<{generated}{at}>" for at in range(len(columns))])
    except (AttributeError, TypeError, ValueError):  # it has no such method, or takes other names
        return None
    places = [set(re.findall(f"<{generated}(\\d+)>", str(name))) for name in names]
    if any(len(place) != 1 for place in places):
        return None
    return [columns[int(next(iter(place)))] for place in places]


def _without_names(fitted: Any) -> Any:
    """A copy of a fitted transformer that takes other names of columns than those that it was fitted with."""
    from sklearn.pipeline import Pipeline

    other = copy(fitted)
    if type(fitted) is Pipeline:
        first, *rest = fitted.steps
        other.steps = [(first[0], _without_names(first[1])), *rest]
    elif hasattr(other, "feature_names_in_"):
        del other.feature_names_in_
    return other
