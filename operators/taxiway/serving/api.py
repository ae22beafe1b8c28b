"""The JSON models of the gateway's HTTP API."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from taxiway.records.shadow_pairs import ApiModel


class Remote(ApiModel):
    """A version that `taxiway serve-version` serves.

    Attributes:
        address: Its address.
        token: The bearer token that it requires.
    """

    address: str = Field(pattern=r"^https?://[^\s/]+$")
    token: str = Field(min_length=16, repr=False)


class ChallengerRequest(ApiModel):
    """The request to deploy a challenger.

    Attributes:
        version: The model version.
        owner: The DAG run that deploys it.
        expires_in_s: The seconds after which the gateway removes it.
        remote: Where it is served; None if the gateway loads it into its own processes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = Field(ge=1)
    owner: str = Field(min_length=1, max_length=300)
    expires_in_s: float = Field(gt=0, le=31 * 86400)
    remote: Remote | None = None


class ChallengerStatus(ApiModel):
    """A challenger, with counts of its requests from the log.

    Attributes:
        version: The model version.
        owner: The DAG run that deployed it.
        state: Whether it is still loading.
        expires_at: When the gateway removes it.
        mirrored: Requests that were queued for it. Those that are neither answered nor errors are in progress or lost.
        answered: Requests that it answered with predictions.
        errors: Requests that it answered with an error.
        dropped: Requests that were not queued because its queue was full.
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
    """A served model.

    Attributes:
        model: The registered model.
        champion: The version that answers; 0 if there is none.
        since: Since when it answers.
        problem: Why the registry's champion is not the version that answers; empty if it is.
        challenger: The challenger; None if there is none.
    """

    model: str
    champion: int
    since: datetime | None
    problem: str
    challenger: ChallengerStatus | None
