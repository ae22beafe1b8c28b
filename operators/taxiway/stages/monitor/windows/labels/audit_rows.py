"""The rows of a window that are to be labelled, as a CSV file for people."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.conditions import quoted_name
from taxiway.data.engine.connection import connect, path_literal
from taxiway.errors import ConfigError
from taxiway.serving.request_log.columns import INPUT, OTHER_INPUTS
from taxiway.serving.request_log.rows import OWN, export_rows
from taxiway.stages.batch.version import Version
from taxiway.stages.monitor.windows.log_windows import Every, last_day
from taxiway.store import temp_folder

if TYPE_CHECKING:
    import duckdb

_OWN = {name: quoted_name(f"{OWN}{name}") for name in ("request_id", "row", "version", "label", "classes", OTHER_INPUTS)}
_NOT_LABELLED = f"{_OWN['label']} IS NULL"
_PLACE = f"(md5({_OWN['request_id']} || ' ' || {_OWN['row']}) || ' ' || {_OWN['request_id']} || ' ' || {_OWN['row']})"


@dataclass(frozen=True)
class AuditRows:
    """What was written.

    Attributes:
        rows: How many rows are to be labelled.
        labelled: How many rows of the sample have a label already, and were left out.
    """

    rows: int
    labelled: int


@dataclass(frozen=True)
class AuditRow:
    """A row that is to be labelled.

    Attributes:
        place: Its place in the sample: those of later rows are larger texts.
        request_id: The id of its request.
        row: Its row in the request.
        inputs: What the model was given, by name, as text; None if it is missing.
        others: The inputs that the model does not take, as JSON.
    """

    place: str
    request_id: str
    row: int
    inputs: tuple[tuple[str, str | None], ...]
    others: str


@dataclass(frozen=True)
class AuditPage:
    """Some of the rows that are to be labelled.

    Attributes:
        rows: The rows.
        classes: The classes of the version; empty for a regression.
        unlabelled: How many rows of the sample have no label yet.
        labelled: How many have one.
    """

    rows: tuple[AuditRow, ...]
    classes: tuple[str, ...]
    unlabelled: int
    labelled: int


def write_audit_rows(log: Path, version: Version, first: date, every: Every, labels: int, out: Path) -> AuditRows:
    """Write a simple random sample of the rows that a version has predicted in a window, without those that have a label.

    The sample is of the rows whose ids have the smallest hashes. So the same sample is written again, and a larger one contains it. The
    predictions are left out, because whoever sees them tends to agree.

    Args:
        log: The folder of the request log.
        version: The version.
        first: The first day of the window.
        every: How long it is.
        labels: How many rows the sample has.
        out: The CSV file: `request_id`, `row`, the inputs as `input.NAME`, `other_inputs` that the model does not take as JSON, and the empty
            column `label`. A text that a spreadsheet would take for a formula begins with an apostrophe: whoever sends requests chooses it.

    Raises:
        ConfigError: The file cannot be written.
        NoRequestsError: There are no rows.
    """
    require_new_csv(out)
    with temp_folder("audit") as folder:
        path = folder / "rows.parquet"
        export_rows(log, version.model, path, since=first, until=last_day(first, every), types={})
        return _write(path, version.version, labels, out)


def require_new_csv(out: Path) -> None:
    """Check the file that rows are to be written to.

    Raises:
        ConfigError: It exists, its name does not end in .csv, or its folder does not exist.
    """
    if out.suffix != ".csv" or not out.absolute().parent.is_dir() or out.exists():
        raise ConfigError(f"{out} cannot be written; allowed: a new file whose name ends in .csv, in a folder that exists")


def audit_page(log: Path, version: Version, window: tuple[date, Every], labels: int, after: str, most: int) -> AuditPage:
    """Some of the rows that `write_audit_rows` writes, to be shown to people.

    Args:
        log: The folder of the request log.
        version: The version.
        window: The first day of the window, and how long it is.
        labels: How many rows the sample has.
        after: The place of the row after which they begin; empty for the first one.
        most: How many rows are read.

    Raises:
        NoRequestsError: There are no rows.
    """
    first, every = window
    with temp_folder("audit") as folder:
        path = folder / "rows.parquet"
        export_rows(log, version.model, path, since=first, until=last_day(first, every), types={})
        with connect() as connection:
            inputs = _sample(connection, path, version.version, labels)
            counts = f"SELECT count(*), count(*) FILTER ({_NOT_LABELLED}), any_value({_OWN['classes']}) FROM sample"  # noqa: S608 (the names are quoted)
            ((sampled, open_rows, classes),) = connection.execute(counts).fetchall()
            cells = ", ".join(f"{quoted_name(name)}::VARCHAR" for name, _ in inputs)
            found = connection.execute(
                f"""SELECT {_PLACE} AS place, {_OWN["request_id"]}, {_OWN["row"]}, {_OWN[OTHER_INPUTS]}, [{cells}]::VARCHAR[] FROM sample
                WHERE {_NOT_LABELLED} AND {_PLACE} > $1 ORDER BY place LIMIT {most:d}""",  # noqa: S608 (the names are quoted)
                [after],
            ).fetchall()
    names = [name for name, _ in inputs]
    rows = tuple(
        AuditRow(place, request, int(row), tuple(zip(names, values, strict=True)), others)
        for place, request, row, others, values in found
    )
    return AuditPage(rows, tuple(classes or ()), int(open_rows), int(sampled) - int(open_rows))


def _write(path: Path, version: int, labels: int, out: Path) -> AuditRows:
    with connect() as connection:
        inputs = [
            f"{_cell(name, kind)} AS {quoted_name(INPUT + name)}" for name, kind in _sample(connection, path, version, labels)
        ]
        ids = [f"{_OWN[name]} AS {name}" for name in ("request_id", "row")]
        columns = ", ".join([*ids, *inputs, f"{_OWN[OTHER_INPUTS]} AS {OTHER_INPUTS}", "NULL AS label"])
        beside = out.with_name(f".{out.name}.partial")
        ((rows,),) = connection.execute(
            f"COPY (SELECT {columns} FROM sample WHERE {_NOT_LABELLED}) TO {path_literal(beside)} (FORMAT csv, HEADER)"  # noqa: S608 (the names are quoted)
        ).fetchall()
        beside.replace(out)
        ((sampled,),) = connection.execute("SELECT count(*) FROM sample").fetchall()
    return AuditRows(int(rows), int(sampled) - int(rows))


def _sample(connection: "duckdb.DuckDBPyConnection", path: Path, version: int, labels: int) -> list[tuple[str, str]]:
    """Create the table `sample`, and return its inputs with their SQL types."""
    connection.execute(
        f"""CREATE TEMP TABLE sample AS SELECT * FROM {path_literal(path)} WHERE {_OWN["version"]} = {version:d}
        ORDER BY {_PLACE} LIMIT {labels:d}"""  # noqa: S608 (the names are quoted)
    )
    described = connection.execute("DESCRIBE sample").fetchall()
    return [(name, kind) for name, kind, *_ in described if not name.startswith(OWN)]


def _cell(name: str, kind: str) -> str:
    """SQL for an input in a file that people open: an apostrophe before a text that a spreadsheet would take for a formula."""
    value = quoted_name(name)
    return (
        f"CASE WHEN regexp_matches({value}, '^[=+@\\t\\r-]') THEN '''' || {value} ELSE {value} END"
        if kind == "VARCHAR"
        else value
    )
