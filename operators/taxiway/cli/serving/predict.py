"""`taxiway predict`: scores the rows of files with a registered version."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.options import busy, read_options, reading_options, show_notes
from taxiway.cli.people.opened import Given, opened, records_options
from taxiway.cli.serving.serve import code_option
from taxiway.messages import counted

if TYPE_CHECKING:
    from taxiway.data.engine.duckdb_table import Table
    from taxiway.data.schema.model import Schema
    from taxiway.records import DataReport
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
    overwrite: bool,
    code: Path | None,
    csv: tuple[str, ...],
    file_format: "Format | None",
    **given: Any,
) -> None:
    """Predict for the rows of DATA with a version of a model.

    DATA is a file, a pattern such as 'sales/*.csv', or a URL. MODEL alone is its champion. A batch that was interrupted continues with
    the same command.
    """
    from taxiway.data.formats.open_data import files_of, open_data
    from taxiway.data.schema.file import load_schema
    from taxiway.registry.load import load_trusted
    from taxiway.stages.batch.predict import predict_batch
    from taxiway.stages.batch.recorder import BatchRecorder
    from taxiway.stages.batch.version import find_version, row_model
    from taxiway.stages.upstream import upstream_tags

    schema = None if schema_file is None else load_schema(schema_file).without_label()
    with opened(Given(**given)) as installation:
        client = installation.ledger.client
        version = find_version(installation.ledger, name)
        about = f"{version.model} version {version.version}"
        with busy(f"loading {about}"):
            uri = client.tracking_uri
            model = row_model(load_trusted(uri, version.model, version.version, code=code, files=version.files), version)
        # Text files are read with the types of the training rows: digits in a category are text.
        options = replace(read_options(csv, file_format), types=schema.types if schema else model.columns.types)
        with busy(f"reading {data}") as show, open_data(data, options) as table:
            notes = table.notes
            report = None if schema is None else _check(table, data, schema, stop=on_invalid_data == "fail")
            batch = predict_batch(
                model,
                version,
                table,
                data,
                out,
                recorder=BatchRecorder(client, version, out, report, tags=upstream_tags(files_of(data))),
                keys=tuple(dict.fromkeys(keys)),
                rows_per_file=rows_per_file,
                overwrite=overwrite,
                progress=lambda done, rows: show(f"{about}: {done:,} of {rows:,} rows"),
            )
    show_notes(notes)
    click.echo(f"{counted(batch.rows, 'row')} scored with {about}; the predictions are in {out}, the MLflow run is {batch.run}")


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
