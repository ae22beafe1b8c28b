"""The route for labels in the OpenAPI document."""

from collections.abc import Mapping, Sequence
from typing import Any

from taxiway.serving.gateway.feedback.given import CSV, JSON, MAX_KEY_COLUMNS, MAX_LABELS, MAX_TEXT, PARQUET

_VALUE = {"type": ["string", "number", "boolean"], "maxLength": MAX_TEXT}
_COUNT = {"type": "integer", "minimum": 0}


def feedback_body(classes: Sequence[str]) -> dict[str, Any]:
    """The content of a request with labels, by media type.

    Args:
        classes: The classes of the model; empty for a regression.
    """
    text: dict[str, Any] = {"description": f"One of: {', '.join(classes)}."} if classes else {}
    label = {**_VALUE, **text}
    by_id = _label({"request_id": {"type": "string"}, "row": {**_COUNT, "description": "0 for the first row."}, "label": label})
    by_id["required"].remove("row")
    key = {"type": "object", "minProperties": 1, "maxProperties": MAX_KEY_COLUMNS, "additionalProperties": _VALUE}
    by_key = _label({"key": {**key, "description": "Inputs of the rows that have the label."}, "label": label})
    labels = {"type": "array", "minItems": 1, "maxItems": MAX_LABELS, "items": {"oneOf": [by_id, by_key]}}
    body = {"type": "object", "properties": {"labels": labels}, "required": ["labels"], "additionalProperties": False}
    example = {"request_id": "019ac5b01c2d7a3e8f4b5c6d7e8f9a0b", "label": classes[-1] if classes else 1.5}
    return {
        JSON: {"schema": body, "example": {"labels": [example]}},
        CSV: {"schema": {"type": "string"}, "example": f"request_id,label\n{example['request_id']},{example['label']}\n"},
        PARQUET: {},
    }


def feedback_answer() -> dict[str, Any]:
    """The schema of the answer to labels."""
    refused = {"type": "object", "properties": {"index": _COUNT, "reason": {"type": "string"}}, "required": ["index", "reason"]}
    fields = {**dict.fromkeys(("recorded", "corrected", "unchanged"), _COUNT), "refused": {"type": "array", "items": refused}}
    return {"type": "object", "properties": fields, "required": list(fields)}


def _label(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
