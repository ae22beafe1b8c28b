"""The `monitor` section: how the champion is compared with its evaluation rows while it answers requests."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from taxiway.spec.base import Section, allowed_schedule
from taxiway.spec.metrics import MetricName


def _clock(value: object) -> object:
    """Check a schedule by the clock; `new_span` is none."""
    if value == "new_span":
        raise ValueError("new_span is for training; allowed: a cron preset such as @daily, or a cron expression of five fields")
    return allowed_schedule(value)


class Monitor(Section):
    """How the champion is monitored. This makes a second DAG, `TEAM.PIPELINE.monitor`.

    Attributes:
        log: The folder of the Parquet files of the gateway's request log; {data} is the installation's folder of data.
        schedule: When the champion is compared: a cron preset or expression; None for manual runs.
        window: How long a window of requests is: `day`, `week` from Monday on, or `month`.
        windows: How many windows a run compares, the newest ones. Labels that come later than that are not looked at.
        metric: The metric; None for `roc_auc` of two classes, `accuracy` of more, and `mae` of a regression.
    """

    log: str = Field(min_length=1)
    schedule: Annotated[str | None, BeforeValidator(_clock)] = "@daily"
    window: Literal["day", "week", "month"] = "week"
    windows: int = Field(default=8, ge=1, le=366, strict=True)
    metric: MetricName | None = None
