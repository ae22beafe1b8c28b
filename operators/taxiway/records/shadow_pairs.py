"""What champion and challenger answered to the same requests, as the gateway gives it to the shadow gate."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """The base of all forms: frozen; unknown keys are ignored, so that an older client can talk to a newer gateway."""

    model_config = ConfigDict(frozen=True)


class Answer(ApiModel):
    """What one version made of a request: predictions, one per row, or an error; `latency_ms` of the predict call it was in."""

    version: int
    predictions: list[Any] | None
    error: str
    latency_ms: float


class Pair(ApiModel):
    """One request that champion and challenger both dealt with. Requests of the same `call` were predicted together, by both.

    `body` is the request's own, as it was logged, if it was asked for; see `PairedLog`.
    """

    request_id: str
    call: str
    at: datetime
    champion: Answer
    challenger: Answer
    body: str | None = None


class PairedLog(ApiModel):
    """The newest pairs of one challenger, oldest first, and the requests of its time that made no pair.

    The newest of them have the bodies of their requests, as many as were asked for and as have no more than 16 MiB together.

    `dropped` never reached the challenger; `unanswered` did, but their answers were lost, as with its process. Requests newer than
    its newest answer are still on their way, and count as neither.
    """

    model: str
    version: int
    owner: str
    pairs: tuple[Pair, ...]
    dropped: int
    unanswered: int
