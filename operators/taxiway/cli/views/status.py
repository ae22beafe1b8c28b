"""The output of `taxiway status`."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from taxiway.cli.views.console import stdout_console

if TYPE_CHECKING:
    from taxiway.local.status import StackStatus
    from taxiway.registry.champions import ChampionInfo
    from taxiway.serving.api import ModelStatus

_NAMES = {"airflow": "Airflow", "mlflow": "MLflow", "gateway": "model gateway"}


def show_status(home: Path, status: "StackStatus") -> None:
    """Print the state of a running stack."""
    console = stdout_console(highlight=False)
    console.print(f"The stack in {escape(str(home))} is running:")
    for service, url in status.urls.items():
        console.print(f"  {_NAMES[service]:<14} {url}", soft_wrap=True)
    console.print()
    if status.champions or status.served:
        console.print(_models(status))
    elif status.champions is not None:
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
    champions = status.champions or {}
    for name in sorted(champions.keys() | status.served.keys()):
        champion, served = champions.get(name), status.served.get(name)
        version = f"version {champion.version}" if champion else "none" if status.champions is not None else "unknown"
        table.add_row(escape(name), version, _since(champion), escape(_answering(served)))
    return table


def _since(champion: "ChampionInfo | None") -> str:
    if champion is None:
        return ""
    return f"{champion.promotion.at:%Y-%m-%d %H:%M:%S} UTC" if champion.promotion else "set by hand"


def _answering(served: "ModelStatus | None") -> str:
    if served is None:
        return "not served"
    answers = f"serves version {served.champion}" if served.champion else "serves no version"
    return f"{answers}; {served.problem}" if served.problem else answers


def _decisions(status: "StackStatus") -> Table:
    table = Table("pipeline", "last span", "outcome", "first reason", box=None, header_style="bold", pad_edge=False)
    for pipeline, summary in sorted(status.decisions.items()):
        reason = summary.reasons[0] if summary.reasons else ""
        table.add_row(escape(pipeline), escape(summary.span.label), str(summary.outcome), escape(reason))
    return table
