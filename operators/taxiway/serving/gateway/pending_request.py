"""A request that waits for its answer."""

import asyncio
import time
import uuid
from dataclasses import dataclass, field

from taxiway.serving.protocol import Rows
from taxiway.serving.workers.base import Outcome


@dataclass(eq=False)
class PendingRequest:
    """A request that waits for its answer.

    Attributes:
        body: The request's JSON, as received.
        rows: Its rows.
        answered: Set to the version that answered and its outcome, once they are logged.
        request_id: A unique id.
        at: When it was received, in seconds since 1970.
    """

    body: str
    rows: Rows
    answered: asyncio.Future[tuple[int, Outcome]]
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    at: float = field(default_factory=time.time)


Batch = list[tuple[PendingRequest, Outcome]]
"""Requests that were answered together, with their outcomes."""
