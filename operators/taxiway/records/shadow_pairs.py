"""The answers of champion and challenger to the same requests, which the gateway sends to the shadow gate."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """The base class of the API's models. Unknown keys are ignored, so that an older client can talk to a newer gateway."""

    model_config = ConfigDict(frozen=True)


class Answer(ApiModel):
    """The answer of one model version to a request.

    Attributes:
        version: The model version.
        predictions: The predictions, one for each row; None after an error.
        error: The error; empty if there was none.
        latency_ms: The latency of the predict call that the request was part of, in milliseconds.
    """

    version: int
    predictions: list[Any] | None
    error: str
    latency_ms: float


class Pair(ApiModel):
    """A request with the answers of both champion and challenger.

    Attributes:
        request_id: The id of the request.
        call: The id of the predict call. Both versions predicted the rows of all requests with the same id together.
        at: The time of the request.
        champion: The champion's answer.
        challenger: The challenger's answer.
        body: The logged body of the request; None if the client did not ask for it. See `PairedLog`.
        labels: The newest label of each row; None if the client did not ask for labels.
    """

    request_id: str
    call: str
    at: datetime
    champion: Answer
    challenger: Answer
    body: str | None = None
    labels: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Replayed:
    """The logged requests that a challenger was asked afterwards.

    Attributes:
        pairs: The pairs, oldest first; their latencies mean nothing.
        days_left_out: How many of the days of `shadow.replay` were left out, because the challenger's snapshot may have rows of them.
    """

    pairs: tuple[Pair, ...] = ()
    days_left_out: int = 0


class PairedLog(ApiModel):
    """The newest pairs of one challenger, and the number of requests without a pair.

    If there are older pairs than these, only requests since the oldest of these are counted. Requests that are newer than the challenger's newest answer are still in progress and are not counted.

    Attributes:
        model: The name of the registered model.
        version: The version of the challenger.
        owner: The run that deployed the challenger.
        pairs: The pairs, oldest first. The newest have the bodies of their requests: as many as the client asked for, at most
            16 MiB in all.
        dropped: The number of requests that never reached the challenger.
        unanswered: The number of requests that reached the challenger, but whose answers were lost, as when its process
            stopped.
    """

    model: str
    version: int
    owner: str
    pairs: tuple[Pair, ...]
    dropped: int
    unanswered: int
