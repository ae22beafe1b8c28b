"""The commands of the request log in Parquet files: `taxiway log roll` writes it, `taxiway log query` reads it."""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.views.console import stdout_console
from taxiway.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

folder_option = click.option(
    "--log", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder of the Parquet files."
)


@click.group()
def log() -> None:
    """Write the gateway's request log to Parquet files, and query them."""


@log.command("roll")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The state folder of the gateway.",
)
def roll_log(state: Path) -> None:
    """Append what is new in the request log to its Parquet files.

    A gateway does this every hour by itself; use the command for what has been requested since.
    """
    import sqlite3

    from taxiway.messages import counted
    from taxiway.serving.gateway.rolling.roll import roll

    try:
        rolled = roll(state)
    except sqlite3.Error as error:
        raise ConfigError(
            f"the request log in {state} cannot be read, or what was written cannot be noted: {error}; check the file and the disk's space"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the Parquet files cannot be written: {error}; check the folder that taxiway serve --log-folder names, and the disk's space"
        ) from None
    what = f"{counted(rolled.requests, 'request')} and {counted(rolled.labels, 'label')}"
    click.echo(f"{what} written to {counted(rolled.files, 'file')} in {rolled.folder}")
    if rolled.deleted_days:
        click.echo(f"the files of {counted(rolled.deleted_days, 'day')} deleted, which are older than is kept")


@log.command("query")
@click.argument("sql")
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per row instead of CSV.")
def query_log(sql: str, folder: Path, as_json: bool) -> None:
    """Query the Parquet files with SQL of DuckDB.

    The view `requests` has a row for each predicted row, and the view `labels` the newest label of each row that has one.
    """
    import duckdb

    from taxiway.serving.request_log.files import read_request_log

    def read(connection: "duckdb.DuckDBPyConnection") -> tuple[list[str], list[tuple[Any, ...]]]:
        found = connection.execute(sql)
        if found is None or not found.description:
            raise ConfigError("the query is empty; give one that selects rows")
        return [column[0] for column in found.description], found.fetchall()

    try:
        names, rows = read_request_log(folder, read)
    except duckdb.Error as error:
        raise ConfigError(f"the query failed: {error}") from None
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(names, row, strict=True)), default=str, ensure_ascii=False))
    else:
        csv.writer(sys.stdout).writerows([names, *rows])


@log.command("labels")
@folder_option
@click.option("--model", help="Only this model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model and day.")
def labels(folder: Path, model: str | None, as_json: bool) -> None:
    """Show how many predictions of which day have a label by now."""
    from rich.table import Table

    from taxiway.messages import listed, percent
    from taxiway.serving.request_log.files import ARRIVALS, read_request_log

    def read(connection: "duckdb.DuckDBPyConnection") -> tuple[list[tuple[Any, ...]], list[str]]:
        models = connection.execute("SELECT DISTINCT model FROM requests ORDER BY model").fetchall()
        return connection.execute(ARRIVALS, [model]).fetchall(), [name for (name,) in models]

    rows, models = read_request_log(folder, read)
    if not rows:
        of = f"of {model} " if model is not None else ""
        click.echo(f"no rows {of}were predicted, by the files in {folder}; models: {listed(models)}", err=True)
        return
    if as_json:
        for name, day, count, labelled, last in rows:
            content = {"model": name, "day": day, "rows": count, "labelled": labelled, "last_label": last}
            click.echo(json.dumps(content, default=str, ensure_ascii=False))
        return
    table = Table(box=None, header_style="bold")
    for heading in ("model", "day (UTC)", "predicted rows", "with a label", "", "last label"):
        table.add_column(heading, overflow="fold")
    for name, day, count, labelled, last in rows:
        table.add_row(
            name, str(day), f"{count:,}", f"{labelled:,}", percent(labelled / count), f"{last:%Y-%m-%d %H:%M}" if last else ""
        )
    stdout_console().print(table)


@log.command("export")
@click.argument("model")
@folder_option
@click.option(
    "-o", "--output", "out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The Parquet file to write."
)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The first day of the requests, in UTC.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day of the requests.")
@click.option(
    "--schema",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The schema with the types of the inputs; without it, they are inferred from all values.",
)
@click.option(
    "--with-audits",
    is_flag=True,
    help="Write the rows, too, that were labelled for an audit. Use them for training only: they are not a test set for a gate.",
)
def export_log(
    model: str,
    folder: Path,
    out: Path,
    since: "datetime | None",
    until: "datetime | None",
    schema: Path | None,
    with_audits: bool,
) -> None:
    """Write the rows that MODEL has predicted to a Parquet file, with their predictions and labels.

    The inputs are columns with their own names and types, so the file can be profiled and checked as any other data.
    Rows that were labelled for an audit are left out: their labels have been looked at to decide about the champion.
    """
    from taxiway.data.schema.file import load_schema
    from taxiway.messages import counted, quoted
    from taxiway.serving.request_log.rows import export_rows

    types = load_schema(schema).types if schema is not None else {}
    first, last = (day.date() if day is not None else None for day in (since, until))
    written = export_rows(folder, model, out, since=first, until=last, types=types, with_audits=with_audits)
    for each in written.not_typed:
        have = f"{each.rows:,} of {counted(written.rows, 'row')} {'has' if each.rows == 1 else 'have'}"
        click.echo(
            f"warning: {each.name} is written as text, because {have} a value that is not of its type, {each.type}, such as {quoted(each.example)}",
            err=True,
        )
    click.echo(f"{counted(written.rows, 'row')} written to {out}")
    if written.audited:
        click.echo(
            f"{counted(written.audited, 'row')} left out, labelled for an audit; to write them, too: --with-audits", err=True
        )
