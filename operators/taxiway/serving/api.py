"""What the gateway and its clients say to each other over HTTP: the forms of its JSON."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from taxiway.records.shadow_pairs import ApiModel


class Remote(ApiModel):
    """Where a version answers that `taxiway serve-version` serves, and the token that it asks for."""

    address: str = Field(pattern=r"^https?://[^\s/]+$")
    token: str = Field(min_length=16, repr=False)


class ChallengerRequest(ApiModel):
    """Which version shall answer in the shadow, for whom, and for how many seconds at most. The owner is a DAG run.

    Without `remote` the gateway loads the version into processes of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = Field(ge=1)
    owner: str = Field(min_length=1, max_length=300)
    expires_in_s: float = Field(gt=0, le=31 * 86400)
    remote: Remote | None = None


class ChallengerStatus(ApiModel):
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


class ModelStatus(ApiModel):
    """A followed model. `champion` is the version that answers, 0 for none; `since` is when it began to.

    `problem` says why the registry's champion is not the one that answers; empty if it is.
    """

    model: str
    champion: int
    since: datetime | None
    problem: str
    challenger: ChallengerStatus | None
