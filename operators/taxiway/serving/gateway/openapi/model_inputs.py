"""The inputs of a model, read from its files without loading it: the columns of its signature, and an example row."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from taxiway.features.encoding import MAX_NUMBER

_MLMODEL = "MLmodel"
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "long": {"type": "integer"},
    "float": {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER},
    "double": {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER},
    "string": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "datetime": {
        "type": "string",
        "anyOf": [{"format": "date"}, {"format": "date-time"}],
        "description": "A date, or a date and time, in ISO 8601.",
    },
}
_EXAMPLES: Mapping[str, Any] = {
    "boolean": True,
    "integer": 1,
    "long": 1,
    "float": 1.5,
    "double": 1.5,
    "string": "text",
    "date": "2013-06-01",
    "datetime": "2013-06-01",
}


@dataclass(frozen=True)
class Column:
    """A column of a model's signature.

    Attributes:
        name: Its name.
        kind: The type of its values or, in a column of lists, of their items, as an MLflow data type; `date` for dates without a time of day.
        is_list: Whether its values are lists.
    """

    name: str
    kind: str
    is_list: bool

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of a value. Null is always allowed, even if no training row has missing values."""
        schema: dict[str, Any] = {**_SCHEMAS[self.kind], "type": [_SCHEMAS[self.kind]["type"], "null"]}
        return {"type": ["array", "null"], "items": schema} if self.is_list else schema

    @property
    def example(self) -> Any:
        """A value of its type."""
        return [_EXAMPLES[self.kind]] if self.is_list else _EXAMPLES[self.kind]


@dataclass(frozen=True)
class ModelInputs:
    """The inputs of a model.

    Attributes:
        columns: The columns of its signature; empty if they are not known.
        example: A row made up from the columns; the model's own input example is taken from training rows, which callers should not see.
    """

    columns: tuple[Column, ...] = ()
    example: Mapping[str, Any] | None = None


def read_model_inputs(folder: Path, date_columns: Collection[str] = ()) -> ModelInputs:
    """Read the inputs of a saved model; there are no columns if the model has no signature that can be read.

    Args:
        folder: The folder of the model.
        date_columns: The columns of dates; a signature does not distinguish dates from datetimes.
    """
    try:
        saved = yaml.safe_load((folder / _MLMODEL).read_text())
        columns = tuple(_column(each, date_columns) for each in json.loads(saved["signature"]["inputs"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError):
        return ModelInputs()
    return ModelInputs(columns, {column.name: column.example for column in columns})


def _column(saved: Mapping[str, Any], date_columns: Collection[str]) -> Column:
    is_list = saved["type"] == "array"
    kind = saved["items"]["type"] if is_list else saved["type"]
    if kind not in _SCHEMAS:
        raise ValueError(f"unsupported column type: {kind}")
    name = str(saved["name"])
    return Column(name, "date" if name in date_columns else kind, is_list)
