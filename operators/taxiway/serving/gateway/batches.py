"""Answered batches: grouped by predict call for the log, and returned to their callers."""

import asyncio
import logging
from collections.abc import Iterator
from itertools import groupby

from taxiway.errors import RequestError
from taxiway.serving.gateway.pending_request import Batch, PendingRequest
from taxiway.serving.workers.base import Outcome

log = logging.getLogger(__name__)


def by_call(batch: Batch) -> Iterator[Batch]:
    """Group a batch by the predict calls that answered it."""
    for _, group in groupby(sorted(batch, key=_call_index), key=_call_index):
        yield list(group)


def resolve(version: int, batch: Batch, error: BaseException | None) -> None:
    """Return the outcomes to the waiting callers.

    Args:
        version: The version that answered.
        batch: The requests and their outcomes.
        error: Why the batch could not be logged; None if it was. Unlogged answers are not returned.
    """
    for request, outcome in batch:
        if request.answered.done():  # the caller has disconnected
            continue
        if error is None:
            request.answered.set_result((version, outcome))
        else:
            message = "the answer could not be logged, and answers that are not logged are not returned; try again later"
            request.answered.set_exception(RequestError(503, message))


def warn_if_lost(logged: asyncio.Future[None], what: str = "answers of the challenger") -> None:
    """Log an error if something could not be written that nobody waits for."""
    if logged.exception() is not None:
        log.error("%s are lost, because the request log cannot be written: %s", what, logged.exception())


def _call_index(answered: tuple[PendingRequest, Outcome]) -> int:
    return answered[1].call
