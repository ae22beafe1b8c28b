"""The JSON models of the gateway's HTTP API."""

from datetime import datetime
from typing import Literal

import httpx
from pydantic import ConfigDict, Field, field_validator

from taxiway.records.shadow_pairs import ApiModel

MAX_VERSION = 2**31 - 1
"""The largest version; registries count from 1."""
_MAX_PORT = 65535


class Remote(ApiModel):
    """A version that `taxiway serve-version` serves.

    Attributes:
        address: Its address: scheme, host and port, without a user or a path.
        token: The bearer token that it requires.
    """

    address: str = Field(pattern=r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$", max_length=300)
    token: str = Field(pattern=r"^[\x21-\x7e]{16,300}$", repr=False)

    @field_validator("address")
    @classmethod
    def _address(cls, address: str) -> str:
        try:
            port = httpx.URL(address).port
        except httpx.InvalidURL as error:
            raise ValueError(f"not an address: {error}") from None
        if port is not None and not 0 < port <= _MAX_PORT:
            raise ValueError(f"not an address: port {port}; allowed: 1 to {_MAX_PORT}")
        return address


class ChallengerRequest(ApiModel):
    """The request to deploy a challenger.

    Attributes:
        version: The model version.
        owner: The DAG run that deploys it.
        expires_in_s: The seconds after which the gateway removes it.
        remote: Where it is served; None if the gateway loads it into its own processes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = Field(ge=1, le=MAX_VERSION)
    owner: str = Field(min_length=1, max_length=300)
    expires_in_s: float = Field(gt=0, le=31 * 86400)
    remote: Remote | None = None


class ChallengerStatus(ApiModel):
    """A challenger, with counts of its requests from the log.

    Attributes:
        version: The model version.
        owner: The DAG run that deployed it.
        state: `serving` if its workers have loaded the model, so that requests are mirrored to it. `loading` also while a failed
            attempt to load it waits to be tried again.
        expires_at: When the gateway removes it.
        mirrored: Requests that were queued for it. Those that are neither answered nor errors are in progress or lost.
        answered: Requests that it answered with predictions.
        errors: Requests that it answered with an error.
        dropped: Requests that were not queued because its queue was full.
        labelled: Requests that it answered with predictions and that have a label by now.
    """

    version: int
    owner: str
    state: Literal["loading", "serving"]
    expires_at: datetime
    mirrored: int = 0
    answered: int = 0
    errors: int = 0
    dropped: int = 0
    labelled: int = 0


class ModelStatus(ApiModel):
    """A served model.

    Attributes:
        model: The registered model.
        champion: The version that answers; 0 if there is none.
        since: Since when it answers.
        promotion: Why it is the champion, by the ledger: when, by whom and why it was promoted; empty if that is not known.
        problem: What is wrong, such as why the registry's champion is not the version that answers; empty if nothing is.
        registry_away_since: Since when the registry does not answer; None if it does.
        plan: How the champion predicts: `compiled`, or `original` and why it is not compiled; empty if there is no champion.
        challenger: The challenger; None if there is none.
    """

    model: str
    champion: int
    since: datetime | None
    problem: str
    promotion: str = ""
    registry_away_since: datetime | None = None
    plan: str = ""
    challenger: ChallengerStatus | None
