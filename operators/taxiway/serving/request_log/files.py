"""Reads the Parquet files of a gateway's request log with SQL."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from taxiway.data.engine.connection import connect, path_literal, restricting_settings
from taxiway.errors import ConfigError, NoRequestsError
from taxiway.messages import quoted
from taxiway.serving.request_log.damage import is_damaged, readable_of

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_NO_LABELS = """
SELECT NULL::VARCHAR AS request_id, NULL::BIGINT AS row, NULL::TIMESTAMPTZ AS labelled_at, NULL::VARCHAR AS caller, NULL::VARCHAR AS label,
NULL::DOUBLE AS label_value, NULL::VARCHAR AS model, NULL::DATE AS day WHERE false
"""
OWN_NAME = re.compile(r"[0-9a-f]{16}-\d{12,}-\d{12,}\.parquet")
"""The names of the files that a gateway has written."""
LAYOUT = 1
"""The version of the layout of the files. It grows when a reader of the version before could misread them; new columns do not count."""
_LAYOUT_KEY, _WRITER_KEY = b"taxiway.layout", b"taxiway.version"
"""The keys of the metadata in the footer of a file; files from before there were versions have none, and layout 1."""
_DAY = "day="
ARRIVALS = """
SELECT model, day, count(*) AS rows, count(labels.request_id) AS labelled, max(labelled_at) AS last_label
FROM requests LEFT JOIN labels USING (model, day, request_id, row)
WHERE champion_status = 200 AND ($1 IS NULL OR model = $1) GROUP BY ALL ORDER BY ALL
"""
"""How many rows of each model and day were predicted, and how many of them have a label. Its parameter is a model, or null for all."""


@dataclass(frozen=True)
class LogFiles:
    """Files of a request log.

    Attributes:
        requests: Those of predicted rows, in order.
        labels: Those of labels, in order.
    """

    requests: tuple[Path, ...]
    labels: tuple[Path, ...]


def layout_metadata() -> dict[bytes, bytes]:
    """The metadata in the footer of a file: the version of its layout, and that of the Taxiway that writes it."""
    return {_LAYOUT_KEY: str(LAYOUT).encode(), _WRITER_KEY: version_of("taxiway").encode()}


def request_files(
    folder: Path, kind: str, model: str | None = None, since: date | None = None, until: date | None = None
) -> list[Path]:
    """The files of requests or of labels, in order.

    Other files in the folder are left out, and so are damaged ones, with a warning.

    Args:
        folder: The folder of the log.
        kind: `requests` or `labels`.
        model: The registered model; None for all.
        since: The first day of the requests, in UTC; None for all.
        until: The last day; None for all.

    Raises:
        ConfigError: The user may not read them.
    """
    name = "*" if model is None else quote(model, safe="")
    first, last = since or date.min, until or date.max
    with _told_if_unreadable(folder):
        found = [path for of in _in(folder.absolute() / kind, f"model={name}") for path in _in(of, f"{_DAY}*")]
        days = [path for path in found if (day := _day_of(path.name)) is not None and first <= day <= last]
        files = sorted(path for day in days for path in _in(day, "*.parquet") if OWN_NAME.fullmatch(path.name))
        return [path for path in files if not is_damaged(path)]


def newest_request_day(folder: Path, model: str, until: date) -> date | None:
    """The last day, until `until`, of which the log has requests of a model; None if there is none."""
    found = (folder.absolute() / "requests").glob(f"model={quote(model, safe='')}/{_DAY}*")
    days = sorted((day for path in found if (day := _day_of(path.name)) is not None and day <= until), reverse=True)
    return next((day for day in days if request_files(folder, "requests", model, day, day)), None)


def log_files(folder: Path, model: str | None = None, since: date | None = None, until: date | None = None) -> LogFiles:
    """The files of a request log, as `request_files` finds them.

    Args:
        folder: The folder of the log.
        model: The registered model; None for all.
        since: The first day of the requests, in UTC; None for all.
        until: The last day; None for all.

    Raises:
        ConfigError: The folder does not exist, the user may not read it, or a newer version of Taxiway has written files in another
            layout.
    """
    with _told_if_unreadable(folder):
        exists = folder.is_dir()
    if not exists:
        raise ConfigError(
            f"{folder} is not a folder; give the folder of the request log's Parquet files: log in the state folder of the gateway, or "
            "what taxiway serve --log-folder names. A gateway writes the first files an hour after its start, or at once: taxiway log roll "
            "--state FOLDER"
        )
    requests, labels = (tuple(request_files(folder, kind, model, since, until)) for kind in ("requests", "labels"))
    newest = {path.parent.parent: path for path in (*requests, *labels)}  # of each kind and model
    for path in newest.values():
        _require_known_layout(path)
    return LogFiles(requests, labels)


def _require_known_layout(path: Path) -> None:
    """Raise ConfigError if a file has a newer layout than this version of Taxiway reads."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(path).metadata or {}
    except (pa.ArrowException, OSError):  # it is damaged inside, which `read_files` finds out
        return
    layout = found.get(_LAYOUT_KEY, b"1").decode(errors="replace")
    if not layout.isdecimal() or int(layout) > LAYOUT:
        writer = found.get(_WRITER_KEY, b"unknown").decode(errors="replace")
        advice = (
            f"a gateway of Taxiway {writer} has written it. Install that version or a later one where the log is read"
            if layout.isdecimal()
            else "no gateway writes such a file: move it out of the folder"
        )
        raise ConfigError(
            f"{path} has the layout {quoted(layout)} of the request log, and Taxiway {version_of('taxiway')} reads layouts up to {LAYOUT}; "
            f"{advice}",
            got=layout,
            allowed=tuple(map(str, range(1, LAYOUT + 1))),
        )


