"""`taxiway monitor`: the performance of a served version over time."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.options import busy
from taxiway.cli.people.opened import Given, opened, records_options
from taxiway.cli.serving.log import folder_option
from taxiway.cli.serving.serve import code_option
from taxiway.cli.views.console import stdout_console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from taxiway.monitoring.outliers.detectors import Method
    from taxiway.records import Interval
    from taxiway.stages.monitor.monitored import Monitored
    from taxiway.stages.monitor.windows.drift import WindowDrift
    from taxiway.stages.monitor.windows.log_windows import Every

_EXIT_WORSE = 3
_MAX_SHOWN = 5


@click.command()
@click.argument("name", metavar="MODEL[@ALIAS|/VERSION]")
@folder_option
@click.option(
    "--every", type=click.Choice(["day", "week", "month"]), default="week", show_default=True, help="How long a window is."
)
@click.option("--metric", help="The metric. Default: roc_auc for two classes, accuracy for more, and mae for a regression.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The first day of the requests, in UTC.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day of the requests.")
@click.option(
    "--schema",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The schema file by which the inputs of each window are validated, in the environment SERVING.",
)
@click.option(
    "--outliers",
    type=click.Choice(["ecod", "isolation_forest"]),
    help="Score the rows of each window by how unlike the evaluation rows they are.",
)
@click.option("--previous", is_flag=True, help="Compare the version before on the same rows with a label.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@code_option
@records_options
def monitor(
    name: str,
    folder: Path,
    every: "Every",
    metric: str | None,
    since: "datetime | None",
    until: "datetime | None",
    schema: Path | None,
    outliers: "Method | None",
    previous: bool,
    as_json: bool,
    code: Path | None,
    **given: Any,
) -> None:
    """Show how well a version has predicted over time and which inputs have drifted, by the request log.

    Without labels, the performance of a classifier is estimated from its probabilities; with labels, it is that of the rows that have
    one by now. The exit code is 3 if it is worse than on the evaluation rows in the newest window with enough rows, or in the newest one whose
    realised performance is known.
    """
    from taxiway.data.schema.file import load_schema
    from taxiway.ledger.promotions import entries
    from taxiway.stages.batch.version import find_version, load_version
    from taxiway.stages.monitor.causes import root_causes
    from taxiway.stages.monitor.described import described
    from taxiway.stages.monitor.monitor import monitor as compare
    from taxiway.stages.monitor.monitored import Asked
    from taxiway.stages.monitor.previous import PreviousAsked, previous_performance
    from taxiway.stages.monitor.slices import worse_slices
    from taxiway.stages.monitor.windows.labels.rows import period_of

    by_schema = load_schema(schema) if schema is not None else None
    asked = Asked(every, metric, since and since.date(), until and until.date(), by_schema, outliers=outliers)
    with opened(Given(**given)) as installation:
        client = installation.ledger.client
        version = find_version(installation.ledger, name)
        with busy(f"loading {version.model} version {version.version}") as show:
            loaded = load_version(client, version, code)
            found = compare(client, version, loaded, folder, asked, store=installation.store(), show=show)
            show("comparing slices")
            period, store = period_of(folder, asked.since, asked.until), installation.store()
            found = replace(found, slices=worse_slices(found, loaded, period, every, store))
            found = replace(found, causes=root_causes(found, every, installation.ledger, store))
            if previous:
                show("predicting the same rows by the version before")
                known = entries(client, version.model)
                same = PreviousAsked(installation.ledger, known, store, period, code)
                found = replace(found, previous=previous_performance(same, found, loaded))
    if as_json:
        click.echo(json.dumps(described(found), indent=2, allow_nan=False))
    else:
        _show(found)
    if found.alert:
        sys.exit(_EXIT_WORSE)


def _show(found: "Monitored") -> None:
    from rich.markup import escape
    from rich.table import Table

    from taxiway.stages.monitor.windows.performance import MIN_ROWS

    console, reference = stdout_console(highlight=False), found.reference
    about = f"{reference.metric} of {found.version.model} version {found.version.version}"
    console.print(f"{about}; on its evaluation rows {_text(reference.performance)}, 99% intervals in brackets")
    table = Table(box=None, header_style="bold")
    for heading in (
        "from (UTC)",
        "rows",
        "with a label",
        "estimated",
        "realised",
        "",
        "inputs that drifted",
        "since the window before",
    ):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("rows", "with a label") else "left")
    for window in found.windows:
        of = window.performance
        mark = "too few rows" if of.rows < MIN_ROWS else "rows alike" if of.alike else ""
        concept = ": concept drift" if of.concept_drift else ""
        alert = f"[red]worse ({of.alert}){concept}[/red]" if of.alert else mark
        inputs, since = _inputs(window.drift), _inputs(window.since.drift) if window.since is not None else ""
        counts = (f"{of.rows:,}", f"{of.labelled:,}")
        table.add_row(str(of.first), *counts, _text(of.estimated), _text(of.realised), alert, escape(inputs), escape(since))
    console.print(table)
    for line in _lines(found):
        console.print(line, markup=False, soft_wrap=True)
    console.print(reference.condition, style="dim", markup=False, soft_wrap=True)


def _lines(found: "Monitored") -> "Iterator[str]":
    """What is known of the newest window, why it is worse, its slices and the version before."""
    newest, causes, metric = found.newest or found.windows[-1], found.causes, found.reference.metric
    about = f"from {newest.performance.first}: "
    if newest.operation is not None:
        yield f"{about}{newest.operation.describe()}"
    if causes is not None:
        yield causes.message
        for number, cause in enumerate(causes.causes, start=1):
            yield f"  {number}. {cause.kind}: {cause.describe()}"
    since = newest.since.messages[:_MAX_SHOWN] if newest.since is not None else ()
    yield from (f"{about}{each}" for each in (*since, *newest.performance.messages))
    if causes is None or causes.first != newest.performance.first:
        joint = [newest.drift.joint.message] if newest.drift.joint is not None else []
        drift = (each.message for each in newest.drift.columns[:_MAX_SHOWN])
        yield from (f"{about}{each}" for each in (*(each.message for each in newest.anomalies), *drift, *joint))
    if newest.outliers is not None:
        yield f"{about}{newest.outliers.record.describe()}"
        yield from (f"  {number}. {each.describe()}" for number, each in enumerate(newest.outliers.record.most, start=1))
    yield from (change.describe(found.version.version) for change in found.changes)
    labelled = found.newest_labelled
    if labelled is not None and labelled is not newest:
        yield from (f"from {labelled.performance.first}: {each}" for each in labelled.performance.messages)
    if found.slices and labelled is not None and (causes is None or causes.first != labelled.performance.first):
        yield f"worse slices from {labelled.performance.first}:"
        yield from (f"  {each.describe(metric)}" for each in found.slices)
    if found.previous is not None:
        yield found.previous.describe(metric, found.version.version)


def _inputs(drift: "WindowDrift") -> str:
    """The inputs that drifted, for the table."""
    from taxiway.messages import names_text

    if drift.columns:
        return names_text([each.column for each in drift.columns])
    return "several together" if drift.joint is not None else "-"


def _text(interval: "Interval | None") -> str:
    from taxiway.stages.monitor.described import interval_text

    return "-" if interval is None else interval_text(interval)
