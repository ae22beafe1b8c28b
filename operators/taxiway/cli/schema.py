"""The commands for schema files: `taxiway schema infer`, `show`, `diff`, `update`, `promote` and `export`."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taxiway.cli.options import busy, json_option, read_options, reading_options, show_notes, usage_errors, write_output
from taxiway.errors import ConfigError, allowed_values
from taxiway.messages import counted, one_line

if TYPE_CHECKING:
    from taxiway.data.schema.model import Schema
    from taxiway.records import Anomaly
    from taxiway.spec.base import Format

schema_file = click.Path(path_type=Path, dir_okay=False)


@click.group()
def schema() -> None:
    """Draft, show, compare, change and export schema files."""


def next_step(text: str) -> None:
    """Print what to do next."""
    click.echo(f"next: {text}", err=True)


@schema.command()
@click.argument("data")
@click.option("-o", "--output", required=True, type=schema_file, help="The schema file to write.")
@click.option("--label", help="The column to predict; omit it if the data has no label.")
@click.option(
    "--ranges",
    type=click.Choice(["none", "observed"]),
    default="none",
    show_default=True,
    help="Whether numeric columns get the observed range.",
)
@click.option("--suggest", "with_suggestions", is_flag=True, help="Add suggested constraints as comments, with their evidence.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@reading_options
def infer(
    data: str,
    output: Path,
    label: str | None,
    ranges: str,
    with_suggestions: bool,
    force: bool,
    csv: tuple[str, ...],
    file_format: "Format | None",
) -> None:
    """Draft a schema from DATA: a file, a pattern such as 'sales/*.csv', or a URL."""
    from taxiway.data.formats.open_data import open_data
    from taxiway.data.profiling.profiler import profile_table
    from taxiway.data.schema.draft import render_draft
    from taxiway.data.schema.infer import infer_from
    from taxiway.data.schema.remarks import remarks_of
    from taxiway.data.schema.suggest import suggest_table

    with usage_errors():
        if output.exists() and not force:
            raise ConfigError(f"{output} exists already; give another name, or --force to overwrite it")
        with busy(f"reading {data}"), open_data(data, read_options(csv, file_format)) as table:
            profile = profile_table(table, label)
            left_out = [column for column in profile.columns if column.type == "other" and column.name != label]
            without = [column.name for column in left_out]
            drafted = infer_from(profile, label, ranges="observed" if ranges == "observed" else "none", without=without)
            suggestions = suggest_table(table, profile, label) if with_suggestions else ()
            notes, remarks = table.notes, remarks_of(table, profile)
    text = render_draft(drafted, profile, Path(data).name, remarks, suggestions)
    write_output(output, text)
    click.echo(f"wrote {output}: {_summary(drafted, profile.rows)}")
    for column in left_out:
        click.echo(f"left out: {one_line(column.name)} has the type {column.storage}, for which there are no statistics")
    if with_suggestions:
        added = text.count("# suggested: ")
        click.echo(f"{counted(added, 'suggestion')} {'was' if added == 1 else 'were'} added as comments above their columns")
    show_notes(notes)
    next_step(
        f"review {output}, which describes this data and not what is correct; then taxiway validate OTHER_DATA --schema {output}"
    )


def _summary(drafted: "Schema", rows: int) -> str:
    """`8 columns from 344 rows, 5 required, 2 with a domain, 4 with a range, label species`."""
    required = sum(feature.presence == 1 for feature in drafted.features)
    domains = sum(feature.domain is not None for feature in drafted.features)
    ranges = sum(feature.range is not None for feature in drafted.features)
    label = f"label {drafted.label}" if drafted.label else "no label"
    columns = f"{counted(len(drafted.features), 'column')} from {counted(rows, 'row')}"
    return f"{columns}, {required} required, {domains} with a domain, {ranges} with a range, {label}"


@schema.command()
@click.argument("file", type=schema_file)
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show the schema in FILE as a table."""
    from taxiway.cli.views.schema import show_schema
    from taxiway.data.schema.file import load_schema

    with usage_errors():
        found = load_schema(file)
    if as_json:
        click.echo(found.to_full_json())
    else:
        show_schema(found)
        next_step(f"taxiway validate DATA --schema {file}")


