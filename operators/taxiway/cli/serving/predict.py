"""`taxiway predict`: scores the rows of files with a registered version."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.options import busy, read_options, reading_options, show_notes
from taxiway.cli.people.opened import Given, opened, records_options
from taxiway.cli.serving.serve import code_option
from taxiway.credentials import without_credentials
from taxiway.errors import ConfigError
from taxiway.messages import counted

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from taxiway.data.engine.duckdb_table import Table
    from taxiway.data.formats.convert import ReadOptions
    from taxiway.data.schema.model import Schema
    from taxiway.records import DataReport
    from taxiway.records.batch import Batch
    from taxiway.spec.base import Format


@click.command()
@click.argument("name", metavar="MODEL[@ALIAS|/VERSION]")
@click.argument("data")
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder of the predictions, which are Parquet files; created if needed.",
)
@click.option("--key", "keys", multiple=True, help="A column of DATA to copy to the predictions; may be repeated.")
@click.option(
    "--schema",
    "schema_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Check DATA against this schema in the environment SERVING before it is scored.",
)
@click.option(
    "--on-invalid-data",
    type=click.Choice(["fail", "continue"]),
    default="fail",
    show_default=True,
    help="Whether DATA with blocking anomalies is scored.",
)
@click.option(
    "--rows-per-file", type=click.IntRange(1), default=100_000, show_default=True, help="How many rows a Parquet file has."
)
@click.option(
    "--database",
    envvar="TAXIWAY_DATABASE",
    show_envvar=True,
    help="The database that DATA is a query for, as a URL of SQLAlchemy.",
)
@click.option("--overwrite", is_flag=True, help="Replace the predictions of other data or another version in the folder.")
@code_option
@reading_options
@records_options
def predict(
    name: str,
    data: str,
    out: Path,
    keys: tuple[str, ...],
    schema_file: Path | None,
    on_invalid_data: str,
    rows_per_file: int,
    database: str | None,
    overwrite: bool,
    code: Path | None,
    csv: tuple[str, ...],
    file_format: "Format | None",
    **given: Any,
) -> None:
    """Predict for the rows of DATA with a version of a model.

    DATA is a file, a pattern such as 'sales/*.csv', or a URL; with --database, a query. MODEL alone is its champion. A batch that was interrupted continues with
    the same command.
    """
    from taxiway.data.schema.file import load_schema
    from taxiway.stages.batch.predict import predict_batch
    from taxiway.stages.batch.queries import query_name
    from taxiway.stages.batch.recorder import BatchRecorder
    from taxiway.stages.batch.version import find_version, load_version, row_model

    began = datetime.now(UTC)
    schema = None if schema_file is None else load_schema(schema_file).without_label()
    with opened(Given(**given)) as installation:
        client = installation.ledger.client
        version = find_version(installation.ledger, name)
        about = f"{version.model} version {version.version}"
        with busy(f"loading {about}"):
            loaded = load_version(client, version, code)
            model = row_model(loaded, version)
        # Text files are read with the types of the training rows: digits in a category are text.
        options = replace(read_options(csv, file_format), types=schema.types if schema else model.columns.types)
        with busy(f"reading {data}") as show, _opened(data, database, options) as (table, upstream):
            notes = table.notes
            report = None if schema is None else _check(table, data, schema, stop=on_invalid_data == "fail")
            batch = predict_batch(
                model,
                version,
                table,
                data if database is None else query_name(database, data),
                out,
                recorder=BatchRecorder(client, version, out, report, tags=upstream),
                keys=tuple(dict.fromkeys(keys)),
                rows_per_file=rows_per_file,
                overwrite=overwrite,
                progress=lambda done, rows: show(f"{about}: {done:,} of {rows:,} rows"),
            )
    show_notes(notes)
    click.echo(_scored_text(batch, about, out, began))


def _scored_text(batch: "Batch", about: str, out: Path, began: datetime) -> str:
    scored = "were scored before" if batch.finished_at is not None and batch.finished_at < began else "scored"
    return f"{counted(batch.rows, 'row')} {scored} with {about}; the predictions are in {out}, the MLflow run is {batch.run}"


@contextmanager
def _opened(data: str, database: str | None, options: "ReadOptions") -> "Iterator[tuple[Table, dict[str, str]]]":
    """The rows to score, and tags that name the models whose predictions they are.

    Raises:
        ConfigError: The database cannot be used.
    """
    from taxiway.data.formats.open_data import files_of, open_data
    from taxiway.stages.batch.queries import queried
    from taxiway.stages.upstream import upstream_tags

    if database is None:
        with open_data(data, options) as table:
            yield table, upstream_tags(files_of(data))
    else:
        with queried(_engine, database, data) as table:
            yield table, {}


@contextmanager
def _engine(url: str) -> "Iterator[Engine]":
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError

    try:
        engine = create_engine(url)
    except (ArgumentError, ImportError) as error:
        raise ConfigError(
            f"the database {without_credentials(url)} cannot be used: {error}; allowed: a URL of SQLAlchemy whose driver is installed, "
            "such as postgresql+psycopg2://user:password@host/name",
            key="database",
        ) from None
    try:
        yield engine
    finally:
        engine.dispose()


def _check(table: "Table", data: str, schema: "Schema", *, stop: bool) -> "DataReport":
    """The report on data by a schema; blocking anomalies end the command, or are shown."""
    from taxiway.cli.data import show_report
    from taxiway.data.schema.model import SERVING
    from taxiway.data.validation.validate import validate_table

    report = validate_table(table, Path(data).name, schema, SERVING)
    if report.blocking:
        show_report(report)
        if stop:
            click.echo("nothing was scored; correct the data, or score it anyway: --on-invalid-data continue", err=True)
            sys.exit(1)
    return report
