"""The demonstration: months of flights come in, one after another, and a pipeline decides on each.

Every act goes through Airflow as any run does; this module lays out the source's files, starts the runs, sends the live traffic
of the second act to the gateway, and reads back what was recorded.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from taxiway.demo.airflow_api import FINAL, AirflowApi, TaskState
from taxiway.demo.answers import CheckedLog, check_log
from taxiway.demo.bikes import lay_out_rentals
from taxiway.demo.flights import Corruption, corrupt, flights_by_month, write_span
from taxiway.demo.report import print_table, write_report
from taxiway.errors import ConfigError
from taxiway.lineage.outcomes import summaries
from taxiway.local.console import running_stack, say_error, show_addresses, show_keys, stay
from taxiway.local.stack import Stack
from taxiway.records import Outcome, RunSummary, Status, Verdict
from taxiway.registry.champions import ChampionInfo, champions
from taxiway.serving.replay import Replayed, replay
from taxiway.spec.pipeline_file import SUFFIX
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd

PIPELINE = "flights.late_arrivals"
UNGUARDED = "flights.unguarded_arrivals"
REQUESTS = 2_500


@dataclass(frozen=True)
class Act:
    """A month that arrives, what the viewer is told, and the outcome that makes the demonstration right.

    The month's file is corrupted in the ways of `corruptions`, as are those before it where the whole source is `poisoned`.
    """

    month: str
    title: str
    expected: Outcome
    pipeline: str = PIPELINE
    corruptions: tuple[Corruption, ...] = ()

    @property
    def poisoned(self) -> bool:
        """Whether the same fault is in training and evaluation data, where no metric can see it."""
        return self.pipeline == UNGUARDED


ACTS = (
    Act("2013-04", "April arrives: train on January to March, evaluate on April", Outcome.FIRST_CHAMPION),
    Act("2013-05", "May arrives: a challenger, trained on February to April", Outcome.PROMOTED),
    Act(
        "2013-06",
        "June arrives corrupted: wind unit, lost carrier, shifted columns",
        Outcome.BLOCKED,
        corruptions=("wind_unit", "carrier_missing", "shifted_column"),
    ),
    Act(
        "2013-04",
        "April again: a dead wind sensor in all months, and validation only warns",
        Outcome.REJECTED,
        pipeline=UNGUARDED,
        corruptions=("wind_dead",),
    ),
)
FIRST_MONTHS = ("2013-01", "2013-02", "2013-03")
TRAFFIC_MONTH = "2013-06"


@dataclass
class Course:
    """What happened while the demonstration ran; `tasks` by pipeline and month."""

    tasks: dict[tuple[str, str], list[TaskState]] = field(default_factory=dict)
    traffic: Replayed | None = None
    checked: CheckedLog | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def run_demo(home: Path, dags: Path, *, exit_at_end: bool, report: Path | None) -> int:
    """Start the stack, play the acts that were not played in this home yet, show the table; returns the exit code."""
    _refuse_early(dags, report)
    console, course, began = Console(), Course(), time.monotonic()
    with running_stack(console, home, dags) as starting:
        course.seconds["start"] = time.monotonic() - began
        stack = starting.stack
        show_addresses(console, stack)
        show_keys(console, stack)
        _play(console, stack, course)
        course.seconds["total"] = time.monotonic() - began
        found, champion = decisions(stack), current_champion(stack.url("mlflow"))
        print_table(console, found, champion, course.traffic)
        show_addresses(console, stack)
        console.print(
            f"[dim]{course.seconds['total']:.0f} s, of which {course.seconds['start']:.0f} s to start the stack[/dim]"
        )
        console.print(
            f"To ask what made a model: export MLFLOW_TRACKING_URI={stack.url('mlflow')}; taxiway lineage model {PIPELINE}"
        )
        console.print(f"Another team's pipeline waits to be started: {stack.url('airflow')}/dags/bikes.hourly_rentals")
        if report is not None:
            write_report(report, found, champion, course.tasks, course.traffic, course.checked, course.seconds)
        problem = _problem(found, champion, course.traffic, course.checked)
        if problem:
            say_error(console, f"This is not how it should end: {problem}")
        ended = 0 if exit_at_end else stay(console, starting)
        return 1 if problem else ended


def _refuse_early(dags: Path, report: Path | None) -> None:
    """Raise ConfigError for what would end the demonstration only after minutes."""
    for pipeline in (PIPELINE, UNGUARDED):
        file = dags.joinpath(*pipeline.split(".")).with_suffix(SUFFIX)
        if not file.is_file():
            raise ConfigError(
                f"{file} is not there, and it is a pipeline that is shown; "
                "give the folder `dags` of Taxiway's repository: --dags FOLDER"
            )
    if report is not None and not report.absolute().parent.is_dir():
        raise ConfigError(
            f"{report} cannot be written: {report.absolute().parent} is not a folder; give another: --report FILE"
        )


def decisions(stack: Stack) -> tuple[RunSummary, ...]:
    """What the runs of all acts came to, in the order of the acts."""
    store = Store(str(stack.home.store))
    return (*summaries(store, PIPELINE), *summaries(store, UNGUARDED))


def current_champion(tracking_uri: str) -> ChampionInfo | None:
    """The champion of the pipeline that is shown."""
    from mlflow import MlflowClient

    return champions(MlflowClient(tracking_uri), [PIPELINE]).get(PIPELINE)


def _play(console: Console, stack: Stack, course: Course) -> None:
    with console.status("laying out the flights of 2013"):
        months = flights_by_month()
        lay_out_rentals(stack.home.data / "bikes")  # for the second team's pipeline, which is there to be run by hand
    api = AirflowApi(stack.url("airflow"), stack.secrets.airflow_password)
    with console.status("waiting for Airflow to read the pipelines"):
        for pipeline in (PIPELINE, UNGUARDED):
            api.wait_for_dag(pipeline)
    decided = {(summary.pipeline, summary.span.name) for summary in decisions(stack)}
    for number, act in enumerate(ACTS, start=1):
        console.rule(f"{number}. {act.title}", align="left")
        _arrive(stack, act, months)
        if (act.pipeline, act.month) in decided:
            said = f"  decided in an earlier demonstration; to see it again, stop this one and delete {stack.home.root}"
            console.print(Text(said, style="dim"), soft_wrap=True)
            continue
        began = time.monotonic()
        _run(console, stack, api, course, months[TRAFFIC_MONTH], act)
        course.seconds[f"{act.pipeline} {act.month}"] = time.monotonic() - began


def _arrive(stack: Stack, act: Act, months: "dict[str, pd.DataFrame]") -> None:
    """Write the act's month, and those before the first one, to the source of its pipeline, where they are not there yet."""
    source = stack.home.data / ("flights_poisoned" if act.poisoned else "flights")
    for month in (*FIRST_MONTHS, act.month):
        if (source / f"{month}.parquet").exists():
            continue
        rows = months[month]
        for kind in act.corruptions if act.poisoned or month == act.month else ():
            rows = corrupt(rows, kind)
        write_span(rows, source, month)


