"""The inputs of logged requests, whether a model takes them or not, as a table that can be joined with a source's rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from taxiway.data.engine.connection import connect, path_literal
from taxiway.serving.request_log.files import LogFiles, files_sql, log_files, read_files
from taxiway.serving.request_log.rows import has_values, input_column, typed_inputs, with_sent_inputs


def export_sent_inputs(
    folder: Path, model: str, out: Path, *, since: datetime, until: datetime, types: Mapping[str, str], names: Sequence[str]
) -> int:
    """Write some inputs of answered requests to a Parquet file, whether a model takes them or not, such as a key.

    An input of which the log has hashes is left out.

    Args:
        folder: The folder of the request log.
        model: The registered model.
        out: The file.
        since: The time of the first requests, with a time zone.
        until: The time after the last ones.
        types: The types of inputs, in the words of a schema.
        names: The inputs; those that no row has are left out.

    Returns:
        How many rows were written; 0 if there are none, or none of the inputs, and no file then.
    """

    def write(files: LogFiles) -> int:
        if not files.requests:
            return 0
        with connect() as connection:
            rows = (
                f"(SELECT * FROM {files_sql(files.requests)} WHERE champion_status = 200 "  # noqa: S608 (the paths are quoted)
                f"AND received_at >= '{since.isoformat()}'::TIMESTAMPTZ AND received_at < '{until.isoformat()}'::TIMESTAMPTZ)"
            )
            sent = with_sent_inputs(connection, rows, names)
            counts = [has_values(input_column(name)) for name in names]
            (known,) = connection.execute(f"SELECT {', '.join(counts)} FROM {sent}").fetchall()  # noqa: S608 (names and paths are quoted)
            kept = [name for name, is_known in zip(names, known, strict=True) if is_known]
            if not kept:
                return 0
            columns = ", ".join(each.as_column for each in typed_inputs(connection, sent, types, kept))
            copy = f"COPY (SELECT {columns} FROM {sent}) TO {path_literal(out)} (FORMAT parquet)"  # noqa: S608 (names and paths are quoted)
            return int(connection.execute(copy).fetchall()[0][0])

    days = (since.astimezone(UTC).date(), until.astimezone(UTC).date())
    return read_files(log_files(folder, model, *days), write)
