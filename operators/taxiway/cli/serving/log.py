"""The commands of the request log in Parquet files: `taxiway log roll` writes it, `taxiway log query` reads it."""

import csv
import json
import sys
from pathlib import Path

import click

from taxiway.errors import ConfigError

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
@folder_option
@click.option(
    "--settle",
    type=click.FloatRange(0),
    default=600,
    show_default=True,
    help="Write a request that the challenger has not answered after so many seconds.",
)
def roll_log(state: Path, folder: Path, settle: float) -> None:
    """Append what is new in the request log to Parquet files.

    The gateway may be running. Run the command before the gateway deletes its oldest requests.
    """
    import sqlite3

    from taxiway.messages import counted
    from taxiway.serving.gateway.rolling.roll import roll

    try:
        rolled = roll(state, folder, settle)
    except sqlite3.Error as error:
        raise ConfigError(
            f"the request log in {state} cannot be read or noted as written: {error}; name the state folder of a gateway: --state FOLDER"
        ) from None
    click.echo(f"{counted(rolled.requests, 'request')} written to {counted(rolled.files, 'file')} in {folder}")
    if rolled.deleted:
        click.echo(
            f"the gateway had already deleted {counted(rolled.deleted, 'request')}; run this command more often", err=True
        )


@log.command("query")
@click.argument("sql")
@folder_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per row instead of CSV.")
def query_log(sql: str, folder: Path, as_json: bool) -> None:
    """Query the Parquet files with SQL of DuckDB. The view `requests` has a row for each predicted row."""
    import duckdb

    from taxiway.data.engine.connection import connect, path_literal, restricting_settings

    files = sorted(folder.absolute().glob("requests/model=*/day=*/*.parquet"))
    if not files:
        raise ConfigError(f"{folder} has no logged requests; write them first: taxiway log roll --state FOLDER --log {folder}")
    with connect() as connection:
        listed = ", ".join(map(path_literal, files))
        source = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = true)"
        try:
            connection.execute(f"CREATE VIEW requests AS SELECT * FROM {source}")  # noqa: S608 (the paths are quoted)
            for setting in restricting_settings(files):
                connection.execute(f"SET {setting}")
            found = connection.execute(sql)
            names = [column[0] for column in found.description or ()]
            rows = found.fetchall()
        except duckdb.Error as error:
            raise ConfigError(f"the query failed: {error}") from None
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(names, row, strict=True)), default=str, ensure_ascii=False))
    else:
        csv.writer(sys.stdout).writerows([names, *rows])
