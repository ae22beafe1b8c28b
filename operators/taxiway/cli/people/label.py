"""The commands `taxiway label`: rows for people to label, and the labels that they have given."""

from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.given_options import with_given_options
from taxiway.cli.options import check_folders, read_options, reading_options
from taxiway.cli.people.opened import Given, Opened, opened, pipeline_options
from taxiway.cli.people.review import pipeline_of
from taxiway.errors import TerminalError
from taxiway.ledger.decisions import local_person
from taxiway.messages import counted, kept_text_problem

if TYPE_CHECKING:
    from taxiway.records import Snapshot, Verdict
    from taxiway.spec.base import Format
    from taxiway.stages.labels import Imported
    from taxiway.stages.review import PipelineReview

_VERSION = "MODEL/VERSION"


@click.group()
def label() -> None:
    """Have people label rows to decide about a version; send the true labels of predictions."""


@label.command("export")
@click.argument("name", metavar=_VERSION)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write; its ending says the format: .csv or .parquet.",
)
@click.option("--rows", type=click.IntRange(1), default=100, show_default=True, help="How many rows.")
@click.option(
    "--with-answers",
    is_flag=True,
    help="Add what the models predict; whoever sees it tends to agree, so it is left out by default.",
)
@click.option(
    "--at-random/--differing-first",
    default=True,
    show_default=True,
    help="Choose the rows at random, or first those on which the version and the champion differ, then those nearest to a decision. "
    "The gate leaves out the rows of --differing-first until all rows of their span have a label; they only train later models.",
)
@pipeline_options
def export(
    name: str, output: Path, rows: int, with_answers: bool, at_random: bool, dags: Path, data: str, **given: Any
) -> None:
    """Write rows without a label to a file.

    The rows are those of spans that wait for their labels (source.unlabelled: wait), or those that were left out of the data of the
    version (drop). The label is an empty column at the end.
    """
    from taxiway.registry.alias_moves import champion_now
    from taxiway.stages.labels import record_draw, rows_to_label, write_rows
    from taxiway.stages.labels.files import FORMATS

    if output.suffix not in FORMATS:
        raise click.UsageError(f"-o {output} ends in {output.suffix or 'nothing'}; allowed: {' or '.join(FORMATS)}")
    if output.exists():
        raise click.UsageError(f"-o {output} exists, and may have labels already; name another file, or remove it")
    check_folders(output)
    with opened(Given(**given)) as installation:
        of_model, verdict, snapshot = _judged(installation, name, dags, data)
        champion = champion_now(installation.ledger, verdict.model)
        other = champion if champion != verdict.version else None
        context = of_model.opened()
        found = rows_to_label(
            context, snapshot, verdict.version, other, count=rows, with_answers=with_answers, differing_first=not at_random
        )
        record_draw(context, found)
    if found.without_key:
        click.echo(f"note: left out {counted(found.without_key, 'row')} without a label that have no key either", err=True)
    if not found.unlabelled:
        click.echo(f"no row of {verdict.model} waits for a label; spans that were read: {found.looked_at}")
        return
    write_rows(found.rows, output)
    places = ", ".join(f"{count:,} in span {span}" for span, count in found.unlabelled.items())
    total = sum(found.unlabelled.values())
    click.echo(f"wrote {counted(found.rows.num_rows, 'row')} of the {total:,} without a label ({places}) to {output}")
    if found.differing is not None:
        click.echo(
            f"versions {verdict.version} and {other} predict different classes in {found.differing:,} of them"
            f"{'' if at_random else ', which come first'}"
        )
    if not at_random:
        click.echo(
            "note: these rows are not drawn at random, so the gate leaves them out until all rows of their span have a label; without "
            "--differing-first, labels count",
            err=True,
        )
    command = with_given_options(f"taxiway label import {name} {quote(str(output))} --by NAME")
    click.echo(f"next: fill in the last column, then {command}", err=True)


@label.command("import")
@click.argument("name", metavar=_VERSION)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--by", "labeller", required=True, help="The name of the person who has given the labels.")
@reading_options
@pipeline_options
def import_(
    name: str,
    file: Path,
    labeller: str,
    csv: tuple[str, ...],
    file_format: "Format | None",
    dags: Path,
    data: str,
    **given: Any,
) -> None:
    """Import the labels of FILE, as written by `taxiway label export` and filled in; rows without a label are ignored.

    Runs join the labels to rows in which the source has none. Rows that several people have labelled differently count as not labelled
    until they agree. A person who labels a row again replaces only their own label.
    """
    from taxiway.stages.labels import import_labels
    from taxiway.stages.labels.importing import MAX_NAME_CHARACTERS

    problem = kept_text_problem(labeller, "name the person who has given the labels", MAX_NAME_CHARACTERS)
    if problem is not None:
        raise click.UsageError(f"--by {problem}")
    with opened(Given(**given)) as installation:
        of_model, verdict, snapshot = _judged(installation, name, dags, data)
        done = import_labels(
            of_model.opened(),
            verdict,
            snapshot,
            file,
            labeller=labeller.strip(),
            by=local_person(),
            via="command line",
            at=datetime.now(UTC),
            options=read_options(csv, file_format),
        )
        _echo_imported(done, of_model)


def _echo_imported(done: "Imported", of_model: "PipelineReview") -> None:
    places = ", ".join(f"{count:,} in span {span}" for span, count in done.spans.items())
    click.echo(f"imported {counted(sum(done.spans.values()), 'label')} ({places})")
    if done.already_known:
        click.echo(f"left out {counted(done.already_known, 'label')} of rows that have the same label at the source")
    for agreement in done.agreements:
        click.echo(agreement.describe())
    if done.conflicting:
        rows = counted(done.conflicting, "row is", "rows are")
        click.echo(f"{rows} labelled differently, and count as not labelled until their labellers agree")
    if done.not_drawn:
        click.echo(f"note: {done.not_drawn_text}", err=True)
    again = next((span for span in done.spans if span in of_model.decided), None)
    command = with_given_options(f"taxiway run {quote(of_model.file)}{f' --span {again}' if again else ''}")
    click.echo(f"next: {command}, or in Airflow a run{f' with the parameter span = {again}' if again else ''}", err=True)


def _judged(installation: Opened, name: str, dags: Path, data: str) -> "tuple[PipelineReview, Verdict, Snapshot]":
    from taxiway.lineage.queries import resolve
    from taxiway.lineage.verdicts import judged_version

    if "/" not in name:
        raise click.UsageError(f"{name} is not {_VERSION}; name the version, such as flights.late_arrivals/3")
    client = installation.ledger.client
    model, version = resolve(client, name)
    of_model = pipeline_of(installation, model, dags, data)
    judged = judged_version(client, installation.store(), model, version)
    if judged.records.snapshot is None:
        raise TerminalError(f"the data of {name} is not known: {'; '.join(judged.records.unread)}")
    return of_model, judged.verdict, judged.records.snapshot
