"""Answers a request for predictions: within the limits of its caller, counted in the metrics."""

import json
import logging
import time
from collections.abc import Mapping
from contextlib import nullcontext

from starlette.responses import Response

from taxiway.errors import LimitError, RequestError
from taxiway.serving.callers import Caller
from taxiway.serving.gateway.bodies.formats import format_of
from taxiway.serving.gateway.http.auth import refusal
from taxiway.serving.gateway.http.gateway import Gateway
from taxiway.serving.gateway.http.limits import retry_after, rounded
from taxiway.serving.gateway.models.served_model import ServedModel
from taxiway.serving.protocol import PickledRows, Rows

access_log = logging.getLogger("taxiway.access")

REQUEST_ID, VERSION = "X-Taxiway-Request-Id", "X-Taxiway-Model-Version"
"""Headers of an answer."""
_GATEWAY_ERROR = 500


async def predict(
    gateway: Gateway, model: ServedModel, caller: Caller, body: bytes, headers: Mapping[str, str], *, explain: bool = False
) -> Response:
    """Answer a request with the champion of a model.

    Args:
        gateway: The gateway.
        model: The model.
        caller: Who asks.
        body: The body of the request.
        headers: Its headers.
        explain: Whether the answer also has what each column contributes to the predictions.

    Raises:
        RequestError: The body is not valid, the caller exceeds a limit, or the model cannot answer now.
    """
    began = time.perf_counter()
    try:
        response = await _answer(gateway, model, caller, body, headers, explain=explain)
    except LimitError:
        gateway.metrics.over_limit(model.name, caller.name)
        _log_access(gateway, model, caller, 429, began)
        raise
    except RequestError as error:
        gateway.metrics.answered(model.name, caller.name, error.status, time.perf_counter() - began)
        _log_access(gateway, model, caller, error.status, began)
        raise
    gateway.metrics.answered(model.name, caller.name, response.status_code, time.perf_counter() - began)
    _log_access(gateway, model, caller, response.status_code, began, response.headers)
    return response


def _log_access(
    gateway: Gateway, model: ServedModel, caller: Caller, status: int, began: float, headers: Mapping[str, str] | None = None
) -> None:
    """Write a line about a request, if the gateway is to; `headers` are those of an answer of the model."""
    if not gateway.settings.access_log:
        return
    request_id, version = (headers.get(name) for name in (REQUEST_ID, VERSION)) if headers else (None, None)
    taken_ms = round((time.perf_counter() - began) * 1e3, 3)
    fields = {"model": model.name, "version": version and int(version), "caller": caller.name, "status": status, "ms": taken_ms}
    message = "%s: %d for %s in %g ms, request %s"
    shown = (model.name, status, caller.name, taken_ms, request_id or "without an id")
    access_log.info(message, *shown, extra={"fields": {"request_id": request_id, **fields}})


async def _answer(
    gateway: Gateway, model: ServedModel, caller: Caller, body: bytes, headers: Mapping[str, str], *, explain: bool
) -> Response:
    gateway.limits.take_request(caller)
    text, rows = await gateway.bodies.read(body, format_of(headers))
    with model.explainer.place(rows) if explain else nullcontext():
        return await _answer_rows(gateway, model, caller, text, rows, explain=explain)


async def _answer_rows(
    gateway: Gateway, model: ServedModel, caller: Caller, text: str, rows: Rows | PickledRows, *, explain: bool
) -> Response:
    gateway.limits.take_rows(caller, rows.row_count)
    try:
        request_id, served_by, outcome = await model.predict(text, rows, caller.name)
    except RequestError:  # nothing was predicted
        gateway.limits.return_rows(caller, rows.row_count)
        raise
    answer_headers = {REQUEST_ID: request_id, VERSION: str(served_by.version)}
    if outcome.status != 200:
        if outcome.status >= _GATEWAY_ERROR:
            gateway.limits.return_rows(caller, rows.row_count)
        if outcome.retry_after_s is not None:
            answer_headers["Retry-After"] = retry_after(outcome.retry_after_s)
        return refusal(outcome.status, gateway.failures.message(model.name, request_id, caller, outcome), answer_headers)
    predictions = outcome.predictions if caller.decimals is None else rounded(outcome.predictions, caller.decimals)
    # The names of the classes, in the order of the probabilities.
    classes = f', "classes": {json.dumps(served_by.classes, ensure_ascii=False)}' if served_by.classes else ""
    threshold = f', "threshold": {served_by.threshold!r}' if served_by.threshold is not None else ""
    explanations = ""
    if explain:
        explained = await model.explainer.explain(served_by.version, rows)
        gateway.metrics.explained(model.name, explained.latency_ms / 1e3)
        if explained.status != 200:  # the headers name the prediction, which is in the log
            told = gateway.failures.message(model.name, request_id, caller, explained)
            return refusal(explained.status, told, answer_headers)
        found = explained.predictions if caller.decimals is None else rounded(explained.predictions, caller.decimals)
        explanations = f', "explanations": {found}'
    content = f'{{"predictions": {predictions}{classes}{threshold}{explanations}}}'
    return Response(content, media_type="application/json", headers=answer_headers)
