"""`taxiway monitor`: the performance of a served version over time."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.options import busy
from taxiway.cli.people.opened import Given, opened, records_options
from taxiway.cli.serving.log import folder_option
from taxiway.cli.serving.serve import code_option
from taxiway.cli.views.console import stdout_console
from taxiway.errors import TerminalError

if TYPE_CHECKING:
    from datetime import datetime

    from taxiway.records import Interval
    from taxiway.stages.monitor.performance import Reference, WindowPerformance
    from taxiway.stages.monitor.windows import Every

_EXIT_ALERT = 1


@click.command()
@click.argument("name", metavar="MODEL[@ALIAS|/VERSION]")
@folder_option
@click.option(
    "--every", type=click.Choice(["day", "week", "month"]), default="week", show_default=True, help="How long a window is."
)
@click.option("--metric", help="The metric. Default: roc_auc for two classes, accuracy for more, and mae for a regression.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The first day of the requests, in UTC.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day of the requests.")
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
    as_json: bool,
    code: Path | None,
    **given: Any,
) -> None:
    """Show how well a version has predicted over time, by the request log.

    Without labels, the performance of a classifier is estimated from its probabilities; with labels, it is that of the rows that have
    one by now. The exit code is 1 if it is worse than on the evaluation rows in the newest window with enough rows.
    """
    from taxiway.lineage.queries import model_lineage
    from taxiway.monitoring import estimate
    from taxiway.registry.load import load_trusted
    from taxiway.serving.request_files import open_request_log
    from taxiway.stages.batch.version import find_version, row_model
    from taxiway.stages.monitor.performance import performance, reference_of
    from taxiway.stages.monitor.windows import read_windows, served_versions

    with opened(Given(**given)) as installation, open_request_log(folder) as connection:
        client = installation.ledger.client
        version = find_version(installation.ledger, name)
        about = f"{version.model} version {version.version}"
        with busy(f"loading {about}") as show:
            pyfunc = load_trusted(client.tracking_uri, version.model, version.version, code=code, files=version.files)
            model = row_model(pyfunc, version)
            records = model_lineage(client, version.model, version.version).records
            if records.snapshot is None or records.features is None:
                raise TerminalError(f"the records of {about} cannot be read: {'; '.join(records.unread) or 'they are missing'}")
            if records.evaluation is not None and records.evaluation.withheld:
                raise TerminalError(
                    f"the scores of {about} on its evaluation rows are withheld (gate.show), and a comparison with them would show them"
                )
            show(f"scoring the evaluation rows of {about}")
            used = metric or _default_metric(len(model.classes))
            reference = reference_of(model, pyfunc, records.snapshot, records.features.label, used, installation.store())
            days = [None if day is None else day.date() for day in (since, until)]
            show(f"reading the requests of {about}")
            windows = read_windows(connection, version.model, version.version, reference.classes, every, *days)
            found = list(performance(reference, windows))
        others = served_versions(connection, version.model)
    if not found:
        raise TerminalError(
            f"{folder} has no rows that {about} has predicted on these days; versions with rows: {', '.join(map(str, others)) or 'none'}. "
            f"For one of them: taxiway monitor {version.model}/VERSION"
        )
    if as_json:
        content = {
            "model": version.model,
            "version": version.version,
            "metric": used,
            "windows": [asdict(each) for each in found],
        }
        click.echo(json.dumps(content | {"evaluation": reference.performance}, default=_json, indent=2))
    else:
        _show(about, reference, found, estimate.CONDITION)
    if _newest_alert(found):
        sys.exit(_EXIT_ALERT)


def _default_metric(classes: int) -> str:
    return "roc_auc" if classes == 2 else "accuracy" if classes else "mae"


def _newest_alert(found: "Sequence[WindowPerformance]") -> str:
    from taxiway.stages.monitor.performance import MIN_ROWS

    return next((window.alert for window in reversed(found) if window.rows >= MIN_ROWS), "")


def _show(about: str, reference: "Reference", found: "Sequence[WindowPerformance]", condition: str) -> None:
    from rich.table import Table

    from taxiway.stages.monitor.performance import MIN_ROWS

    console = stdout_console(highlight=False)
    console.print(
        f"{reference.metric} of {about}; on its evaluation rows {_text(reference.performance)}, 99% intervals in brackets"
    )
    table = Table(box=None, header_style="bold")
    for heading in ("from (UTC)", "rows", "with a label", "estimated", "realised", ""):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("rows", "with a label") else "left")
    for window in found:
        alert = f"[red]worse ({window.alert})[/red]" if window.alert else "too few rows" if window.rows < MIN_ROWS else ""
        counts = (f"{window.rows:,}", f"{window.labelled:,}")
        table.add_row(str(window.first), *counts, _text(window.estimated), _text(window.realised), alert)
    console.print(table)
    if reference.calibration is not None:
        console.print(condition, style="dim", soft_wrap=True)


def _text(interval: "Interval | None") -> str:
    if interval is None:
        return "-"
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _json(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") else str(value)
