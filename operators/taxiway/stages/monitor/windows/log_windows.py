"""The rows that a version has predicted, by window of time, from the Parquet files of the request log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from taxiway.data.engine.keys_sql import literal
from taxiway.errors import ConfigError
from taxiway.serving.request_log.repeated_requests import NOT_REPEATED, find_repeated, most_alike
from taxiway.spec.monitor import Monitor
from taxiway.stages.context import StageContext

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Every = Literal["day", "week", "month"]
NEARLY_ALL = 0.9
"""The share of rows that are the same at or above which a window says nothing about other rows."""
_OF_VERSION = """
FROM requests LEFT JOIN labels USING (model, day, request_id, row)
WHERE model = $model AND champion_version = $version AND champion_status = 200
AND day BETWEEN coalesce($since, '0001-01-01'::DATE) AND coalesce($until, '9999-12-31'::DATE)
"""
_ANSWERED = """
(SELECT * FROM requests WHERE model = {model} AND champion_version = {version} AND champion_status = 200
AND day BETWEEN '{since}'::DATE AND '{until}'::DATE)
"""
_WINDOWS = "SELECT DISTINCT date_trunc($every, day)::DATE AS first {of_version} ORDER BY first"
_ROWS = """
SELECT probabilities, prediction_value, label, label_value, day {of_version}
AND date_trunc($every, day)::DATE = $first AND {not_repeated} AND (len(probabilities) = $classes OR ($classes = 0 AND prediction_value IS NOT NULL))
ORDER BY day, received_at, request_id, row
"""


@dataclass(frozen=True)
class Window:
    """The rows of a window.

    Attributes:
        first: Its first day.
        answers: The probabilities of the classes (n, classes), or the predicted numbers (n).
        labels: The labels that are known by now: positions of classes, or numbers; NaN for none (n). A label that is not a class of the
            version counts as none.
        days: The days of the requests in UTC, as days since 1970, in ascending order (n).
        repeated: The ids of the requests that repeat an earlier one, whose rows are left out.
        alike: How many rows have the inputs that most of them have, if nearly all have the same answer; 0 if not.
    """

    first: date
    answers: "Floats"
    labels: "Floats"
    days: "NDArray[np.int64]"
    repeated: frozenset[str] = frozenset()
    alike: int = 0


def read_windows(
    connection: "duckdb.DuckDBPyConnection",
    model: str,
    version: int,
    classes: Sequence[str],
    every: Every,
    since: date | None = None,
    until: date | None = None,
) -> Iterator[Window]:
    """The windows in which a version has predicted rows, oldest first, one at a time.

    Args:
        connection: The request log, from `read_request_log`.
        model: The registered model.
        version: Its version.
        classes: Its classes; empty for a regression.
        every: How long a window is; a week begins on Monday.
        since: The first day of the requests, in UTC; None for all.
        until: The last day; None for all.
    """
    asked = {"model": model, "version": version, "every": every, "since": since, "until": until}
    for (first,) in connection.execute(_WINDOWS.format(of_version=_OF_VERSION), asked).fetchall():
        days = max(first, since or first), min(last_day(first, every), until or date.max)
        rows = _ANSWERED.format(model=literal(model), version=int(version), since=days[0], until=days[1])
        repeated = find_repeated(connection, rows, "labels")
        values = {**asked, "first": first, "classes": len(classes)}
        table = connection.sql(_ROWS.format(of_version=_OF_VERSION, not_repeated=NOT_REPEATED), params=values).to_arrow_table()
        (answers, labels), of_days = answers_and_labels(table, classes), table.column("day").to_numpy().astype("datetime64[D]")
        is_alike = len(answers) > 0 and largest_share(answers) >= NEARLY_ALL
        yield Window(first, answers, labels, of_days.astype("int64"), repeated, most_alike(connection, rows) if is_alike else 0)


def largest_share(answers: "Floats") -> float:
    """The share of the rows that have the most frequent answer."""
    import numpy as np

    first = answers if answers.ndim == 1 else answers[:, -1]  # of two classes, one probability; of more, nearly so
    return float(np.unique(first, return_counts=True)[1].max() / len(first))


def first_day(day: date, every: Every) -> date:
    """The first day of the window that a day is in; a week begins on Monday."""
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday() if every == "week" else 0)


def last_day(first: date, every: Every) -> date:
    """The last day of the window that begins on a day."""
    if every == "month":
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first + timedelta(days=6 if every == "week" else 0)


def oldest_day(today: date, every: Every, windows: int) -> date:
    """The first day of the oldest of the newest windows that have ended, besides which there is the present one."""
    first = first_day(today, every)
    for _ in range(windows):
        first = first_day(first - timedelta(days=1), every)
    return first


def newest_day(connection: "duckdb.DuckDBPyConnection", model: str, version: int, until: date) -> date:
    """The last day, until `until`, on which a version has predicted rows; it has predicted some."""
    asked = {"model": model, "version": version, "since": None, "until": until}
    row = connection.execute(f"SELECT max(day) {_OF_VERSION}", asked).fetchone()
    assert row is not None
    newest: date = row[0]
    return newest


def log_folder(context: StageContext, asked: Monitor) -> Path:
    """The folder of the request log.

    Raises:
        ConfigError: The installation has no folder of data, or it is not on a file system.
    """
    path = context.services.filled(asked.log).removeprefix("file://")
    if "://" in path:
        raise ConfigError(f"monitor.log is {path}; allowed: a folder that the Airflow workers mount, which is read by its path")
    return Path(path)


def served_versions(connection: "duckdb.DuckDBPyConnection", model: str) -> list[int]:
    """The versions of a model that have predicted rows, in ascending order."""
    query = "SELECT DISTINCT champion_version FROM requests WHERE model = $1 AND champion_status = 200 ORDER BY 1"
    return [version for (version,) in connection.execute(query, [model]).fetchall()]


def answers_and_labels(table: Any, classes: Sequence[str]) -> "tuple[Floats, Floats]":
    """The answers and the labels of rows, see `Window`.

    Args:
        table: An Arrow table with the columns `probabilities`, `prediction_value`, `label` and `label_value`.
        classes: The classes of the version; empty for a regression.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not classes:
        answers, labels = (table.column(name).to_numpy().astype(float) for name in ("prediction_value", "label_value"))
        return answers, labels
    answers = table.column("probabilities").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    positions = pc.index_in(table.column("label"), value_set=pa.array(classes, pa.string()))
    labels = np.asarray(positions.cast(pa.float64()).to_numpy(), dtype=float)
    return answers.astype(float).reshape(-1, len(classes)), labels
