"""The command `taxiway demo --watch`: starts the stack, plays half a year, and shows what happened as a table and a picture."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from taxiway.demo.report import check_arguments, write_json
from taxiway.demo.watch.picture import draw
from taxiway.demo.watch.play import PIPELINE, Monday, play
from taxiway.demo.watch.weeks import FAULTS
from taxiway.errors import ConfigError
from taxiway.ledger.keys import VARIABLE
from taxiway.lineage.outcomes import newest_decided
from taxiway.local.console import running_stack, show_addresses, show_keys, stay
from taxiway.local.stack import Stack
from taxiway.messages import counted
from taxiway.monitoring.retraining.expected_gain import interval_text
from taxiway.records import Interval, Outcome
from taxiway.spec.files.pipeline_file import SUFFIX, read_pipeline
from taxiway.stages.installation import open_installation
from taxiway.store import Store
from taxiway.tracking.local import environment

PICTURE = "watch.png"
_GOOD = (Outcome.FIRST_CHAMPION, Outcome.PROMOTED)


def watch_demo(home: Path, dags: Path, *, exit_at_end: bool, report: Path | None) -> int:
    """Start the stack, play the weeks, and print what happened.

    Args:
        home: The folder of the stack.
        dags: The folder of DAG files.
        exit_at_end: Whether to stop the stack at the end.
        report: The file for the weeks as JSON; None for no file.

    Returns:
        The exit code.

    Raises:
        ConfigError: The pipeline file does not exist, or the weeks have been played in this home before.
    """
    file = dags.joinpath(*PIPELINE.split(".")).with_suffix(SUFFIX)
    check_arguments([file], report)
    console = Console()
    with running_stack(console, home, dags) as starting:
        stack = starting.stack
        show_addresses(console, stack)
        show_keys(console, stack)
        if newest_decided(Store(str(stack.home.store)), PIPELINE) is not None:
            raise ConfigError(
                f"the weeks were played in an earlier demonstration; to play them again, delete {stack.home.root} or give another --home"
            )
        mondays = _play(console, stack, file)
        picture = stack.home.root / PICTURE
        draw(mondays, picture)
        _print_summary(console, mondays)
        console.print(f"As a picture: {picture}", highlight=False, soft_wrap=True)
        console.print(
            f"The page of the pipeline: {stack.url('airflow')}/taxiway/pipelines/{PIPELINE}", highlight=False, soft_wrap=True
        )
        if report is not None:
            write_json(report, [described(each) for each in mondays])
        if exit_at_end:
            console.print(f"To look at it: taxiway up --home {home}", highlight=False, soft_wrap=True)
            return 0
        return stay(console, starting)


def _play(console: Console, stack: Stack, file: Path) -> list[Monday]:
    mondays: list[Monday] = []
    logging.getLogger("taxiway").addHandler(logging.NullHandler())  # what the stages log is printed from their results
    where = (str(stack.home.data), stack.url("mlflow"), str(stack.home.store), stack.home.root)
    with environment({VARIABLE: stack.secrets.ledger_keys}), open_installation(*where) as installation:
        console.rule("Flights are predicted, and labels come a week later", align="left")
        console.print(f"[bold]{_HEADING}[/bold]", highlight=False)
        with console.status("starting") as status:
            for monday in play(
                installation,
                read_pipeline(file),
                stack.home.data,
                stack.home.root / "watch",
                show=lambda text: status.update(escape(text)),
            ):
                mondays.append(monday)
                _print_monday(console, monday)
    return mondays


_HEADING = f"{'week':<10}{'version':<9}{'estimated':<25}{'realised, a week later':<25}"


def _print_monday(console: Console, monday: Monday) -> None:
    for fault in FAULTS:
        if monday.week == fault.first:
            console.print(
                f"          [yellow]from now on, until {fault.last}, {escape(fault.title)}[/yellow]",
                highlight=False,
                soft_wrap=True,
            )
    numbers = f"{_text(monday.estimated):<25}{_text(monday.served):<25}"
    console.print(f"{monday.week:<10}{monday.version:<9}{numbers}", highlight=False)
    for style, text in _events(monday):
        console.print(f"          [{style}]{escape(text)}[/{style}]", highlight=False, soft_wrap=True)


def _events(monday: Monday) -> Iterator[tuple[str, str]]:
    """What happened, with its colour."""
    for alert in monday.alerts:
        yield "red", alert.messages[0] if alert.kind == "rollback" else f"alert: {alert.messages[0]}"
    if monday.trained is None:
        return
    if monday.monitored.retraining is not None:
        yield "cyan", monday.monitored.retraining.message
    trained = monday.trained
    if trained.outcome in _GOOD:
        yield "green", f"version {trained.version}, trained on {trained.span.name} and before it, is promoted"
    else:
        yield "magenta", f"{trained.outcome.lower()}: {trained.reasons[0]}"


def _print_summary(console: Console, mondays: Sequence[Monday]) -> None:
    asked = [each.trained for each in mondays if each.trained is not None]
    trainings = [each for each in asked if each.outcome is not Outcome.BLOCKED]
    blocked = len(asked) - len(trainings)
    promoted = sum(each.outcome in _GOOD for each in trainings)
    alerts = sum(alert.kind != "rollback" for each in mondays for alert in each.alerts)
    rolled_back = sum(alert.kind == "rollback" for each in mondays for alert in each.alerts)
    rows = sum(each.served.rows for each in mondays)
    console.print(
        f"\n{rows:,} flights in {len(mondays)} weeks: {counted(alerts, 'alert')}, {counted(len(trainings), 'training')} on evidence and {blocked:,} "
        f"blocked by invalid data, "
        f"{counted(promoted, 'promotion')}, {counted(rolled_back, 'rollback')}",
        soft_wrap=True,
        highlight=False,
    )


def described(monday: Monday) -> dict[str, Any]:
    """A week as content for JSON."""
    return {
        "week": monday.week,
        "version": monday.version,
        "estimated": monday.estimated and monday.estimated.model_dump(mode="json"),
        "realised": monday.served.model_dump(mode="json"),
        "drifted": [each.column for each in monday.monitored.found.windows[-1].drift.columns],
        "alerts": [alert.described() for alert in monday.alerts],
        **monday.monitored.summary(),
        "trained": monday.trained and {"outcome": str(monday.trained.outcome), "version": monday.trained.version},
    }


def _text(found: Interval | None) -> str:
    return "-" if found is None else interval_text(found.value, found.low, found.high)