@schema.command()
@click.argument("old", type=schema_file)
@click.argument("new", type=schema_file)
def diff(old: Path, new: Path) -> None:
    """List the differences between the schema files OLD and NEW; the exit code is 1 if there are any."""
    from taxiway.data.schema.diff import schema_changes
    from taxiway.data.schema.file import load_schema

    with usage_errors():
        before, now = load_schema(old), load_schema(new)
    changes = schema_changes(before, now)
    for change in changes:
        click.echo(change)
    if changes:
        click.echo(f"{len(changes)} {'change' if len(changes) == 1 else 'changes'}: {new} is another schema version", err=True)
        next_step(f"ask the owners of the changed columns to review it; then taxiway validate DATA --schema {new}")
    else:
        order = "" if before == now else ", in another order"
        click.echo(f"no changes: both files define the same schema{order}", err=True)
    sys.exit(1 if changes else 0)


@schema.command()
@click.argument("file", type=schema_file)
@click.option("--from", "data", required=True, help="The correct data: a file, a pattern or a URL.")
@click.option(
    "--environment", default="TRAINING", show_default=True, help="The environment of the schema that the data belongs to."
)
@click.option(
    "--accept",
    multiple=True,
    metavar="NAME",
    help="Accept the changes of a column, or of one of its keys (wind.range); may be repeated. all: every change. "
    "Without it, the command asks for each change.",
)
@reading_options
def update(
    file: Path, data: str, environment: str, accept: tuple[str, ...], csv: tuple[str, ...], file_format: "Format | None"
) -> None:
    """Change FILE so that the data passes, with the changes that you accept. Comments and layout are kept.

    The exit code is 0 if the file was changed or needs no change, and 1 if no change was accepted.
    """
    from taxiway.data.schema.edit import update_schema
    from taxiway.data.schema.file import load_schema
    from taxiway.data.validation.validate import validate_with_profiles

    with usage_errors():
        known = load_schema(file)
        with busy(f"checking {data}"):
            options = read_options(csv, file_format)
            anomalies = validate_with_profiles(data, known, environment=environment, options=options).report.anomalies
        proposed = {anomaly.fix.path: anomaly for anomaly in reversed(anomalies) if anomaly.fix is not None}
        names = {name: anomaly for path, anomaly in proposed.items() for name in _names(path)}
        _check_accepted(accept, names)
        for anomaly in anomalies:
            if anomaly.fix is None:
                click.echo(f"cannot be fixed by a change of the schema: {one_line(anomaly.message)}")
        accepted = [a.fix for path, a in sorted(proposed.items()) if _is_accepted(a, _names(path), accept) and a.fix]
        if accepted:
            update_schema(file, accepted)
    if not proposed:
        click.echo(f"nothing to change in {file}")
        next_step(f"taxiway validate {data} --schema {file}")
        return
    if not accepted:
        click.echo(f"{file} is unchanged: no change was accepted")
        next_step("fix the data at its source, or accept a change: --accept NAME")
        sys.exit(1)
    click.echo(f"changed {file}: {len(accepted)} of {len(proposed)} changes accepted")
    next_step(f"review it (git diff {file}); then taxiway validate {data} --schema {file}")


def _names(path: tuple[str, ...]) -> tuple[str, ...]:
    """The names by which a change can be accepted: `wind` and `wind.range`; `min_rows` for a key of the table."""
    inner = path[1:] if path[0] == "features" else path
    return tuple(dict.fromkeys((inner[0], ".".join(inner))))


