"""The rows of a window that are to be labelled, as a CSV file for people."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from taxiway.data.engine.conditions import quoted_name
from taxiway.data.engine.connection import connect, path_literal
from taxiway.errors import ConfigError
from taxiway.serving.request_log.files import INPUT, OTHER_INPUTS
from taxiway.serving.request_log.rows import OWN, export_rows
from taxiway.stages.batch.version import Version
from taxiway.stages.monitor.windows.log_windows import Every, last_day
from taxiway.store import temp_folder


@dataclass(frozen=True)
class AuditRows:
    """What was written.

    Attributes:
        rows: How many rows are to be labelled.
        labelled: How many rows of the sample have a label already, and were left out.
    """

    rows: int
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


def _write(path: Path, version: int, labels: int, out: Path) -> AuditRows:
    own = {name: quoted_name(f"{OWN}{name}") for name in ("request_id", "row", "version", "label", OTHER_INPUTS)}
    with connect() as connection:
        connection.execute(
            f"""CREATE TEMP TABLE sample AS SELECT * FROM {path_literal(path)} WHERE {own["version"]} = {version:d}
            ORDER BY md5({own["request_id"]} || ' ' || {own["row"]}), {own["request_id"]}, {own["row"]} LIMIT {labels:d}"""  # noqa: S608 (the names are quoted)
        )
        described = connection.execute("DESCRIBE sample").fetchall()
        inputs = [
            f"{_cell(name, kind)} AS {quoted_name(INPUT + name)}" for name, kind, *_ in described if not name.startswith(OWN)
        ]
        ids = [f"{own[name]} AS {name}" for name in ("request_id", "row")]
        columns = ", ".join([*ids, *inputs, f"{own[OTHER_INPUTS]} AS {OTHER_INPUTS}", "NULL AS label"])
        beside = out.with_name(f".{out.name}.partial")
        ((rows,),) = connection.execute(
            f"COPY (SELECT {columns} FROM sample WHERE {own['label']} IS NULL) TO {path_literal(beside)} (FORMAT csv, HEADER)"  # noqa: S608 (the names are quoted)
        ).fetchall()
        beside.replace(out)
        ((sampled,),) = connection.execute("SELECT count(*) FROM sample").fetchall()
    return AuditRows(int(rows), int(sampled) - int(rows))


def _cell(name: str, kind: str) -> str:
    """SQL for an input in a file that people open: an apostrophe before a text that a spreadsheet would take for a formula."""
    value = quoted_name(name)
    return (
        f"CASE WHEN regexp_matches({value}, '^[=+@\\t\\r-]') THEN '''' || {value} ELSE {value} END"
        if kind == "VARCHAR"
        else value
    )
