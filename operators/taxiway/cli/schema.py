"""Working with schema files: `taxiway schema infer`, `show`, `diff`, `update` and `promote`."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taxiway.cli.options import busy, json_option, usage_errors
from taxiway.errors import ConfigError, allowed_values

if TYPE_CHECKING:
    from taxiway.records import Anomaly

schema_file = click.Path(path_type=Path, dir_okay=False)


@click.group()
def schema() -> None:
    """Draft, read, compare and change what is expected of data."""


def next_step(text: str) -> None:
    """Say what to do now."""
    click.echo(f"next: {text}", err=True)


@schema.command()
@click.argument("data")
@click.option("-o", "--output", required=True, type=schema_file, help="The schema file to write.")
@click.option("--label", help="The column to predict; none for data from which nothing is learned.")
@click.option(
    "--ranges",
    type=click.Choice(["none", "observed"]),
    default="none",
    show_default=True,
    help="Whether numbers get the range that was seen.",
)
@click.option("--suggest", "with_suggestions", is_flag=True, help="Add what more could be asked, as comments with evidence.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def infer(data: str, output: Path, label: str | None, ranges: str, with_suggestions: bool, force: bool) -> None:
    """Draft a schema from DATA: a file, a pattern such as 'sales/*.csv', or a URL."""
    from taxiway.data.formats.open_data import open_data
    from taxiway.data.profiling.profiler import profile_table
    from taxiway.data.schema.draft import draft_text
    from taxiway.data.schema.infer import infer_from
    from taxiway.data.schema.suggest import suggest_table

    with usage_errors():
        if output.exists() and not force:
            raise ConfigError(f"{output} is there already; give another name, or --force to write over it")
        with busy(f"reading {data}"), open_data(data) as table:
            profile = profile_table(table, label)
            unread = [column for column in profile.columns if column.type == "other" and column.name != label]
            without = [column.name for column in unread]
            drafted = infer_from(profile, label, ranges="observed" if ranges == "observed" else "none", without=without)
            suggestions = suggest_table(table, profile, label) if with_suggestions else ()
    text = draft_text(drafted, profile, Path(data).name, suggestions)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    required = sum(feature.presence == 1 for feature in drafted.features)
    domains = sum(feature.domain is not None for feature in drafted.features)
    bounds = sum(feature.range is not None for feature in drafted.features)
    click.echo(
        f"wrote {output}: {len(drafted.features)} columns of {profile.rows:,} rows, {required} required, {domains} with a domain, "
        f"{bounds} with a range, {f'label {label}' if label else 'no label'}"
    )
    for column in unread:
        click.echo(f"left out: {column.name} is of type {column.storage}, which has no statistics")
    if with_suggestions:
        click.echo(f"{text.count('# suggested: ')} suggestions stand as comments beside their columns")
    next_step(
        f"read {output}, for it says what was seen and not what is right; then taxiway validate OTHER_DATA --schema {output}"
    )


@schema.command()
@click.argument("file", type=schema_file)
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show the schema in FILE as a table."""
    from taxiway.cli.schema_view import show_schema
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
    """Say what differs between the schema files OLD and NEW; ends with 1 where anything does."""
    from taxiway.data.schema.diff import schema_changes
    from taxiway.data.schema.file import load_schema

    with usage_errors():
        before, now = load_schema(old), load_schema(new)
    changes = schema_changes(before, now)
    for change in changes:
        click.echo(change)
    if changes:
        click.echo(f"{len(changes)} {'change' if len(changes) == 1 else 'changes'}: {new} is another schema version", err=True)
        next_step(f"have who owns the changed columns read it; then taxiway validate DATA --schema {new}")
    else:
        same = "the same schema" if before == now else "the same, in another order"
        click.echo(f"no changes: both files say {same}", err=True)
    sys.exit(1 if changes else 0)


@schema.command()
@click.argument("file", type=schema_file)
@click.option("--from", "data", required=True, help="The data that are right: a file, a pattern or a URL.")
@click.option("--environment", default="TRAINING", show_default=True, help="What kind of data these are.")
@click.option(
    "--accept",
    multiple=True,
    metavar="NAME",
    help="A column, or one key of it (wind.range), whose changes are accepted; may be repeated. all: every change. "
    "Without it, each change is asked for.",
)
def update(file: Path, data: str, environment: str, accept: tuple[str, ...]) -> None:
    """Change FILE so that the data pass, as far as you accept it. Its comments and its layout stay.

    Ends with 0 where nothing is to be changed, or something was; 1 where nothing was accepted.
    """
    from taxiway.data.schema.edit import update_schema
    from taxiway.data.schema.file import load_schema
    from taxiway.data.validation.validate import validate_files

    with usage_errors():
        known = load_schema(file)
        with busy(f"checking {data}"):
            anomalies = validate_files(data, known, environment=environment).report.anomalies
        proposed = {anomaly.fix.path: anomaly for anomaly in reversed(anomalies) if anomaly.fix is not None}
        names = {name: anomaly for path, anomaly in proposed.items() for name in _names(path)}
        _check_accepted(accept, names)
        for anomaly in anomalies:
            if anomaly.fix is None:
                click.echo(f"no change of the schema helps: {anomaly.message}")
        accepted = [a.fix for path, a in sorted(proposed.items()) if _is_accepted(a, _names(path), accept) and a.fix]
        if accepted:
            update_schema(file, accepted)
    if not proposed:
        click.echo(f"nothing to change in {file}: the data ask for none")
        next_step(f"taxiway validate {data} --schema {file}")
        return
    if not accepted:
        click.echo(f"{file} is as it was: no change was accepted")
        next_step("have the data mended at their source, or accept a change by its name: --accept NAME")
        sys.exit(1)
    click.echo(f"changed {file}: {len(accepted)} of {len(proposed)} changes")
    next_step(f"review it (git diff {file}); then taxiway validate {data} --schema {file}")


