"""The commands `taxiway profile` and `taxiway validate`, which need no pipeline."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taxiway.cli.options import (
    busy,
    check_folders,
    json_option,
    read_options,
    reading_options,
    show_notes,
    usage_errors,
    write_output,
)
from taxiway.cli.views.profile import show_profile
from taxiway.errors import ConfigError
from taxiway.messages import counted, one_line

if TYPE_CHECKING:
    from taxiway.data.schema.model import Schema
    from taxiway.data.validation.validate import ValidationResult
    from taxiway.records import Anomaly, DataReport
    from taxiway.spec.base import Format


@click.command()
@click.argument("data")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write an HTML page (FILE.html) or the profile as JSON (FILE.json).",
)
@click.option("--label", help="The label column; its association with every other column is measured.")
@reading_options
@json_option
def profile(
    data: str, output: Path | None, label: str | None, csv: tuple[str, ...], file_format: "Format | None", as_json: bool
) -> None:
    """Show the statistics of every column of DATA.

    DATA is a file, a pattern such as 'sales/*.csv', or a URL.
    Formats: CSV, JSON Lines and Parquet; CSV and JSON Lines may be gzipped.
    """
    from taxiway.data.formats.open_data import open_data
    from taxiway.data.profiling.profiler import profile_table
    from taxiway.data.schema.remarks import remarks_of
    from taxiway.data.validation.html_report import page_of

    with usage_errors():
        if output is not None and output.suffix not in (".html", ".json"):
            got = f"the extension {output.suffix}" if output.suffix else "no extension"
            raise ConfigError(f"{output} has {got}; allowed: .html for a page, .json for the profile as JSON")
        check_folders(output)
        with busy(f"profiling {data}"), open_data(data, read_options(csv, file_format)) as table:
            found = profile_table(table, label)
            notes = [*table.notes, *(f"{name}: {remark}" for name, remark in remarks_of(table, found).items())]
    if output is not None:
        write_output(output, found.to_full_json() if output.suffix == ".json" else page_of(Path(data).name, found))
        click.echo(f"wrote {output}", err=True)
    if as_json:
        click.echo(found.to_full_json())
    elif output is None:
        show_profile(found)
    show_notes(notes)


@click.command()
@click.argument("data")
@click.option(
    "--schema", "schema_file", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The schema file."
)
@click.option("--previous", help="Earlier data, to check for drift.")
@click.option("--serving", help="Serving data, to check for training-serving skew.")
@click.option(
    "--environment", default="TRAINING", show_default=True, help="The environment of the schema that DATA belongs to."
)
@click.option("--gx", "suite", type=click.Path(path_type=Path, dir_okay=False), help="A Great Expectations suite.")
@click.option(
    "--data-docs", type=click.Path(path_type=Path, dir_okay=False), help="Write the suite's Data Docs page to this file."
)
@click.option("--report", "page", type=click.Path(path_type=Path, dir_okay=False), help="Write an HTML report to this file.")
@reading_options
@json_option
def validate(
    data: str,
    schema_file: Path,
    previous: str | None,
    serving: str | None,
    environment: str,
    suite: Path | None,
    data_docs: Path | None,
    page: Path | None,
    csv: tuple[str, ...],
    file_format: "Format | None",
    as_json: bool,
) -> None:
    """Check DATA against a schema.

    DATA is a file, a pattern such as 'sales/*.csv', or a URL.

    The exit code is 0 if no anomaly blocks, 1 if an anomaly blocks or data cannot be read, and 2 for a usage error.
    """
    from taxiway.data.schema.file import load_schema
    from taxiway.data.validation.expectations.engines import mute_the_end
    from taxiway.data.validation.validate import validate_with_profiles

    with usage_errors():
        if data_docs is not None and suite is None:
            raise ConfigError("--data-docs needs a suite; give it: --gx SUITE")
        check_folders(page, data_docs)
        schema = load_schema(schema_file)
        if suite is not None:
            mute_the_end()
        with busy(f"checking {data}"):
            result = validate_with_profiles(
                data,
                schema,
                previous=previous,
                serving=serving,
                environment=environment,
                suite=suite,
                suite_docs=data_docs,
                options=read_options(csv, file_format),
            )
    if page is not None:
        _write_page(page, data, result, schema, previous or serving)
    click.echo(result.report.to_full_json()) if as_json else show_report(result.report)
    sys.exit(1 if result.report.blocking else 0)


def _write_page(page: Path, data: str, result: "ValidationResult", schema: "Schema", reference_data: str | None) -> None:
    """Write the HTML report on data, compared with the earlier data, or with the serving data if there is none."""
    from taxiway.data.validation.html_report import page_of

    content = page_of(
        Path(data).name,
        result.profile,
        report=result.report,
        schema=schema,
        reference=result.previous or result.serving,
        reference_name=Path(reference_data or "").name,
    )
    write_output(page, content)
    click.echo(f"wrote {page}", err=True)


def show_report(report: "DataReport") -> None:
    """Print the anomalies, blocking ones first, and the status."""
    blocking = set(map(id, report.blocking))
    for anomaly in sorted(report.anomalies, key=lambda anomaly: id(anomaly) not in blocking):
        _show_anomaly(anomaly, blocks=id(anomaly) in blocking, waived=_is_waived(anomaly, report))
    others = len(report.anomalies) - len(report.blocking)
    for note in report.notes:
        click.echo(click.style(one_line(note), dim=True))
    verdict = click.style(report.status.value, bold=True, fg="red" if report.blocking else "green")
    blocks = f"{len(report.blocking) or 'no'} blocking {'anomaly' if len(report.blocking) == 1 else 'anomalies'}"
    click.echo(f"{verdict}: {counted(report.checks, 'check')}, {blocks}, {others or 'no'} other{'' if others == 1 else 's'}")


def _is_waived(anomaly: "Anomaly", report: "DataReport") -> bool:
    return any((waiver.kind, waiver.column) == (anomaly.kind, anomaly.column) for waiver in report.waivers)


def _show_anomaly(anomaly: "Anomaly", *, blocks: bool, waived: bool) -> None:
    word, color = ("error", "red") if blocks else ("waived", "cyan") if waived else ("warning", "yellow")
    click.echo(f"{click.style(f'{word:<8}', fg=color, bold=True)} {anomaly.kind}: {one_line(anomaly.message)}")
    if anomaly.proposal:
        click.echo(click.style(f"         if the data is correct: {one_line(anomaly.proposal)}", dim=True))
