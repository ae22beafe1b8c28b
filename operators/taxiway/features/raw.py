"""The shape in which raw rows reach a model, in training and serving alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def raw_frame(rows: "pd.DataFrame", numeric: Sequence[str], categorical: Sequence[str]) -> "pd.DataFrame":
    """The model's raw columns, of the types that its signature has: numbers as float64, categories as text or missing."""
    import pandas as pd

    columns: dict[str, Any] = {name: rows[name].astype("float64") for name in numeric}
    columns |= {name: as_text(rows[name]) for name in categorical}
    return pd.DataFrame(columns, index=rows.index)


def as_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column of categories as the model gets it: each value's `category_text`, None where it is missing."""
    import pandas as pd

    texts = [None if gone else category_text(value) for value, gone in zip(values.astype("object"), values.isna(), strict=True)]
    return pd.Series(texts, index=values.index, dtype="object")


def category_text(value: Any) -> str:
    """A category's or a label's value as text: the same for an integer, for the float that a file with gaps holds it as, and
    for what a request has of it as JSON."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
