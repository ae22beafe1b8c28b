"""The `shadow` section: how a challenger is compared with the champion on live requests."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from taxiway.spec.base import (
    Duration,
    Fraction,
    Number,
    Section,
)


class Shadow(Section):
    """The requirements for a challenger on live requests.

    Attributes:
        deployer: Where the challenger runs: in a `process` of the gateway, or in a `docker` container with its own limits.
        min_requests: The number of requests with a result from both versions, predictions or an error, that a decision needs.
        max_wait: The longest time to wait for them; after that, the decision is UNDECIDED.
        min_agreement: The smallest fraction of rows on which both must agree: equal classes, or numbers within `agree_within`.
        agree_within: The largest difference that counts as agreement in a regression, in the label's unit.
        max_error_rate: The largest fraction of errors of the challenger, among the requests for which the champion returned
            predictions.
        max_p99_ratio: The largest ratio of the challenger's 99th percentile of latency to the champion's.
    """

    deployer: Literal["process", "docker"] = "process"
    min_requests: int = Field(default=2000, ge=100, le=50_000)
    max_wait: Duration = timedelta(days=1)
    min_agreement: Fraction = 0.5
    agree_within: Number | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_error_rate: Fraction = 0.001
    max_p99_ratio: Number = Field(default=1.5, gt=0)
