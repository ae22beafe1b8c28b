"""The rows that one version has predicted, as a table for monitoring."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from taxiway.data.engine.connection import connect, path_literal
from taxiway.errors import NoRequestsError
from taxiway.serving.request_log.files import LogFiles, files_sql, log_files, newest_labels_sql, no_requests_text, read_files
from taxiway.serving.request_log.repeated_requests import NOT_REPEATED, find_repeated, note_repeated
from taxiway.serving.request_log.rows import (
    ANSWERS,
    LABEL_VALUE,
    OWN,
    OWN_COLUMNS,
    PREDICTION_VALUE,
    REQUEST_ID,
    ROW,
    typed_inputs,
    with_sent_inputs,
)


def export_inputs(
    folder: Path,
    model: str,
    version: int | None,
    out: Path,
    *,
    since: date,
    until: date,
    types: Mapping[str, str],
    names: Sequence[str],
    with_answers: bool = False,
    with_ids: bool = False,
    leave_out: Collection[str] | None = (),
) -> None:
    """Write some inputs of the rows that a version has predicted to a Parquet file, with the types of `export_rows`.

    The columns `PREDICTION_VALUE` and `LABEL_VALUE` have the numbers that were predicted, and labels that are numbers.

    Args:
        folder: The folder of the request log.
        model: The registered model.
        version: Its version; None for all.
        out: The file.
        since: The first day of the requests, in UTC.
        until: The last day.
        types: The types of inputs, in the words of a schema.
        names: The inputs, whether the version takes them or not; one that no row has is missing in all of them.
        with_answers: Whether all columns of the gateway are written, as by `export_rows`.
        with_ids: Whether the columns `REQUEST_ID` and `ROW` are written without the others.
        leave_out: The ids of requests that are left out; None for those that repeat an earlier one.

    Raises:
        NoRequestsError: There are no such rows.
    """

    def write(files: LogFiles) -> None:
        if not files.requests:
            raise NoRequestsError(no_requests_text(folder, model, since, until))
        with connect() as connection:
            if leave_out is None:
                find_repeated(connection, f"({_rows_of(files, version)})", f"({newest_labels_sql(files.labels)})")
            else:
                note_repeated(connection, leave_out)
            rows = f"({_rows_of(files, version)} AND {NOT_REPEATED})"
            sent = with_sent_inputs(connection, rows, names)
            numbers = f'prediction_value AS "{PREDICTION_VALUE}", label_value AS "{LABEL_VALUE}"'
            ids = f', request_id AS "{REQUEST_ID}", row AS "{ROW}"' if with_ids else ""
            own = OWN_COLUMNS if with_answers else f"{numbers}{ids}"
            columns = ", ".join([own, *(each.as_column for each in typed_inputs(connection, sent, types, names))])
            joined = f"{sent} AS requests LEFT JOIN ({newest_labels_sql(files.labels)}) AS labels USING (model, day, request_id, row)"
            connection.execute(
                f"COPY (SELECT {columns} FROM {joined} ORDER BY received_at, requests.seq, row) TO {path_literal(out)} (FORMAT parquet)"  # noqa: S608 (names and paths are quoted)
            )

    read_files(log_files(folder, model, since, until), write)


def export_labelled(
    folder: Path,
    model: str,
    version: int,
    out: Path,
    *,
    since: datetime,
    until: date,
    types: Mapping[str, str],
    names: Sequence[str],
) -> None:
    """Write some inputs of the rows with a label that a version has predicted to a Parquet file, with its predictions and the newest labels.

    Repeated requests are left out, see `find_repeated`. The columns that are not inputs begin with `OWN`, see `ANSWERS`.

    Args:
        folder: The folder of the request log.
        model: The registered model.
        version: Its version.
        out: The file.
        since: The time of the first requests, with a time zone.
        until: The last day, in UTC.
        types: The types of inputs, in the words of a schema.
        names: The inputs, whether the version takes them or not; one that no row has is missing in all of them.

    Raises:
        NoRequestsError: There are no requests on these days.
    """
    day = since.astimezone(UTC).date()

    def write(files: LogFiles) -> None:
        if not files.requests:
            raise NoRequestsError(no_requests_text(folder, model, day, until))
        with connect() as connection:
            labels = f"({newest_labels_sql(files.labels)}) AS labels"
            answered = f"({_rows_of(files, version)} AND received_at >= '{since.isoformat()}'::TIMESTAMPTZ)"
            find_repeated(connection, answered, labels)
            rows = (
                f"(SELECT requests.*, label, label_value FROM {answered} AS requests JOIN {labels} "  # noqa: S608 (the paths are quoted)
                f"USING (model, day, request_id, row) WHERE {NOT_REPEATED})"
            )
            sent = with_sent_inputs(connection, rows, names)
            own = [f'{name} AS "{OWN}{name}"' for name in ANSWERS]
            columns = ", ".join([*own, *(each.as_column for each in typed_inputs(connection, sent, types, names))])
            connection.execute(
                f"COPY (SELECT {columns} FROM {sent} ORDER BY received_at, seq, row) TO {path_literal(out)} (FORMAT parquet)"  # noqa: S608 (names and paths are quoted)
            )

    read_files(log_files(folder, model, day, until), write)


def _rows_of(files: LogFiles, version: int | None) -> str:
    """SQL for the answered rows of a version, or of all, to which conditions can be added."""
    of = "" if version is None else f" AND champion_version = {version:d}"
    return f"SELECT * FROM {files_sql(files.requests)} WHERE champion_status = 200{of}"  # noqa: S608 (the paths are quoted)
