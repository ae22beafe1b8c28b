"""A fitted transform without pandas and scikit-learn's checks, which take most of the time for a few rows.

A category is looked up in a table that the fitted encoder itself has filled, and numbers are imputed and scaled by the same
operations, so the features are equal bit for bit. A part of another kind is computed by its own transformer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_CATEGORIES = 200_000
_UNKNOWN = "\x00 a category that no row has"
_UNKNOWN_NUMBER = -1e29

Numbers = Mapping[str, "Floats"]
Texts = Mapping[str, Sequence[str | None]]
Part = Callable[[Numbers, Texts], "Floats"]


@dataclass(frozen=True)
class FastTransform:
    """A fitted `ColumnTransformer`.

    Attributes:
        parts: The functions of its parts, in order; each returns its features (rows, columns).
        slow: The names of the parts that their own transformer computes.
    """

    parts: tuple[Part, ...]
    slow: tuple[str, ...]

    def __call__(self, numbers: Numbers, texts: Texts) -> "Floats":
        """The features (rows, columns), from the columns of `raw_columns`."""
        import numpy as np

        return np.hstack([part(numbers, texts) for part in self.parts])


def fast_transform(transform: Any, numeric: Sequence[str]) -> FastTransform | None:
    """Make the fast form of a fitted transform; None if it is not a `ColumnTransformer` whose features are an array of floats.

    Args:
        transform: The fitted transform.
        numeric: The raw columns that are numbers; the others are texts.
    """
    from sklearn.compose import ColumnTransformer

    if type(transform) is not ColumnTransformer or transform.sparse_output_ or transform.remainder != "drop":
        return None
    parts: list[Part] = []
    slow: list[str] = []
    for name, fitted, columns in transform.transformers_:
        names = list(columns) if isinstance(columns, list) else None
        if fitted == "drop" or names == []:
            continue
        if names is None or not all(isinstance(column, str) for column in names):
            return None
        are_numbers = [column in numeric for column in names]
        part = _numeric_part(fitted, names) if all(are_numbers) else None if any(are_numbers) else _text_part(fitted, names)
        if part is None:
            slow.append(name)
            part = _own_part(fitted, names)
        parts.append(part)
    return FastTransform(tuple(parts), tuple(slow)) if parts else None


def _numeric_part(fitted: Any, names: Sequence[str]) -> Part | None:
    """A part of numbers; None if one of its steps is of another kind."""
    import numpy as np

    steps = _numeric_steps(_steps(fitted))
    if steps is None:
        return None

    def part(numbers: Numbers, _: Texts) -> "Floats":
        return _through(steps, np.column_stack([numbers[name] for name in names]))

    return part


def _text_part(fitted: Any, names: Sequence[str]) -> Part | None:
    """A part of categories: an encoder, perhaps with steps after it; None if they are of another kind."""
    import numpy as np

    encoder, *others = _steps(fitted)
    tables = _tables(encoder, [list(values) for values in getattr(encoder, "categories_", [])], _UNKNOWN, [None])
    steps = _numeric_steps(others)
    if tables is None or steps is None:
        return None

    def part(_: Numbers, texts: Texts) -> "Floats":
        columns = [_looked_up(table, texts[name]) for name, table in zip(names, tables, strict=True)]
        return _through(steps, np.hstack(columns))

    return part


def _own_part(fitted: Any, names: Sequence[str]) -> Part:
    """A part that its own transformer computes from a frame."""

    def part(numbers: Numbers, texts: Texts) -> "Floats":
        import numpy as np
        import pandas as pd

        columns = {
            name: pd.Series(list[Any](texts[name]), dtype="object") if name in texts else pd.Series(numbers[name])
            for name in names
        }
        return np.asarray(fitted.transform(pd.DataFrame(columns)), dtype="float64")

    return part


def _steps(fitted: Any) -> list[Any]:
    from sklearn.pipeline import Pipeline

    return [step for _, step in fitted.steps] if type(fitted) is Pipeline else [fitted]


def _numeric_steps(steps: Sequence[Any]) -> "list[Callable[[Floats], Floats]] | None":
    """The functions of steps that take arrays of floats; None if one is of another kind."""
    found = [_numeric_step(step) for step in steps]
    known = [step for step in found if step is not None]
    return known if len(known) == len(found) else None


def _through(steps: "Sequence[Callable[[Floats], Floats]]", features: "Floats") -> "Floats":
    """The features after all steps."""
    for step in steps:
        features = step(features)
    return features


def _numeric_step(step: Any) -> "Callable[[Floats], Floats] | None":
    """The function of a step that takes an array of floats; None if it is of another kind."""
    import numpy as np
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

    from taxiway.features.transformers.dates import DateParts
    from taxiway.features.transformers.if_any import IfAny

    if type(step) is FunctionTransformer and step.func is None:
        return lambda features: features
    if type(step) is SimpleImputer and not step.add_indicator and np.isfinite(step.statistics_.astype(float)).all():
        return lambda features: np.where(np.isnan(features), step.statistics_, features)
    if type(step) is StandardScaler and step.with_mean and step.with_std:
        return lambda features: (features - step.mean_) / step.scale_
    if type(step) is DateParts:
        return lambda features: step.transform(features)
    if type(step) is IfAny:
        return (lambda features: features) if step.transformer_ is None else _numeric_step(step.transformer_)
    if type(step) in (OneHotEncoder, OrdinalEncoder):
        return _encoded_numbers(step)
    return None


def _encoded_numbers(encoder: Any) -> "Callable[[Floats], Floats] | None":
    """The function of an encoder of numbers, such as the parts of dates."""
    import numpy as np

    known = [[value for value in values if value == value] for values in encoder.categories_]
    tables = _tables(encoder, known, _UNKNOWN_NUMBER, [np.nan])
    if tables is None:
        return None

    def encode(features: "Floats") -> "Floats":
        cells = [[None if value != value else value for value in column.tolist()] for column in features.T]
        return np.hstack([_looked_up(table, column) for table, column in zip(tables, cells, strict=True)])

    return encode


@dataclass(frozen=True)
class _Table:
    rows: Mapping[Any, int]
    features: "Floats"  # of the known values, then of the missing and of an unknown one


def _tables(encoder: Any, known: Sequence[Sequence[Any]], unknown: Any, missing: list[Any]) -> list[_Table] | None:
    """For each column of an encoder, its features for each known value, a missing and an unknown one; None for another transformer."""
    import numpy as np
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    if type(encoder) not in (OneHotEncoder, OrdinalEncoder, TargetEncoder) or sum(map(len, known)) > _MAX_CATEGORIES:
        return None
    present = [[value for value in values if value is not None and value == value] for values in known]
    longest = max(map(len, present)) + 2
    columns = [[*values, *missing, unknown] + [unknown] * (longest - 2 - len(values)) for values in present]
    frame = np.array(columns, dtype="object" if isinstance(unknown, str) else "float64").T
    encoded = _transformed(encoder, frame)
    widths = _widths(encoder)
    if encoded is None or encoded.shape[1] != sum(widths):
        return None
    starts = np.cumsum([0, *widths])
    return [
        _Table({value: at for at, value in enumerate([*values, None])}, encoded[: len(values) + 2, starts[at] : starts[at + 1]])
        for at, values in enumerate(present)
    ]


def _transformed(encoder: Any, values: Any) -> Any:
    """The features of an encoder as an array; None if it refuses a value, as one that no training row has."""
    import warnings

    import pandas as pd

    names = getattr(encoder, "feature_names_in_", None)
    try:
        with warnings.catch_warnings(action="ignore"):  # about unknown categories
            encoded = encoder.transform(values if names is None else pd.DataFrame(values, columns=names, dtype=values.dtype))
    except ValueError:
        return None
    return encoded.toarray() if hasattr(encoded, "toarray") else encoded


def _widths(encoder: Any) -> list[int]:
    """How many features an encoder makes of each column."""
    from sklearn.preprocessing import OneHotEncoder

    if type(encoder) is not OneHotEncoder:
        return [1] * len(encoder.categories_)
    rare = getattr(encoder, "infrequent_categories_", None) or [None] * len(encoder.categories_)
    return [
        len(values) - (len(few) - 1 if few is not None else 0) for values, few in zip(encoder.categories_, rare, strict=True)
    ]


def _looked_up(table: _Table, cells: Sequence[Any]) -> "Floats":
    unknown = len(table.features) - 1
    return table.features[[table.rows.get(cell, unknown) for cell in cells]]