def _check_accepted(accept: Iterable[str], names: Iterable[str]) -> None:
    for name in accept:
        if name != "all" and name not in names:
            raise ConfigError(f"--accept {name} is not a proposed change\n    {allowed_values(name, ['all', *names])}")


def _is_accepted(anomaly: "Anomaly", names: tuple[str, ...], accept: tuple[str, ...]) -> bool:
    """Print a change with its anomaly; asks for it if there is no --accept."""
    assert anomaly.fix is not None
    click.echo(
        f"{click.style(anomaly.kind, bold=True)}: {one_line(anomaly.message)}\n    change: {one_line(anomaly.fix.describe())}"
    )
    if not accept:
        return click.confirm("    accept", default=False)
    accepted = "all" in accept or any(name in accept for name in names)
    click.echo(f"    {'accepted' if accepted else 'not accepted'}")
    return accepted


@schema.command()
@click.argument("file", type=schema_file)
@click.argument("feature")
@click.option("--to", "stage", required=True, type=click.Choice(["beta", "production"]), help="The new stage.")
@click.option(
    "--on", "data", required=True, multiple=True, help="Data as evidence, oldest first; may be repeated. Each file is a span."
)
@click.option("--spans", type=click.IntRange(min=1), default=3, show_default=True, help="How many clean spans are required.")
@reading_options
def promote(
    file: Path,
    feature: str,
    stage: str,
    data: tuple[str, ...],
    spans: int,
    csv: tuple[str, ...],
    file_format: "Format | None",
) -> None:
    """Move FEATURE of the schema in FILE to a later lifecycle stage, if its data is clean.

    Every file that --on names or matches is a span. A span is clean if it has no anomaly that would block in the new stage.
    """
    from taxiway.data.schema.constraints import LifecycleStage
    from taxiway.data.schema.edit import update_schema
    from taxiway.data.schema.file import load_schema
    from taxiway.data.validation.promote_feature import promotion

    with usage_errors():
        known = load_schema(file)
        with busy(f"checking {feature}"):
            changes, evidence = promotion(
                known,
                feature,
                LifecycleStage(stage),
                data,
                spans=spans,
                today=datetime.now(UTC).date(),
                options=read_options(csv, file_format),
            )
        for span in evidence.spans:
            click.echo(f"{Path(span.data).name}: {'clean' if not span.reasons else 'not clean'}")
        if not evidence.reasons:
            update_schema(file, changes)
    if evidence.reasons:
        for reason in evidence.reasons:
            click.secho(f"taxiway: {reason}", fg="red", err=True)
        click.echo(f"{file} is unchanged: {feature} is not promoted to {stage}")
        next_step("fix the source or the schema, and give clean spans")
        sys.exit(1)
    click.echo(f"promoted {feature} to {stage} in {file}: {len(evidence.spans)} clean spans")
    next_step(f"review it (git diff {file}), and inform the users of {feature}")


@schema.command()
@click.argument("file", type=schema_file)
@click.option(
    "--to",
    type=click.Choice(["gx"]),
    required=True,
    expose_value=False,
    help="The format: gx, a Great Expectations suite.",
)
@click.option("-o", "--output", required=True, type=schema_file, help="The file to write.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def export(file: Path, output: Path, force: bool) -> None:
    """Write the schema in FILE as a Great Expectations suite, and list what the suite cannot express."""
    from taxiway.data.schema.file import load_schema
    from taxiway.data.validation.expectations.export import schema_to_suite

    with usage_errors():
        if output.exists() and not force:
            raise ConfigError(f"{output} exists already; give another name, or --force to overwrite it")
        text, left_out = schema_to_suite(load_schema(file), output.name.partition(".")[0])
    write_output(output, text)
    click.echo(f"wrote {output}")
    click.echo("not in the suite, because Great Expectations has no counterpart:")
    for constraint in left_out:
        click.echo(f"  {constraint}")
    next_step(f"taxiway validate DATA --schema {file} --gx {output}")
