"""A request that waits for its answer."""

import asyncio
import time
from dataclasses import dataclass, field

from taxiway.serving.gateway.request_ids import new_request_id
from taxiway.serving.protocol import PickledRows, Rows
from taxiway.serving.workers.base import Outcome


@dataclass(eq=False)
class PendingRequest:
    """A request that waits for its answer.

    Attributes:
        body: The request as JSON.
        rows: Its rows.
        answered: Set to the version that answered and its outcome, once they are logged.
        caller: The name of the caller; empty if it has none.
        at: When it was received, in seconds since 1970.
        received: When it was received by the monotonic clock, in seconds.
        request_id: A unique id, which begins with the time.
    """

    body: str
    rows: Rows | PickledRows
    answered: asyncio.Future[tuple[int, Outcome]]
    caller: str = ""
    at: float = field(default_factory=time.time)
    received: float = field(default_factory=time.monotonic)
    request_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.request_id = new_request_id(self.at)


Batch = list[tuple[PendingRequest, Outcome]]
"""Requests that were answered together, with their outcomes."""
