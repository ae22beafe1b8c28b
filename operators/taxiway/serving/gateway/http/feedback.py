"""Takes true labels of predictions from callers."""

import asyncio
import logging
import sqlite3
import time

from starlette.responses import JSONResponse, Response

from taxiway.errors import RequestError, WorkerDiedError
from taxiway.serving.audit_labels import marked_caller
from taxiway.serving.callers import Caller
from taxiway.serving.gateway.feedback.matched import Matched, match_labels
from taxiway.serving.gateway.http.gateway import Gateway
from taxiway.serving.gateway.models.served_model import ServedModel

log = logging.getLogger(__name__)

_MAX_WAITING = 8
_LIMIT_S = 30.0


async def take_labels(
    gateway: Gateway, model: ServedModel, caller: Caller, body: bytes, media_type: str, auditor: str = ""
) -> Response:
    """Match labels with predictions in a process of its own, and store them; they are committed when this returns.

    Args:
        gateway: The gateway.
        model: The model that the labels are for.
        caller: Who sends them.
        body: The body.
        media_type: Its media type.
        auditor: The person who has made the labels for an audit; empty for other labels.

    Returns:
        How many labels are stored for predictions that had none, replace another label, and are known already; and for each of the others,
        its place in the body and why it was refused.

    Raises:
        RequestError: The body is not valid, or labels cannot be taken now.
    """
    gateway.limits.take_request(caller)
    if gateway.labels_waiting >= _MAX_WAITING:
        raise RequestError(503, f"{_MAX_WAITING} requests with labels are waiting; try again later")
    gateway.labels_waiting += 1
    try:
        found = await _matched(gateway, model, body, media_type, auditor)
    finally:
        gateway.labels_waiting -= 1
    now = time.time()
    if found.new:
        sender = marked_caller(caller.name, auditor)
        rows = [(new.request_id, new.row, model.name, new.predicted_at, new.label, now, sender) for new in found.new]
        try:
            await gateway.log.add_labels(rows)
        except (sqlite3.Error, OSError) as error:
            log.warning("%s: labels of %s could not be stored: %s", model.name, caller.name, error)
            raise RequestError(503, "the labels could not be stored; try again later") from None
    counts = {"recorded": len(found.new) - found.corrected, "corrected": found.corrected, "unchanged": found.unchanged}
    gateway.metrics.labelled(model.name, caller.name, counts | {"refused": len(found.refused)})
    refused = [{"index": index, "reason": reason} for index, reason in sorted(found.refused.items())]
    return JSONResponse({**counts, "refused": refused})


async def _matched(gateway: Gateway, model: ServedModel, body: bytes, media_type: str, auditor: str) -> Matched:
    """Match the labels, one body after the other; the limit is for this one, not for those that it waits for."""
    champion = model.champion.current
    classes = tuple(champion.version.classes) if champion else ()
    state = gateway.settings.state_folder
    try:
        async with gateway.matching_turn, asyncio.timeout(_LIMIT_S):
            return await gateway.matching.run(match_labels, state, model.name, classes, body, media_type, auditor)
    except TimeoutError:
        raise RequestError(
            503, f"the labels were not matched within {_LIMIT_S:g} s; send fewer labels at once, or request ids instead of keys"
        ) from None
    except WorkerDiedError:
        raise RequestError(503, "the process that matches labels has died; try again") from None