def _names(path: tuple[str, ...]) -> tuple[str, ...]:
    """By which names a change is accepted: `wind` and `wind.range`; `min_rows` for what holds for the table."""
    inner = path[1:] if path[0] == "features" else path
    return tuple(dict.fromkeys((inner[0], ".".join(inner))))


def _check_accepted(accept: Iterable[str], names: Iterable[str]) -> None:
    for name in accept:
        if name != "all" and name not in names:
            raise ConfigError(f"--accept {name}: there is no such change\n    {allowed_values(name, ['all', *names])}")


def _is_accepted(anomaly: "Anomaly", names: tuple[str, ...], accept: tuple[str, ...]) -> bool:
    """Show one change with the anomaly behind it, and ask where nothing was said of it before."""
    assert anomaly.fix is not None
    click.echo(f"{click.style(anomaly.kind, bold=True)}: {anomaly.message}\n    change: {anomaly.fix.describe()}")
    if not accept:
        return click.confirm("    accept", default=False)
    taken = "all" in accept or any(name in accept for name in names)
    click.echo(f"    {'accepted' if taken else 'not accepted'}")
    return taken


@schema.command()
@click.argument("file", type=schema_file)
@click.argument("feature")
@click.option("--to", "stage", required=True, type=click.Choice(["beta", "production"]), help="The stage.")
@click.option(
    "--on", "data", required=True, multiple=True, help="Data as evidence, oldest first; may be repeated. Each file is a span."
)
@click.option("--spans", type=click.IntRange(min=1), default=3, show_default=True, help="How many clean spans are needed.")
def promote(file: Path, feature: str, stage: str, data: tuple[str, ...], spans: int) -> None:
    """Move FEATURE of the schema in FILE to a later stage, if the spans speak for it.

    Every file that --on names or matches is a span. Each must be free of anomalies that would block in the new stage.
    """
    from taxiway.data.schema.constraints import LifecycleStage
    from taxiway.data.schema.edit import update_schema
    from taxiway.data.schema.file import load_schema
    from taxiway.data.validation.promote_feature import promotion

    with usage_errors():
        known = load_schema(file)
        with busy(f"checking {feature}"):
            changes, evidence = promotion(
                known, feature, LifecycleStage(stage), data, spans=spans, today=datetime.now(UTC).date()
            )
        for span in evidence.spans:
            click.echo(f"{Path(span.data).name}: {'clean' if not span.reasons else 'not clean'}")
        if not evidence.reasons:
            update_schema(file, changes)
    if evidence.reasons:
        for reason in evidence.reasons:
            click.secho(f"taxiway: {reason}", fg="red", err=True)
        click.echo(f"{file} is as it was: {feature} is not promoted to {stage}")
        next_step("have the source mended, or the schema corrected, and give spans that are clean")
        sys.exit(1)
    click.echo(f"{feature} is {stage} in {file}, since today: {len(evidence.spans)} clean spans")
    next_step(f"review it (git diff {file}), and tell who uses {feature}")


@schema.command()
@click.argument("file", type=schema_file)
@click.option(
    "--to",
    type=click.Choice(["gx"]),
    required=True,
    expose_value=False,
    help="What to write: gx, a suite of Great Expectations.",
)
@click.option("-o", "--output", required=True, type=schema_file, help="The file to write.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def export(file: Path, output: Path, force: bool) -> None:
    """Write the schema in FILE as a suite of Great Expectations, and say what has no counterpart there."""
    from taxiway.data.schema.file import load_schema
    from taxiway.data.validation.expectations.export import schema_to_suite

    with usage_errors():
        if output.exists() and not force:
            raise ConfigError(f"{output} is there already; give another name, or --force to write over it")
        text, left_out = schema_to_suite(load_schema(file), output.name.partition(".")[0])
    output.write_text(text, encoding="utf-8")
    click.echo(f"wrote {output}")
    click.echo("without a counterpart in Great Expectations:")
    for what in left_out:
        click.echo(f"  {what}")
    next_step(f"taxiway validate DATA --schema {file} --gx {output}")
