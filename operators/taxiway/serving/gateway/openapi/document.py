"""The OpenAPI 3.1 document of the routes for callers (https://spec.openapis.org/oas/v3.1.0)."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from taxiway.models.explanations import METHODS, UNITS
from taxiway.records.digests import digest_of_bytes
from taxiway.serving.api import ModelStatus
from taxiway.serving.callers import Scope
from taxiway.serving.gateway.bodies.formats import BodyFormat
from taxiway.serving.gateway.openapi.feedback import feedback_answer, feedback_body
from taxiway.serving.gateway.openapi.model_inputs import ModelInputs

_REF = "#/components/schemas/{model}"
_ERRORS = {
    400: "The request is not valid, or does not fit the model.",
    401: "The token is missing or invalid.",
    403: "The caller may not do this.",
    413: "The request is too large.",
    415: "The content type is not supported.",
    422: "The model cannot be explained, because no rows of its training data are saved with it.",
    429: "The caller exceeds a limit; see the header Retry-After.",
    500: "The model failed.",
    503: "The gateway cannot answer now; see the header Retry-After.",
    504: "The model did not answer in time.",
}
_EXPLAIN: dict[str, Any] = {
    "parameters": [
        {
            "name": "explain",
            "in": "query",
            "schema": {"type": "boolean", "default": False},
            "description": "Whether the answer also has what each column contributes to the predictions.",
        }
    ]
}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_OTHER_INPUT = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}
_ALWAYS = (401, 403)
_OF_PREDICTIONS = (422, 500, 504)


@dataclass(frozen=True)
class DescribedModel:
    """A model for the document.

    Attributes:
        name: The registered model.
        version: The version that answers; 0 if there is none.
        inputs: What it takes.
        classes: Its classes; empty for a regression.
        threshold: Its decision threshold; None for 0.5.
    """

    name: str
    version: int = 0
    inputs: ModelInputs = field(default_factory=ModelInputs)
    classes: Sequence[str] = ()
    threshold: float | None = None


def openapi_document(version: str, models: Sequence[DescribedModel], may: Callable[[Scope], bool]) -> dict[str, Any]:
    """Make the document for a caller.

    Args:
        version: The version of Taxiway.
        models: The models that the caller may use.
        may: Whether the caller has a scope.
    """
    schemas: dict[str, Any] = {"Error": _object({"error_code": {"type": "string"}, "message": {"type": "string"}})}
    status = ModelStatus.model_json_schema(ref_template=_REF, mode="serialization")
    for name, schema in (*status.pop("$defs", {}).items(), ("ModelStatus", status)):
        schemas[name] = schema | {"description": schema["description"].partition("\n\n")[0]}
    paths = _fixed_paths()
    if may(Scope.METRICS):
        text = {"text/plain": {"schema": {"type": "string"}}}
        paths["/metrics"] = {"get": {"summary": "Metrics for Prometheus", "responses": _responses(text, *_ALWAYS)}}
    if may(Scope.FEEDBACK):
        schemas["Feedback"] = feedback_answer()
    for model in models:
        path = f"/models/{quote(model.name, safe='')}"
        paths[path] = {"get": _get(f"The status of {model.name}", _of("ModelStatus"), 404)}
        name = _component(model.name)
        if may(Scope.FEEDBACK):
            paths[f"{path}/feedback"] = {"post": _feedback(model, name)}
        if may(Scope.PREDICT):
            explained = may(Scope.EXPLAIN)
            schemas |= {f"{name}.row": _row(model.inputs), f"{name}.predictions": _predictions(model, explained=explained)}
            paths[f"{path}/invocations"] = {"post": _invocations(model, name) | (_EXPLAIN if explained else {})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Taxiway gateway", "version": version},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _fixed_paths() -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    open_to_all: dict[str, Any] = {"security": []}
    return {
        "/ping": {"get": open_to_all | {"summary": "Whether the gateway takes requests", "responses": _responses({})}},
        "/ready": {
            "get": open_to_all
            | {"summary": "Whether every model answers and requests can be logged", "responses": _responses({}, 503)}
        },
        "/version": {"get": {"summary": "The version of MLflow", "responses": _responses(text, *_ALWAYS)}},
        "/models": {"get": _get("The status of all models", {"type": "array", "items": _of("ModelStatus")})},
        "/openapi.json": {"get": _get("This document", {"type": "object"})},
    }


def _get(summary: str, schema: Mapping[str, Any], *errors: int) -> dict[str, Any]:
    return {"summary": summary, "responses": _responses({"application/json": {"schema": schema}}, *_ALWAYS, *errors)}


def _invocations(model: DescribedModel, name: str) -> dict[str, Any]:
    served = f"version {model.version}" if model.version else "no version at the moment"
    content: dict[str, Any] = {BodyFormat.JSON: {"schema": _body(model.inputs, _of(f"{name}.row"))}, BodyFormat.ARROW: {}}
    example = model.inputs.example
    if example is not None:
        content[BodyFormat.JSON]["example"] = {"dataframe_records": [example]}
    if not any(column.is_list for column in model.inputs.columns):
        content[BodyFormat.CSV] = {"schema": {"type": "string"}} | ({"example": _csv(example)} if example else {})
    answered = {"application/json": {"schema": _of(f"{name}.predictions")}}
    responses = _responses(answered, *_ERRORS)
    responses["200"]["headers"] = {
        "X-Taxiway-Request-Id": {"schema": {"type": "string"}, "description": "The id of the request in the log."},
        "X-Taxiway-Model-Version": {"schema": {"type": "integer"}, "description": "The version that answered."},
    }
    return {
        "summary": f"Predict with {model.name}",
        "description": f"Served: {served}.",
        "operationId": f"predict_{name}",
        "requestBody": {"required": True, "content": content},
        "responses": responses,
    }


def _feedback(model: DescribedModel, name: str) -> dict[str, Any]:
    answered = {"application/json": {"schema": _of("Feedback")}}
    return {
        "summary": f"Store true labels of predictions of {model.name}",
        "operationId": f"label_{name}",
        "requestBody": {"required": True, "content": feedback_body(model.classes)},
        "responses": _responses(answered, *(status for status in _ERRORS if status not in _OF_PREDICTIONS)),
    }


def _body(inputs: ModelInputs, row: Mapping[str, Any]) -> dict[str, Any]:
    rows = {"type": "array", "items": row, "minItems": 1}
    names = {"type": "array", "items": {"type": "string"}}
    split = _object({"columns": names, "data": {"type": "array", "items": {"type": "array"}, "minItems": 1}})
    split["properties"]["index"] = {"type": "array"}
    by_column = _object({column.name: {"type": "array", "items": column.schema} for column in inputs.columns})
    forms = {"dataframe_records": rows, "dataframe_split": split, "instances": rows, "inputs": {"anyOf": [rows, by_column]}}
    return {"oneOf": [_object({form: schema}) | {"additionalProperties": False} for form, schema in forms.items()]}


def _row(inputs: ModelInputs) -> dict[str, Any]:
    return {**_object({column.name: column.schema for column in inputs.columns}), "additionalProperties": _OTHER_INPUT}


def _predictions(model: DescribedModel, *, explained: bool) -> dict[str, Any]:
    """The schema of an answer; explanations are optional."""
    answer = _answer(model)
    if explained:
        answer["properties"]["explanations"] = _explanations()
    return answer


def _answer(model: DescribedModel) -> dict[str, Any]:
    if not model.classes:
        return _object({"predictions": {"type": "array"}})
    count = len(model.classes)
    row = {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}
    fields: dict[str, Any] = {"predictions": {"type": "array", "items": row}, "classes": {"const": list(model.classes)}}
    if model.threshold is not None:
        fields["threshold"] = {"const": model.threshold}
    return _object(fields)


def _explanations() -> dict[str, Any]:
    number = {"type": "number"}
    contributions = {"type": "object", "additionalProperties": number}
    row = _object({"of": {"type": "string"}, "base": number, "contributions": contributions})
    row["properties"]["standard_errors"] = contributions
    found = _object({"unit": {"enum": list(UNITS)}, "rows": {"type": "array", "items": row}, "method": {"enum": list(METHODS)}})
    count = {"type": "integer", "minimum": 1}
    found["properties"]["sampling"] = _object({"orders": count, "background_rows": count})
    return found


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that has all these properties."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _of(schema: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=schema)}


def _responses(content: Mapping[str, Any], *errors: int) -> dict[str, Any]:
    error = {"application/json": {"schema": _of("Error")}}
    refusals = {str(status): {"description": _describe(status), "content": error} for status in errors}
    return {"200": {"description": "Success.", **({"content": content} if content else {})}, **refusals}


def _describe(status: int) -> str:
    return _ERRORS.get(status, "The model is not served.")


def _csv(row: Mapping[str, Any]) -> str:
    written = io.StringIO()
    lines: Iterable[Iterable[Any]] = (row.keys(), row.values())
    csv.writer(written, lineterminator="\n").writerows(lines)
    return written.getvalue()


def _component(model: str) -> str:
    """A name for schemas, whatever characters the model's has."""
    allowed = re.sub(r"[^A-Za-z0-9._-]", "_", model)
    return allowed if allowed == model else f"{allowed}.{digest_of_bytes(model.encode())[:8]}"
