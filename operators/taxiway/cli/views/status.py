"""The output of `taxiway status`."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from taxiway.local.status import StackStatus

_NAMES = {"airflow": "Airflow", "mlflow": "MLflow", "gateway": "model gateway"}


def show_status(home: Path, status: "StackStatus") -> None:
    """Print the state of a running stack."""
    console = Console(highlight=False)
    console.print(f"The stack in {escape(str(home))} is running:")
    for service, url in status.urls.items():
        console.print(f"  {_NAMES[service]:<14} {url}", soft_wrap=True)
    console.print()
    if status.champions:
        console.print(_models(status))
    else:
        console.print("No model is in production.")
    console.print()
    if status.decisions:
        console.print(_decisions(status))
    else:
        console.print("No span has been decided.")
    for problem in status.problems:
        console.print(escape(problem), style="yellow")


def _models(status: "StackStatus") -> Table:
    table = Table("model", "champion", "since", "gateway", box=None, header_style="bold", pad_edge=False)
    for name, champion in sorted(status.champions.items()):
        promotion, served = champion.promotion, status.served.get(name)
        since = f"{promotion.at:%Y-%m-%d %H:%M:%S} UTC" if promotion else "set by hand"
        answering = "not served" if served is None else served.problem or f"serves version {served.champion}"
        table.add_row(escape(name), f"version {champion.version}", since, escape(answering))
    return table


def _decisions(status: "StackStatus") -> Table:
    table = Table("pipeline", "last span", "outcome", "first reason", box=None, header_style="bold", pad_edge=False)
    for pipeline, summary in sorted(status.decisions.items()):
        reason = summary.reasons[0] if summary.reasons else ""
        table.add_row(escape(pipeline), escape(summary.span.label), str(summary.outcome), escape(reason))
    return table
