"""The report of the demonstration: a table in the terminal, and the same as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from taxiway.demo.airflow_api import TaskState
from taxiway.demo.answers import CheckedLog
from taxiway.errors import ConfigError
from taxiway.records import Outcome, RunSummary
from taxiway.registry.champions import ChampionInfo
from taxiway.serving.replay import ReplayResult

_SHOWN_REASONS = 5
_STYLES = {Outcome.FIRST_CHAMPION: "green", Outcome.PROMOTED: "green", Outcome.UNDECIDED: "yellow"}


def print_table(
    console: Console, found: Sequence[RunSummary], champion: ChampionInfo | None, traffic: ReplayResult | None
) -> None:
    """Print the runs with their outcomes and reasons, the champion, and the live requests."""
    table = Table(title="What the pipelines decided", title_justify="left", show_lines=True, expand=True)
    table.add_column("run", no_wrap=True)
    table.add_column("reasons", ratio=1)
    for summary in found:
        outcome, style = summary.outcome.replace("_", " "), _STYLES.get(summary.outcome, "red")
        made = f"version {summary.version}" if summary.version else "no model"
        other = summary.pipeline.partition(".")[2] if summary.pipeline != found[0].pipeline else ""
        attempt = f"attempt {summary.attempt}" if summary.attempt > 1 else ""
        lines = [summary.span.label, f"[{style}]{outcome}[/{style}]", made, attempt, f"[dim]{other}[/dim]" if other else ""]
        table.add_row("\n".join(filter(None, lines)), _bullets(_shown(summary)))
    console.print(table)
    if champion is not None:
        console.print(f"Champion of {champion.model}: version {champion.version}, {_since(champion)}")
    if traffic is not None:
        console.print(f"Live requests: sent {traffic.sent:,}, answered {traffic.answered:,}, lost {traffic.lost}")


def _shown(summary: RunSummary) -> list[str]:
    """Why it is another attempt, and the reasons of a run; of a blocked run, which has one for each anomaly, only the first."""
    shown = [*([f"decided again: {summary.again}"] if summary.again else []), *summary.reasons]
    more = len(shown) - _SHOWN_REASONS
    if summary.outcome is Outcome.BLOCKED and more > 0:
        shown[_SHOWN_REASONS:] = [f"and {more} more, in the log of validate_data"]
    return shown


def _bullets(reasons: Sequence[str]) -> Table:
    """A list with one reason per item."""
    lines = Table.grid(padding=(0, 1))
    for reason in reasons:
        lines.add_row("-", escape(reason))
    return lines


def write_report(
    path: Path,
    found: Sequence[RunSummary],
    champion: ChampionInfo | None,
    tasks: Mapping[tuple[str, str], Sequence[TaskState]],
    traffic: ReplayResult | None,
    checked: CheckedLog | None,
    seconds: Mapping[str, float],
) -> None:
    """Write the table as JSON, with each task's times in seconds."""
    runs = [
        {
            "pipeline": summary.pipeline,
            "run": summary.run,
            "span": summary.span.label,
            "outcome": summary.outcome.replace("_", " "),
            "reasons": summary.reasons,
            "version": summary.version,
            "tasks": [_times(task) for task in tasks.get((summary.pipeline, summary.span.name), ())],
        }
        for summary in found
    ]
    content = {
        "runs": runs,
        "champion": {"model": champion.model, "version": champion.version, "since": _moment(champion)} if champion else None,
        "traffic": asdict(traffic) if traffic else None,
        "answers": asdict(checked) if checked else None,
        "seconds": seconds,
    }
    write_json(path, content)


def write_json(path: Path, content: object) -> None:
    """Write a file with JSON atomically."""
    beside = path.with_suffix(".beside")
    beside.write_text(json.dumps(content, indent=2))
    beside.replace(path)


def check_arguments(pipelines: Sequence[Path], report: Path | None) -> None:
    """Check what would otherwise stop a demonstration only after minutes.

    Args:
        pipelines: The pipeline files that it needs.
        report: The file of its report; None for no file.

    Raises:
        ConfigError: A pipeline file or the folder of the report does not exist.
    """
    for file in pipelines:
        if not file.is_file():
            raise ConfigError(
                f"the pipeline file {file} of the demonstration does not exist; give the folder `dags` of Taxiway's repository: "
                "--dags FOLDER"
            )
    if report is not None and not report.absolute().parent.is_dir():
        raise ConfigError(
            f"{report} cannot be written: {report.absolute().parent} is not a folder; give another: --report FILE"
        )


def _since(champion: ChampionInfo) -> str:
    return f"since {champion.promotion.at:%Y-%m-%d %H:%M:%S} UTC" if champion.promotion else "set by hand"


def _moment(champion: ChampionInfo) -> str | None:
    return champion.promotion.at.isoformat() if champion.promotion else None


def _times(task: TaskState) -> dict[str, str | float | None]:
    waited = (task.started - task.queued).total_seconds() if task.started and task.queued else None
    if waited is not None and waited < 0:
        waited = None  # the task was deferred, and queued again after its start
    return {"task": task.task, "state": task.state, "queued_seconds": waited, "seconds": task.seconds}
