"""`taxiway audit`: when labels are needed to know whether a version still reaches a target, and of which rows."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.options import busy
from taxiway.cli.people.opened import Given, opened, records_options
from taxiway.cli.serving.log import folder_option
from taxiway.cli.serving.serve import code_option

if TYPE_CHECKING:
    from taxiway.stages.batch.version import Version
    from taxiway.stages.monitor.windows.labels.audits import LabelAudit
    from taxiway.stages.monitor.windows.log_windows import Every

_EXIT_DUE = 3


@click.command()
@click.argument("name", metavar="MODEL[@ALIAS|/VERSION]")
@folder_option
@click.option("--target", type=float, required=True, help="The value that the metric is to reach.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="How far the metric may be on the other side of the target than the answer says.",
)
@click.option(
    "--max-change",
    type=click.FloatRange(min=0, min_open=True),
    help="The largest change of the metric per day. Default: learnt from windows with labels.",
)
@click.option(
    "--every", type=click.Choice(["day", "week", "month"]), default="week", show_default=True, help="How long a window is."
)
@click.option(
    "--windows",
    type=click.IntRange(min=1),
    help="How many windows that have ended to look at, the newest ones. Default: all of the log.",
)
@click.option("--metric", help="The metric. Default: roc_auc for two classes, accuracy for more, and mae for a regression.")
@click.option(
    "-o",
    "--output",
    "out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A CSV file to write the rows to that are to be labelled.",
)
@code_option
@records_options
def audit(
    name: str,
    folder: Path,
    target: float,
    tolerance: float,
    max_change: float | None,
    every: "Every",
    windows: int | None,
    metric: str | None,
    out: Path | None,
    code: Path | None,
    **given: Any,
) -> None:
    """Show when labels are needed next to know whether the metric of a version reaches a target, and how many.

    The rows to label are a random sample of the newest window that has ended. The exit code is 3 if an audit is due.
    """
    from taxiway.stages.batch.version import find_version, load_version
    from taxiway.stages.monitor.monitor import compare_windows
    from taxiway.stages.monitor.monitored import Asked
    from taxiway.stages.monitor.windows.labels.audit_rows import require_new_csv
    from taxiway.stages.monitor.windows.labels.audits import audit_policy, next_audit
    from taxiway.stages.monitor.windows.log_windows import oldest_day

    if out is not None:
        require_new_csv(out)
    today = datetime.now(UTC).date()
    asked = Asked(every, metric, oldest_day(today, every, windows) if windows is not None else None)
    with opened(Given(**given)) as installation:
        client = installation.ledger.client
        version = find_version(installation.ledger, name)
        with busy(f"loading {version.model} version {version.version}") as show:
            loaded = load_version(client, version, code)
            found = compare_windows(client, version, loaded, folder, asked, store=installation.store(), show=show)
        policy = audit_policy(found.reference.metric, target, tolerance, max_change)
        made = next_audit(client, version, found.reference, found.windows, policy, every, today)
    for message in made.messages:
        click.echo(message)
    if out is not None:
        _write(folder, version, made, every, out)
    if made.is_due:
        sys.exit(_EXIT_DUE)


def _write(folder: Path, version: "Version", made: "LabelAudit", every: "Every", out: Path) -> None:
    from taxiway.messages import counted
    from taxiway.stages.monitor.windows.labels.audit_rows import write_audit_rows

    if made.window is None:
        click.echo(f"{out} is not written: no window with enough rows has ended yet", err=True)
        return
    written = write_audit_rows(folder, version, made.window.first, every, made.plan.labels, out)
    known = f"; {written.labelled:,} others of the sample have a label already" if written.labelled else ""
    click.echo(f"wrote {counted(written.rows, 'row')} of the window from {made.window.first} to {out}{known}")
    if not written.rows:
        click.echo("there is nothing to label: the answer needs more rows than the window has, or longer windows", err=True)
        return
    click.echo(f"next: fill in the last column, then taxiway label send {version.model} {quote(str(out))}", err=True)