def _run(console: Console, stack: Stack, api: AirflowApi, course: Course, traffic: "pd.DataFrame", act: Act) -> None:
    run = api.trigger(act.pipeline, {})
    console.print(f"  [dim]{stack.url('airflow')}/dags/{act.pipeline}/runs/{run}[/dim]", highlight=False, soft_wrap=True)
    with console.status("running") as status:
        for task in api.follow(act.pipeline, run):
            status.update(f"{task.task} {task.state}")
            if task.state in FINAL:
                _print_task(console, task)
            if task.task == "shadow" and task.state == "deferred":
                status.stop()
                course.traffic = _send_traffic(console, stack, traffic)
                status.start()
    course.tasks[act.pipeline, act.month] = api.tasks(act.pipeline, run)
    if course.traffic is not None and course.checked is None:
        _check_answers(console, stack, course)
    if act.poisoned:
        _print_verdict(console, stack, api, act, run)


def _print_verdict(console: Console, stack: Stack, api: AirflowApi, act: Act, run: str) -> None:
    """Every reason of the gate: that the metrics are fine is what this act is about."""
    digest = api.handed_on(act.pipeline, run, "validate_model").get("digest")
    if digest is None:
        return
    marks = {Status.PASS: "[green]✓[/green]", Status.FAIL: "[red]✗[/red]"}
    for reason in Store(str(stack.home.store)).get(Verdict, digest).reasons:
        console.print(f"    {marks.get(reason.status, '-')} {escape(reason.message)}", highlight=False)


def _print_task(console: Console, task: TaskState) -> None:
    mark, style = {"success": ("✓", "green"), "failed": ("✗", "red")}.get(task.state, ("-", "dim"))
    took = f"{task.seconds:6.1f} s" if task.seconds else " " * 8
    state = "" if task.state == "success" else task.state.replace("_", " ")
    console.print(f"  [{style}]{mark} {task.task:<16}[/{style}]{took}  {state}", highlight=False)


def _send_traffic(console: Console, stack: Stack, rows: "pd.DataFrame") -> Replayed:
    sample = rows.drop(columns="late").sample(REQUESTS, random_state=0)
    records: list[dict[str, Any]] = json.loads(sample.to_json(orient="records"))
    columns = (TextColumn("    {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        row = bar.add_task("live requests", total=len(records))
        sent = asyncio.run(
            replay(
                stack.url("gateway"),
                stack.secrets.gateway_caller_token,
                PIPELINE,
                records,
                progress=lambda so_far: bar.update(row, completed=so_far.sent),
            )
        )
    console.print(
        f"    sent {sent.sent:,}, answered {sent.answered:,}, refused {sent.refused}, lost {sent.lost}", highlight=False
    )
    return sent


def _check_answers(console: Console, stack: Stack, course: Course) -> None:
    with console.status("computing every logged answer again"):
        course.checked = check_log(stack, PIPELINE)
    console.print(f"    {course.checked}", highlight=False)


def _problem(
    found: tuple[RunSummary, ...], champion: ChampionInfo | None, traffic: Replayed | None, checked: CheckedLog | None
) -> str:
    """Why the demonstration is not right, as a message; empty if it is. Without `traffic` the promotion was not played now.

    The champion of an earlier promotion may be another one by now: somebody may have rolled it back.
    """
    outcomes = {(summary.pipeline, summary.span.name): summary.outcome for summary in found}
    for act in ACTS:
        came_to = outcomes.get((act.pipeline, act.month))
        if came_to is not act.expected:
            return (
                f"{act.pipeline} on {act.month} came to {came_to or 'no decision'}, expected {act.expected}; "
                "see the task logs in Airflow"
            )
    if traffic is None:
        return ""
    promoted = next(s.version for s in found if (s.pipeline, s.span.name) == (PIPELINE, ACTS[1].month))
    if champion is None or champion.version != promoted:
        answers = f"version {champion.version}" if champion else "no version"
        return f"{answers} is the champion, expected version {promoted}"
    if traffic.answered != traffic.sent:
        return f"of {traffic.sent} requests only {traffic.answered} were answered"
    return checked.problem(traffic.answered) if checked else "the answers in the gateway's log were not checked"
