"""The rows of logged requests as a table with the inputs' own types, as a source would have them."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.conditions import quoted_name
from taxiway.data.engine.connection import connect, path_literal
from taxiway.errors import ConfigError
from taxiway.serving.request_files import INPUT, OTHER_INPUTS, files_sql, newest_labels_sql, request_files

if TYPE_CHECKING:
    import duckdb

OWN = "served."
"""The columns that are not inputs begin with it."""
_OWN_COLUMNS = f"""request_id AS "{OWN}request_id", row AS "{OWN}row", received_at AS "{OWN}at", requests.caller AS "{OWN}caller",
champion_version AS "{OWN}version", prediction AS "{OWN}prediction", prediction_value AS "{OWN}prediction_value",
probabilities AS "{OWN}probabilities", label AS "{OWN}label", label_value AS "{OWN}label_value",
classes AS "{OWN}classes", predicted_class AS "{OWN}predicted_class",
'{{' || array_to_string(list_transform(map_entries({OTHER_INPUTS}),
lambda input: to_json(input.key) || ': ' || CASE WHEN json_valid(input.value) THEN input.value ELSE to_json(input.value) END), ', ') || '}}'
AS "{OWN}{OTHER_INPUTS}\""""
_SQL_TYPES = {"boolean": "BOOLEAN", "integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP"}
_LIST = "list"


def export_rows(
    folder: Path, model: str, out: Path, *, since: date | None = None, until: date | None = None, types: Mapping[str, str]
) -> int:
    """Write the rows that a model has predicted to a Parquet file, with their predictions and labels.

    An input gets the type that `types` names, or else that of all its values: integer, number or boolean; otherwise it is a text. If a
    value is not of the type, the column is a text, too, so that no value is lost.

    Args:
        folder: The folder of the request log.
        model: The registered model.
        out: The file; written beside, then renamed.
        since: The first day of the requests, in UTC; None for all.
        until: The last day; None for all.
        types: The types of inputs, in the words of a schema.

    Returns:
        The number of rows.

    Raises:
        ConfigError: There are no such rows, or the file would be one of the log's.
    """
    if out.suffix != ".parquet" or out.absolute().is_relative_to(folder.absolute()):
        raise ConfigError(
            f"{out} cannot be written; allowed: a file whose name ends in .parquet, and not in the folder of the log"
        )
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"{out.parent} is not a folder; create it, or give another file")
    requests, labels = (_files_of(folder, kind, model, since, until) for kind in ("requests", "labels"))
    if not requests:
        raise ConfigError(
            f"{folder} has no requests of {model} on these days; a gateway writes them there every hour, or at once: taxiway log roll --state FOLDER"
        )
    temporary = out.with_name(f".{out.name}.partial")
    with connect() as connection:
        rows = f"(SELECT * FROM {files_sql(requests)} WHERE champion_status = 200)"  # noqa: S608 (the paths are quoted)
        columns = ", ".join([*_inputs(connection, rows, types), _OWN_COLUMNS])
        joined = f"{rows} AS requests LEFT JOIN ({newest_labels_sql(labels)}) AS labels USING (model, day, request_id, row)"
        (count,) = connection.execute(
            f"COPY (SELECT {columns} FROM {joined} ORDER BY received_at, requests.seq, row) TO {path_literal(temporary)} (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608 (names and paths are quoted)
        ).fetchall()[0]
    temporary.replace(out)
    return int(count)


def export_inputs(
    folder: Path,
    model: str,
    version: int,
    out: Path,
    *,
    since: date,
    until: date,
    types: Mapping[str, str],
    names: Sequence[str],
) -> None:
    """Write some inputs of the rows that a version has predicted to a Parquet file, with the types of `export_rows`.

    Args:
        folder: The folder of the request log.
        model: The registered model.
        version: Its version.
        out: The file.
        since: The first day of the requests, in UTC.
        until: The last day.
        types: The types of inputs, in the words of a schema.
        names: The inputs; those that no row has are left out.
    """
    requests = _files_of(folder, "requests", model, since, until)
    with connect() as connection:
        rows = f"(SELECT * FROM {files_sql(requests)} WHERE champion_status = 200 AND champion_version = {version:d})"  # noqa: S608 (the paths are quoted)
        columns = [f'row AS "{OWN}row"', *_inputs(connection, rows, types, names)]
        connection.execute(
            f"COPY (SELECT {', '.join(columns)} FROM {rows} ORDER BY received_at, seq, row) TO {path_literal(out)} (FORMAT parquet)"  # noqa: S608 (names and paths are quoted)
        )


def _files_of(folder: Path, kind: str, model: str, since: date | None, until: date | None) -> list[Path]:
    first, last = (since or date.min).isoformat(), (until or date.max).isoformat()
    return [path for path in request_files(folder, kind, model) if first <= path.parent.name.removeprefix("day=") <= last]


def _inputs(
    connection: "duckdb.DuckDBPyConnection", rows: str, types: Mapping[str, str], names: Sequence[str] | None = None
) -> list[str]:
    """SQL for inputs with their types: those of some names, or all of them."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()  # noqa: S608 (the paths are quoted)
    found = [name.removeprefix(INPUT) for name, *_ in described if name.startswith(INPUT)]
    wanted = [name for name in found if not name.startswith(OWN) and (names is None or name in names)]
    return [f"{_typed(connection, rows, name, types.get(name))} AS {quoted_name(name)}" for name in wanted]


def _typed(connection: "duckdb.DuckDBPyConnection", rows: str, name: str, kind: str | None) -> str:
    """SQL for an input: of its type if all its values are, otherwise a text."""
    json = quoted_name(INPUT + name)
    # All but texts are written as they are: DuckDB would write 1e16 in another way, and a hash is no JSON.
    text = f"CASE WHEN {json} LIKE '\"%' THEN {json}::JSON ->> '$' WHEN {json} <> 'null' THEN {json} END"
    if kind == "string":
        return text
    kinds = [kind] if kind is not None else ["boolean", "integer", "number"]
    for each in kinds:
        cast = _cast(text, each)
        # Without a type in the schema, `"7"` stays a text: only numbers and booleans of JSON become such.
        of_json = f" AND {json} NOT LIKE '\"%'" if kind is None else ""
        query = f"SELECT count({text}), count(*) FILTER ({cast} IS NOT NULL{of_json}) FROM {rows}"  # noqa: S608 (names and paths are quoted)
        ((values, fitting),) = connection.execute(query).fetchall()
        if values == fitting and (values or kind is not None):
            return cast
    return text


def _cast(text: str, kind: str) -> str:
    """SQL for the value of a text by a type; null if it is not of the type."""
    if kind == _LIST:
        return f"CASE WHEN json_type({text}) = 'ARRAY' THEN from_json({text}, '[\"VARCHAR\"]') END"
    cast = f"TRY_CAST({text} AS {_SQL_TYPES[kind]})"
    if kind == "boolean":
        return f"CASE WHEN lower({text}) IN ('true', 'false') THEN {cast} END"
    return f"CASE WHEN TRY_CAST({text} AS DOUBLE) = {cast} THEN {cast} END" if kind == "integer" else cast
