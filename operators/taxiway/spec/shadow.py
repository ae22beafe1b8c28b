"""The `shadow` section: how a challenger is compared on live requests."""

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
    """When a challenger's answers to live requests let it go on.

    `min_requests` pairs of answers decide; fewer after `max_wait` are UNDECIDED. `max_error_rate` is of the challenger's errors
    beyond the champion's; `max_p99_ratio` of its 99th percentile of latency to the champion's; `min_agreement` of rows with equal
    labels, or, where the model estimates a number, with numbers at most `agree_within` apart, in the label's unit.
    `deployer` says where it runs: in a process of the gateway, or in a container of its own, with limits of its own.
    """

    deployer: Literal["process", "docker"] = "process"
    min_requests: int = Field(default=2000, ge=100, le=50_000)
    max_wait: Duration = timedelta(days=1)
    min_agreement: Fraction = 0.5
    agree_within: Number | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_error_rate: Fraction = 0.001
    max_p99_ratio: Number = Field(default=1.5, gt=0)