def read_files(files: LogFiles, read: Callable[[LogFiles], T]) -> T:
    """What `read` returns for files. If it fails, it is called again without those that are damaged inside or that no
    gateway has written, with a warning for each.

    Args:
        files: The files.
        read: Reads them with DuckDB.

    Raises:
        duckdb.Error: `read` fails, and no file is damaged.
    """
    import duckdb

    try:
        return read(files)
    except duckdb.Error as error:
        # Other errors are those of a query. DuckDB has no error of its own for files whose content makes no sense.
        of_files = duckdb.InvalidInputException | duckdb.IOException | duckdb.InternalException | duckdb.ConversionException
        if type(error) is not duckdb.Error and not isinstance(error, of_files):
            raise
        readable = LogFiles(*(readable_of(paths) for paths in (files.requests, files.labels)))
        if readable == files:
            raise
    return read(readable)


@contextmanager
def _told_if_unreadable(folder: Path) -> Iterator[None]:
    """Raise a `ConfigError` that names the path if the user may not read something of a log in this block."""
    try:
        yield
    except PermissionError as error:
        raise ConfigError(
            f"{error.filename} cannot be read by this user, {os.geteuid()}. To share the request log with a group that it is in: "
            f"chgrp -R GROUP {folder}; chmod -R g+rX {folder}; find {folder} -type d -exec chmod g+s {{}} +"
        ) from None


def _in(folder: Path, pattern: str) -> list[Path]:
    """The paths in a folder whose names match a pattern; none if it does not exist. `Path.glob` leaves out what it may not read."""
    try:
        return [path for path in folder.iterdir() if fnmatchcase(path.name, pattern)]
    except (FileNotFoundError, NotADirectoryError):  # a day may be deleted at any time
        return []


def _day_of(folder: str) -> date | None:
    """The day of a folder; None if it has another name, with which DuckDB refuses to read it."""
    try:
        day = date.fromisoformat(folder.removeprefix(_DAY))
    except ValueError:
        return None
    return day if f"{_DAY}{day.isoformat()}" == folder else None


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


def read_request_log(
    folder: Path,
    read: "Callable[[duckdb.DuckDBPyConnection], T]",
    *,
    model: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> T:
    """What `read` returns for the rows of a request log; it is called again without files that turn out to be damaged.

    Its connection has the views `requests`, a row for each predicted row, and `labels`, the newest label of each row that has one. It
    can read no other files.

    Args:
        folder: The folder of the log.
        read: Reads them.
        model: The registered model; None for all.
        since: The first day of the requests, in UTC; None for all.
        until: The last day; None for all.

    Raises:
        ConfigError: The folder does not exist, or the user may not read it.
        NoRequestsError: The log has no such requests.
        duckdb.Error: `read` fails, and no file is damaged.
    """

    def read_views(files: LogFiles) -> T:
        if not files.requests:
            raise NoRequestsError(no_requests_text(folder, model, since, until))
        with connect() as connection:
            connection.execute(f"CREATE VIEW requests AS SELECT * FROM {files_sql(files.requests)}")  # noqa: S608 (the paths are quoted)
            connection.execute(f"CREATE VIEW labels AS {newest_labels_sql(files.labels)}")
            for setting in restricting_settings([*files.requests, *files.labels]):
                connection.execute(f"SET {setting}")
            return read(connection)

    return read_files(log_files(folder, model, since, until), read_views)


def no_requests_text(folder: Path, model: str | None, since: date | None, until: date | None) -> str:
    """That there are no requests, and what to do next."""
    of = "" if model is None else f" of {model}"
    days = "" if since is None and until is None else " on these days"
    return f"{folder} has no logged requests{of}{days}; a gateway writes them there every hour, or at once: taxiway log roll --state FOLDER"
