"""Reads the Parquet files of a gateway's request log with SQL."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from taxiway.data.engine.connection import connect, path_literal, restricting_settings
from taxiway.errors import ConfigError

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

INPUT = "input."
"""The columns of the inputs begin with it; they are JSON text."""
OTHER_INPUTS = "other_inputs"
"""The column of the inputs that the model does not take: their JSON text by name."""
_NO_LABELS = """
SELECT NULL::VARCHAR AS request_id, NULL::BIGINT AS row, NULL::TIMESTAMPTZ AS labelled_at, NULL::VARCHAR AS caller, NULL::VARCHAR AS label,
NULL::DOUBLE AS label_value, NULL::VARCHAR AS model, NULL::DATE AS day WHERE false
"""
OWN_NAME = re.compile(r"[0-9a-f]{16}-\d{12,}-\d{12,}\.parquet")
"""The names of the files that a gateway has written."""
_MAGIC = b"PAR1"
ARRIVALS = """
SELECT model, day, count(*) AS rows, count(labels.request_id) AS labelled, max(labelled_at) AS last_label
FROM requests LEFT JOIN labels USING (model, day, request_id, row)
WHERE champion_status = 200 AND ($1 IS NULL OR model = $1) GROUP BY ALL ORDER BY ALL
"""
"""How many rows of each model and day were predicted, and how many of them have a label. Its parameter is a model, or null for all."""


def request_files(folder: Path, kind: str, model: str | None = None, day: str | None = None) -> list[Path]:
    """The files of requests or of labels, in order.

    Other files in the folder are left out, and so are damaged ones, with a warning.

    Args:
        folder: The folder of the log.
        kind: `requests` or `labels`.
        model: The registered model; None for all.
        day: The day of the requests in UTC, such as `2026-01-31`; None for all.
    """
    name = "*" if model is None else quote(model, safe="")
    found = sorted((folder.absolute() / kind).glob(f"model={name}/day={day or '*'}/*.parquet"))
    return [path for path in found if OWN_NAME.fullmatch(path.name) and not _is_damaged(path)]


def _is_damaged(path: Path) -> bool:
    """Whether a file does not begin and end as a Parquet file."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(_MAGIC))
            file.seek(max(len(_MAGIC), path.stat().st_size - len(_MAGIC)))
            damaged = not begins == file.read() == _MAGIC
    except FileNotFoundError:  # its day has just been deleted
        return True
    if damaged:
        log.warning("%s is damaged, so its rows are left out; restore it from a backup, or delete it", path)
    return damaged


def files_sql(files: Sequence[Path]) -> str:
    """SQL for the rows of files, with the model and the day as columns."""
    listed = ", ".join(map(path_literal, files))
    types = "hive_types = {model: VARCHAR, day: DATE}"
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = true, {types})"


def newest_labels_sql(files: Sequence[Path]) -> str:
    """SQL for the newest label of each row, of files of labels; there may be none."""
    if not files:
        return _NO_LABELS
    newest = "row_number() OVER (PARTITION BY request_id, row ORDER BY labelled_at DESC, seq DESC) = 1"
    return f"SELECT * EXCLUDE (seq) FROM {files_sql(files)} QUALIFY {newest}"  # noqa: S608 (the paths are quoted)


@contextmanager
def open_request_log(folder: Path) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A connection with the views `requests`, a row for each predicted row, and `labels`, the newest label of each row that has one.

    It can read no other files.

    Args:
        folder: The folder of the log.

    Raises:
        ConfigError: It has no requests.
    """
    requests, labels = request_files(folder, "requests"), request_files(folder, "labels")
    if not requests:
        raise ConfigError(
            f"{folder} has no logged requests; a gateway writes them there every hour, or at once: taxiway log roll --state FOLDER"
        )
    with connect() as connection:
        connection.execute(f"CREATE VIEW requests AS SELECT * FROM {files_sql(requests)}")  # noqa: S608 (the paths are quoted)
        connection.execute(f"CREATE VIEW labels AS {newest_labels_sql(labels)}")
        for setting in restricting_settings([*requests, *labels]):
            connection.execute(f"SET {setting}")
        yield connection
