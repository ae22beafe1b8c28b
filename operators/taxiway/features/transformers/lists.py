"""Numbers made from lists.

This module imports scikit-learn, because a saved model names its class; import it inside of functions.
"""

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json
from sklearn.base import BaseEstimator, TransformerMixin  # noqa: TID253 the bases of a class that skops looks up by its name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_VALUES = 100
_MIN_ROWS = 20
_MAX_NUMBERS = 4096
_SUMMARY = ("length", "mean", "min", "max")
_SMALL = 2.0**-64


class ListValues(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turns each column of lists of texts, integers or booleans into numbers: whether a frequent value is in the list, and the length.

    The values are the 100 that are in most lists of the training rows, of those in at least 20. One more number is how many different
    other values a list has. Neither their order nor how often a value is repeated counts, but for the length. A missing item only counts
    in the length. A missing list gives missing numbers, so it is not an empty one.

    Attributes:
        values_: The values of each column, the most frequent ones first.
    """

    def fit(self, lists: "pd.DataFrame", y: Any = None) -> "ListValues":  # noqa: ARG002 scikit-learn passes the labels
        """Find the frequent values.

        Args:
            lists: The lists by column, as JSON text from `raw_frame`, with None for a missing one.
            y: Not used.
        """
        self.values_: list[list[str]] = []
        for name in lists:
            rows = Counter(value for text in lists[name] if isinstance(text, str) for value in _values(text))
            frequent = [value for value, count in rows.items() if count >= _MIN_ROWS]
            self.values_.append(sorted(frequent, key=lambda value, rows=rows: (-rows[value], value))[:_MAX_VALUES])  # type: ignore[misc]
        return self

    def transform(self, lists: "pd.DataFrame") -> "Floats":
        """The numbers for the lists (rows, numbers); NaN for a missing list."""
        import numpy as np

        parts = [np.empty((len(lists), 0))]
        for name, values in zip(lists, self.values_, strict=True):
            places = {value: at for at, value in enumerate(values)}
            part = np.zeros((len(lists), len(values) + 2))
            for row, text in enumerate(lists[name]):
                if not isinstance(text, str):  # scikit-learn may have made NaN of None
                    part[row] = np.nan
                    continue
                found = _values(text)
                known = [places[value] for value in found if value in places]
                part[row, known] = 1
                part[row, -2:] = len(found) - len(known), len(json.loads(text))
            parts.append(part)
        return np.hstack(parts)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names of the numbers: `tags=vegan` for a value, `tags.other` and `tags.length`."""
        import numpy as np

        names: list[str] = []
        for name, values in zip(input_features, self.values_, strict=True):
            names += [*(f"{name}={value}" for value in values), f"{name}.other", f"{name}.length"]
        return np.array(names, dtype="object")


class ListNumbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turns each column of lists of numbers into numbers.

    If all lists of the training rows have one length, as embeddings have, and it is at most 4,096, these are their numbers; otherwise the
    length, the mean, the minimum and the maximum. A missing list, or one of another length than all before, gives missing numbers.

    Attributes:
        sizes_: The length of the lists of each column; None if it differs.
    """

    def fit(self, lists: "pd.DataFrame", y: Any = None) -> "ListNumbers":  # noqa: ARG002 scikit-learn passes the labels
        """Find the length of the lists.

        Args:
            lists: The lists by column, as JSON text from `raw_frame`, with None for a missing one.
            y: Not used.
        """
        self.sizes_: list[int | None] = []
        for name in lists:
            lengths = {len(from_json(text)) for text in lists[name] if isinstance(text, str)}
            one = lengths.pop() if len(lengths) == 1 else None
            self.sizes_.append(one if one is not None and one <= _MAX_NUMBERS else None)
        return self

    def transform(self, lists: "pd.DataFrame") -> "Floats":
        """The numbers for the lists (rows, numbers); NaN for a missing list, a missing number, or a list of an unknown length."""
        import numpy as np

        parts = [np.empty((len(lists), 0))]
        for name, size in zip(lists, self.sizes_, strict=True):
            part = np.full((len(lists), len(_SUMMARY) if size is None else size), np.nan)
            for row, text in enumerate(lists[name]):
                numbers = from_json(text) if isinstance(text, str) else None
                if numbers is not None and size is None:
                    part[row] = _summary(numbers)
                elif numbers is not None and len(numbers) == size:
                    part[row] = numbers
            parts.append(part)
        return np.hstack(parts)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names of the numbers: `embedding.1` and so on, or `prices.length`, `prices.mean`, `prices.min` and `prices.max`."""
        import numpy as np

        names: list[str] = []
        for name, size in zip(input_features, self.sizes_, strict=True):
            names += [f"{name}.{part}" for part in (_SUMMARY if size is None else range(1, size + 1))]
        return np.array(names, dtype="object")


def describe_lists(transform: Any, columns: tuple[str, ...]) -> tuple[str, ...]:
    """What a fitted `ListValues` or `ListNumbers` makes of each column, as sentences for people."""
    if isinstance(transform, ListValues):
        return tuple(
            f"{name}: whether each of the {len(values)} most frequent values is in the list, the number of others, and the length"
            for name, values in zip(columns, transform.values_, strict=True)
        )
    return tuple(
        f"{name}: length, mean, minimum and maximum, because the lists have different lengths or more than {_MAX_NUMBERS:,} numbers"
        if size is None
        else f"{name}: the {size} numbers of each list"
        for name, size in zip(columns, transform.sizes_, strict=True)
    )


def _values(text: str) -> set[str]:
    """The different values of a list, without missing ones."""
    return {*json.loads(text)} - {None}


def _summary(numbers: list[float | None]) -> tuple[float, ...]:
    known = [number for number in numbers if number is not None]
    if not known:
        return len(numbers), math.nan, math.nan, math.nan
    mean = math.fsum(number * _SMALL for number in known) / len(known) / _SMALL  # the sum of the largest numbers is too large
    return len(numbers), mean, min(known), max(known)
