"""The signature and the input example of a saved model."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

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
        if isinstance(value, Decimal):
            return float(value)
        return value.isoformat() if isinstance(value, date) else value

    records = rows.astype("object").where(rows.notna(), None).to_dict("records")
    return [{str(name): cell(value) for name, value in record.items()} for record in records]


def signature_of(columns: "ModelColumns", classes: Sequence[str]) -> "ModelSignature":
    """The signature of a model: its columns with the types of the source, and the columns of its predictions."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from taxiway.models.row_model import PREDICTION, PROBABILITY

    usual = {**dict.fromkeys(columns.numeric, "number"), **dict.fromkeys(columns.categorical, "string"), **columns.types}
    inputs = [ColSpec(_MLFLOW_TYPES[usual[name]], name, required=name not in columns.optional) for name in columns.names]
    prediction = ColSpec("string" if classes else "double", PREDICTION)
    probabilities = [ColSpec("double", PROBABILITY.format(name)) for name in classes]
    signature = ModelSignature(Schema([*inputs]), Schema([prediction, *probabilities]))
    # MLflow would refuse what readers make of such columns, such as integers as floats in a frame with missing values. With this
    # mark, the model checks its rows itself, as one with type hints does.
    signature._is_signature_from_type_hint = True
    return signature
