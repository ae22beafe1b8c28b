"""The rows of logged requests as a table with the inputs' own types, as a source would have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.conditions import quoted_name
from taxiway.data.engine.connection import connect, path_literal
from taxiway.data.engine.keys_sql import literal
from taxiway.errors import ConfigError, NoRequestsError
from taxiway.serving.audit_labels import is_audit_sql
from taxiway.serving.request_log.columns import INPUT, OTHER_INPUTS
from taxiway.serving.request_log.files import LogFiles, files_sql, log_files, newest_labels_sql, no_requests_text, read_files

if TYPE_CHECKING:
    import duckdb

OWN = "served."
"""The columns that are not inputs begin with it."""
PREDICTION_VALUE, LABEL_VALUE = f"{OWN}prediction_value", f"{OWN}label_value"
"""The columns of predicted numbers, and of labels that are numbers."""
REQUEST_ID, ROW = f"{OWN}request_id", f"{OWN}row"
"""The columns of the id of a request, and of the number of a row in it, from 0 on."""
OWN_COLUMNS = f"""request_id AS "{REQUEST_ID}", row AS "{ROW}", received_at AS "{OWN}at", requests.caller AS "{OWN}caller",
champion_version AS "{OWN}version", prediction AS "{OWN}prediction", prediction_value AS "{PREDICTION_VALUE}",
probabilities AS "{OWN}probabilities", label AS "{OWN}label", label_value AS "{LABEL_VALUE}",
classes AS "{OWN}classes", predicted_class AS "{OWN}predicted_class",
'{{' || array_to_string(list_transform(map_entries({OTHER_INPUTS}),
lambda input: to_json(input.key) || ': ' || CASE WHEN json_valid(input.value) THEN input.value ELSE to_json(input.value) END), ', ') || '}}'
AS "{OWN}{OTHER_INPUTS}\""""
ANSWERS = ("probabilities", "prediction_value", "label", "label_value", "day")
"""What was predicted for a row, its label, and the day of its request."""
_SQL_TYPES = {"boolean": "BOOLEAN", "integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP"}
_LIST = "list"


