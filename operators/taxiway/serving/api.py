"""What the gateway and its clients say to each other over HTTP: the forms of its JSON."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """The base of all forms: frozen; unknown keys are ignored, so that an older client can talk to a newer gateway."""

    model_config = ConfigDict(frozen=True)


class Remote(Wire):
    """Where a version answers that `taxiway serve-version` serves, and the token that it asks for."""

    address: str = Field(pattern=r"^https?://[^\s/]+$")
    token: str = Field(min_length=16, repr=False)


class ChallengerRequest(Wire):
    """Which version shall answer in the shadow, for whom, and for how many seconds at most. The owner is a DAG run.

    Without `remote` the gateway loads the version into processes of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = Field(ge=1)
    owner: str = Field(min_length=1, max_length=300)
    expires_in_s: float = Field(gt=0, le=31 * 86400)
    remote: Remote | None = None


class ChallengerStatus(Wire):
    """A challenger and what became of the requests since it came, counted from the log.

    `mirrored` requests were queued for it: `answered` of them, `errors` failed, the rest is on its way or was lost with
    a process. `dropped` requests found its queue full and never reached it.
    """

    version: int
    owner: str
    state: Literal["loading", "serving"]
    expires_at: datetime
    mirrored: int = 0
    answered: int = 0
    errors: int = 0
    dropped: int = 0


class ModelStatus(Wire):
    """A followed model. `champion` is the version that answers, 0 for none; `since` is when it began to.

    `problem` says why the registry's champion is not the one that answers; empty if it is.
    """

    model: str
    champion: int
    since: datetime | None
    problem: str
    challenger: ChallengerStatus | None


class Answer(Wire):
    """What one version made of a request: predictions, one per row, or an error; `latency_ms` of the predict call it was in."""

    version: int
    predictions: list[Any] | None
    error: str
    latency_ms: float


class Pair(Wire):
    """One request that champion and challenger both dealt with. Requests of the same `call` were predicted together, by both.

    `body` is the request's own, as it was logged, if it was asked for; see `PairedLog`.
    """

    request_id: str
    call: str
    at: datetime
    champion: Answer
    challenger: Answer
    body: str | None = None


class PairedLog(Wire):
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
