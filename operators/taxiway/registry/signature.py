"""The signature and the input example of a saved model."""

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import LIST_OF

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature

    from taxiway.features.signature import ModelColumns

_MLFLOW_TYPES = {
    "boolean": "boolean", "integer": "long", "number": "double", "string": "string", "date": "datetime", "datetime": "datetime",
}  # fmt: skip


def as_records(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    """The rows as JSON has them. From a table, MLflow would make false of missing booleans, and refuse missing integers."""

    def cell(value: Any) -> Any:
        if hasattr(value, "tolist") and getattr(value, "ndim", None) == 1:
            value = list(value)
        if isinstance(value, list | tuple):
            return [cell(item) for item in value]
        if isinstance(value, Decimal):
            return float(value)
        if hasattr(value, "item"):  # of NumPy
            value = value.item()
        if isinstance(value, float) and math.isnan(value):  # JSON has none
            return None
        return value.isoformat() if isinstance(value, date) else value

    records = rows.astype("object").where(rows.notna(), None).to_dict("records")
    return [{str(name): cell(value) for name, value in record.items()} for record in records]


def signature_of(columns: "ModelColumns", classes: Sequence[str]) -> "ModelSignature":
    """The signature of a model: its columns with the types of the source, and the columns of its predictions."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import Array, DataType

    from taxiway.models.row_model import PREDICTION, PROBABILITY

    usual = {**dict.fromkeys(columns.numeric, "number"), **dict.fromkeys(columns.categorical, "string"), **columns.types}

    def mlflow_type(kind: str) -> Any:
        if kind.startswith(LIST_OF):
            return Array(DataType[_MLFLOW_TYPES[kind.removeprefix(LIST_OF)]])
        return _MLFLOW_TYPES[kind]

    inputs = [ColSpec(mlflow_type(usual[name]), name, required=name not in columns.optional) for name in columns.names]
    prediction = ColSpec("string" if classes else "double", PREDICTION)
    probabilities = [ColSpec("double", PROBABILITY.format(name)) for name in classes]
    signature = ModelSignature(Schema([*inputs]), Schema([prediction, *probabilities]))
    # MLflow would refuse what readers make of such columns, such as integers as floats in a frame with missing values. With this
    # mark, the model checks its rows itself, as one with type hints does.
    signature._is_signature_from_type_hint = True
    return signature