@dataclass(frozen=True)
class NotTyped:
    """An input that was written as text, because not all its values are of its type.

    Attributes:
        name: The input.
        type: Its type.
        rows: How many rows have another value.
        example: Such a value.
    """

    name: str
    type: str
    rows: int
    example: str


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        rows: How many rows.
        not_typed: The inputs that were written as text.
        audited: How many rows were left out, because they were labelled for an audit.
    """

    rows: int
    not_typed: tuple[NotTyped, ...]
    audited: int = 0


@dataclass(frozen=True)
class TypedInput:
    """An input as a column.

    Attributes:
        name: The input.
        sql: SQL for its value.
        not_typed: Why it is text; None if it has its type.
    """

    name: str
    sql: str
    not_typed: NotTyped | None = None

    @property
    def as_column(self) -> str:
        """SQL for the column of this name."""
        return f"{self.sql} AS {quoted_name(self.name)}"


def export_rows(
    folder: Path,
    model: str,
    out: Path,
    *,
    since: date | None = None,
    until: date | None = None,
    types: Mapping[str, str],
    with_audits: bool = True,
) -> Exported:
    """Write the rows that a model has predicted to a Parquet file, with their predictions and labels.

    An input gets the type that `types` names, or else that of all its values: integer, number or boolean; otherwise it is text. If a
    value is not of the type, the column is text, too, so that no value is lost.

    Args:
        folder: The folder of the request log.
        model: The registered model.
        out: The file; written beside, then renamed.
        since: The first day of the requests, in UTC; None for all.
        until: The last day; None for all.
        types: The types of inputs, in the words of a schema.
        with_audits: Whether rows are written that were labelled for an audit. Their labels have been looked at to decide about the
            champion, so they are not a test set for the next one.

    Raises:
        ConfigError: The folder does not exist, or the file would be one of the log's.
        NoRequestsError: There are no such rows.
    """
    if out.suffix != ".parquet" or out.absolute().is_relative_to(folder.absolute()):
        raise ConfigError(
            f"{out} cannot be written; allowed: a file whose name ends in .parquet, and not in the folder of the log"
        )
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"{out.parent} is not a folder; create it, or give another file")
    temporary = out.with_name(f".{out.name}.partial")

    def write(files: LogFiles) -> Exported:
        if not files.requests:
            raise NoRequestsError(no_requests_text(folder, model, since, until))
        return _write(files, temporary, types, with_audits=with_audits)

    try:
        written = read_files(log_files(folder, model, since, until), write)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def _write(files: LogFiles, out: Path, types: Mapping[str, str], *, with_audits: bool) -> Exported:
    with connect() as connection:
        rows = f"(SELECT * FROM {files_sql(files.requests)} WHERE champion_status = 200)"  # noqa: S608 (the paths are quoted)
        audited = 0
        if not with_audits and files.labels:
            ids = f"SELECT request_id, row FROM {files_sql(files.labels)} WHERE {is_audit_sql('caller')}"  # noqa: S608 (the paths are quoted)
            is_audited = f"(request_id, row) IN ({ids})"
            ((audited,),) = connection.execute(f"SELECT count(*) FROM {rows} WHERE {is_audited}").fetchall()  # noqa: S608 (the paths are quoted)
            rows = f"(SELECT * FROM {rows} WHERE NOT {is_audited})"  # noqa: S608 (the paths are quoted)
        inputs = typed_inputs(connection, rows, types)
        columns = ", ".join([*(each.as_column for each in inputs), OWN_COLUMNS])
        labels = f"({newest_labels_sql(files.labels)}) AS labels"
        joined = f"{rows} AS requests LEFT JOIN {labels} USING (model, day, request_id, row)"
        (count,) = connection.execute(
            f"COPY (SELECT {columns} FROM {joined} ORDER BY received_at, requests.seq, row) TO {path_literal(out)} (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608 (names and paths are quoted)
        ).fetchall()[0]
    return Exported(int(count), tuple(each.not_typed for each in inputs if each.not_typed is not None), int(audited))


def is_hash(entry: str) -> str:
    """SQL for whether an entry of the log is a hash, which is not JSON. Its length is looked at first: the rest takes three times as long."""
    return f"CASE WHEN strlen({entry}) = 32 THEN regexp_full_match({entry}, '[0-9a-f]{{32}}') AND NOT json_valid({entry}) ELSE false END"


def has_values(entry: str) -> str:
    """SQL for whether some rows have an entry of the log, and none has a hash: those that the log omits or hashes have not."""
    return f"count({entry}) > 0 AND count(*) FILTER ({is_hash(entry)}) = 0"


def input_column(name: str) -> str:
    """SQL for the column of an input."""
    return quoted_name(INPUT + name)


def with_sent_inputs(connection: "duckdb.DuckDBPyConnection", rows: str, names: Sequence[str]) -> str:
    """SQL for rows of a request log in which inputs have a column also where the version that predicted them does not take them.

    Args:
        connection: Reads the files.
        rows: SQL for the rows.
        names: The inputs.
    """
    taken = {name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()}  # noqa: S608 (the paths are quoted)
    others = {name: f"{OTHER_INPUTS}[{literal(name)}]" for name in names}
    some = f"SELECT coalesce(bool_or(cardinality({OTHER_INPUTS}) > 0), false) FROM {rows}"  # noqa: S608 (the paths are quoted)
    ((has_others,),) = connection.execute(some).fetchall()
    # To look up each name in each row takes as long as reading the inputs.
    own = [
        f"coalesce({input_column(name)}, {other}) AS {input_column(name)}"
        for name, other in others.items()
        if INPUT + name in taken and has_others
    ]
    added = [f"{other} AS {input_column(name)}" for name, other in others.items() if INPUT + name not in taken]
    columns = ", ".join([f"* REPLACE ({', '.join(own)})" if own else "*", *added])
    return f"(SELECT {columns} FROM {rows})"  # noqa: S608 (names and paths are quoted)


def typed_inputs(
    connection: "duckdb.DuckDBPyConnection", rows: str, types: Mapping[str, str], names: Sequence[str] | None = None
) -> list[TypedInput]:
    """Inputs of the model, each with its type.

    Args:
        connection: Reads the files.
        rows: SQL for the rows of a request log.
        types: The types of inputs, in the words of a schema.
        names: The inputs; None for all.
    """
    described = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()  # noqa: S608 (the paths are quoted)
    found = [name.removeprefix(INPUT) for name, *_ in described if name.startswith(INPUT)]
    wanted = [name for name in found if not name.startswith(OWN) and (names is None or name in names)]
    tried = [(name, kind) for name in wanted for kind in _kinds(types.get(name))]
    others = [f"any_value({_text(name)}) FILTER (NOT ({_fits(name, kind, given=name in types)}))" for name, kind in tried]
    # All columns are read at once: a query for each of 150 took a minute for a week.
    untyped = [name for name in wanted if name not in types]
    parts = [*others, *(f"count({_text(name)})" for name in untyped)]
    (row,) = connection.execute(f"SELECT {', '.join(['count(*)', *parts])} FROM {rows}").fetchall()  # noqa: S608 (names and paths are quoted)
    examples, counts = dict(zip(tried, row[1:], strict=False)), dict(zip(untyped, row[1 + len(tried) :], strict=True))
    found = []
    for name in wanted:
        fitting = [kind for kind in _kinds(types.get(name)) if examples[name, kind] is None and (name in types or counts[name])]
        sql = _cast(_text(name), fitting[0], given=name in types) if fitting else _text(name)
        not_typed = None
        if not fitting and types.get(name, "string") != "string":
            not_typed = _not_typed(connection, rows, name, types[name], examples[name, types[name]])
        found.append(TypedInput(name, sql, not_typed))
    return found


def _not_typed(connection: "duckdb.DuckDBPyConnection", rows: str, name: str, kind: str, example: str) -> NotTyped:
    """An input that is written as text, with the number of values that are not of its type."""
    fits = _fits(name, kind, given=True)
    query = f"SELECT count({_text(name)}) FILTER (NOT ({fits})) FROM {rows}"  # noqa: S608 (names and paths are quoted)
    ((count,),) = connection.execute(query).fetchall()
    return NotTyped(name, kind, int(count), example)


def _kinds(given: str | None) -> Sequence[str]:
    """The types that a column may have."""
    return () if given == "string" else (given,) if given is not None else ("boolean", "integer", "number")


def _text(name: str) -> str:
    """SQL for the text of an input, null for a missing one.

    All but texts are written as they are: DuckDB would write 1e16 in another way, and a hash is not JSON.
    """
    json = quoted_name(INPUT + name)
    # Without a backslash, nothing is escaped.
    text = f"CASE WHEN contains({json}, '\\') THEN {json}::JSON ->> '$' ELSE {json}[2:-2] END"
    return f"CASE WHEN {json} LIKE '\"%' THEN {text} WHEN {json} NOT IN ('null', 'NaN') THEN {json} END"


def _fits(name: str, kind: str, *, given: bool) -> str:
    """SQL for whether a value has a type. Without a type in the schema, `"7"` stays a text: only numbers and booleans of JSON become such."""
    json = quoted_name(INPUT + name)
    return f"{_cast(_text(name), kind, given=given)} IS NOT NULL" + ("" if given else f" AND {json} NOT LIKE '\"%'")


def _cast(text: str, kind: str, *, given: bool) -> str:
    """SQL for the value of a text by a type; null if it is not of the type. Of a column that is known to be one of booleans, 1 is true."""
    if kind == _LIST:
        return f"CASE WHEN json_type({text}) = 'ARRAY' THEN from_json({text}, '[\"VARCHAR\"]') END"
    cast = f"TRY_CAST({text} AS {_SQL_TYPES[kind]})"
    if kind == "boolean":
        true, false = ("'true', '1', '1.0'", "'false', '0', '0.0'") if given else ("'true'", "'false'")
        return f"CASE WHEN lower(trim({text})) IN ({true}) THEN true WHEN lower(trim({text})) IN ({false}) THEN false END"
    return f"CASE WHEN TRY_CAST({text} AS DOUBLE) = {cast} THEN {cast} END" if kind == "integer" else cast
