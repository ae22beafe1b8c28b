"""The limits of callers: requests per second, and rows per day.

A rate is a token bucket (https://en.wikipedia.org/wiki/Token_bucket) that holds the requests of one second, at least one. The rows
of a day are stored about once a second, so a gateway that is killed forgets those of the last second.
"""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from taxiway.errors import LimitError, RequestError
from taxiway.serving.callers import Caller
from taxiway.serving.gateway.problems import Problems

log = logging.getLogger(__name__)

FILE = "rows-today.json"


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class CallerLimits:
    """Counts what callers use.

    Args:
        folder: The state folder, in which the rows of the day are stored.
        clock: The time in seconds, for rates.
        now: The time, for days.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._path = folder / FILE
        self._clock, self._now = clock, now
        self._buckets: dict[str, _Bucket] = {}
        self._day, self._rows = _read(self._path)
        self._stored = (self._day, dict(self._rows))
        self._problems = Problems("limits of callers")

    @property
    def problem(self) -> str:
        """Why the rows of the day cannot be stored at the moment; empty if they can."""
        return self._problems.text

    def take_request(self, caller: Caller) -> None:
        """Count a request.

        Raises:
            LimitError: The caller exceeds its rate.
        """
        if caller.requests_per_s is None:
            return
        rate, now = caller.requests_per_s, self._clock()
        size = max(1.0, rate)
        bucket = self._buckets.setdefault(caller.name, _Bucket(size, now))
        bucket.tokens = min(size, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise LimitError(
                f"the caller {caller.name} may send {rate:g} requests per second; try again later", (1 - bucket.tokens) / rate
            )
        bucket.tokens -= 1

    def take_rows(self, caller: Caller, rows: int) -> None:
        """Count the rows of a request.

        Raises:
            LimitError: The caller exceeds its rows of the day; none of the request's are counted.
            RequestError: 413 if the request has more rows than the caller may send on any day.
        """
        if caller.rows_per_day is None:
            return
        if rows > caller.rows_per_day:
            raise RequestError(
                413,
                f"this request has {rows:,} rows, and the caller {caller.name} may send {caller.rows_per_day:,} per day; send fewer rows per request",
            )
        now = self._now()
        if self._day != f"{now:%Y-%m-%d}":
            self._day, self._rows = f"{now:%Y-%m-%d}", {}
        used = self._rows.get(caller.name, 0)
        if used + rows > caller.rows_per_day:
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            raise LimitError(
                f"the caller {caller.name} may send {caller.rows_per_day:,} rows per day (UTC) and has sent {used:,}; this request has {rows:,}",
                (midnight - now).total_seconds(),
            )
        self._rows[caller.name] = used + rows

    def return_rows(self, caller: Caller, rows: int) -> None:
        """Do not count rows that were not predicted, because of an error of the gateway."""
        if caller.name in self._rows:
            self._rows[caller.name] = max(0, self._rows[caller.name] - rows)

    def store(self) -> None:
        """Store the rows of the day, if they have changed. This may run in another thread than the rest."""
        current = (self._day, dict(self._rows))
        if current == self._stored:
            return
        temporary = self._path.with_suffix(".partial")
        try:
            temporary.write_text(json.dumps({"day": current[0], "rows": current[1]}))
            temporary.replace(self._path)
        except OSError as error:
            self._problems.begin("store", f"the rows of the day are not stored, and a restart forgets them: {error}")
            return
        self._problems.end("store")
        self._stored = current


def retry_after(seconds: float) -> str:
    """The value of the header Retry-After: whole seconds, at least one."""
    return str(max(1, math.ceil(seconds)))


def rounded(predictions: str, decimals: int) -> str:
    """Predictions as JSON with their numbers rounded."""
    return json.dumps(_rounded(json.loads(predictions), decimals), ensure_ascii=False)


def _rounded(value: Any, decimals: int) -> Any:
    if isinstance(value, list):
        return [_rounded(item, decimals) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item, decimals) for key, item in value.items()}
    return round(value, decimals) if isinstance(value, float) else value


def _read(path: Path) -> tuple[str, dict[str, int]]:
    try:
        content = json.loads(path.read_bytes())
        return str(content["day"]), {str(name): int(rows) for name, rows in content["rows"].items()}
    except FileNotFoundError:
        return "", {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s); the rows of callers are counted from 0 today", path, error)
        return "", {}
