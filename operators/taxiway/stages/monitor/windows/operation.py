"""How requests were answered in each window: how many, how many with an error or rejected, and how fast."""

from datetime import date
from typing import TYPE_CHECKING

from taxiway.records.served import Operation
from taxiway.stages.monitor.windows.log_windows import Every

if TYPE_CHECKING:
    import duckdb

# Each request has a row 0, also one that was answered with an error.
_OPERATION = """
SELECT date_trunc($every, day)::DATE AS first, count(*), count(*) FILTER (champion_status >= 500),
count(*) FILTER (champion_status BETWEEN 400 AND 499),
quantile_cont(total_ms, 0.5), quantile_cont(total_ms, 0.99)
FROM requests WHERE model = $model AND champion_version = $version AND row = 0
AND day BETWEEN coalesce($since, '0001-01-01'::DATE) AND $until GROUP BY ALL
"""


def operation(
    connection: "duckdb.DuckDBPyConnection", model: str, version: int, every: Every, since: date | None, until: date
) -> dict[date, Operation]:
    """How the requests of a version were answered, by the first days of the windows.

    Args:
        connection: The request log, from `read_request_log`.
        model: The registered model.
        version: Its version.
        every: How long a window is.
        since: The first day of the requests, in UTC; None for all.
        until: The last day.
    """
    asked = {"model": model, "version": version, "every": every, "since": since, "until": until}
    return {
        first: Operation(requests=requests, errors=errors, rejected=rejected, p50_ms=p50, p99_ms=p99)
        for first, requests, errors, rejected, p50, p99 in connection.execute(_OPERATION, asked).fetchall()
    }
