"""The demonstration: months of flights arrive one after another, and a pipeline decides on each.

Every scenario is a normal run in Airflow. This module starts the runs, sends live requests to the gateway in the
second scenario, and reads the records; `scenarios` says what arrives.
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
from taxiway.demo.flights import flights_by_month
from taxiway.demo.people import LABELLED, Command, PeopleScenario
from taxiway.demo.people import problem_of as people_problem
from taxiway.demo.report import check_arguments, print_table, write_report
from taxiway.demo.scenarios import PIPELINE, SCENARIOS, TRAFFIC_MONTH, UNGUARDED, Scenario, write_source
from taxiway.ledger.chain import Ledger
from taxiway.lineage.outcomes import summaries
from taxiway.lineage.run_records import behind_verdict
from taxiway.local.console import print_error, running_stack, show_addresses, show_keys, stay
from taxiway.local.stack import Stack
from taxiway.local.stack_dir import DEFAULT_STACK_HOME
from taxiway.records import RunSummary, Status
from taxiway.registry.champions import ChampionInfo, champions
from taxiway.serving.replay import ReplayResult, replay
from taxiway.spec.files.pipeline_file import SUFFIX
from taxiway.store import Store
from taxiway.tracking.client import mlflow_errors

if TYPE_CHECKING:
    import pandas as pd

REQUESTS = 2_500


@dataclass
class DemoRun:
    """The results of a demonstration.

    Attributes:
        tasks: The tasks by pipeline and month.
        traffic: The results of the live requests; None if none were sent.
        checked: The check of the logged answers; None if they were not checked.
        seconds: How long each part took.
    """

    tasks: dict[tuple[str, str], list[TaskState]] = field(default_factory=dict)
    traffic: ReplayResult | None = None
    checked: CheckedLog | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def run_demo(home: Path, dags: Path, taxiway: Command, *, exit_at_end: bool, report: Path | None) -> int:
    """Start the stack, run the scenarios that have not run in this home yet, and print a table of the outcomes.

    Args:
        home: The folder of the stack.
        dags: The folder of DAG files.
        taxiway: Runs a command of `taxiway` in this process.
        exit_at_end: Whether to stop the stack at the end.
        report: The file for the table as JSON; None for no file.

    Returns:
        The exit code: 1 if an outcome is not the expected one.
    """
    pipelines = (PIPELINE, UNGUARDED, LABELLED)
    check_arguments([dags.joinpath(*name.split(".")).with_suffix(SUFFIX) for name in pipelines], report)
    console, demo, began = Console(), DemoRun(), time.monotonic()
    with running_stack(console, home, dags) as starting:
        demo.seconds["start"] = time.monotonic() - began
        stack = starting.stack
        show_addresses(console, stack)
        show_keys(console, stack)
        _run_scenarios(console, stack, demo, dags, taxiway)
        demo.seconds["total"] = time.monotonic() - began
        found, champion = decisions(stack), current_champion(stack.url("mlflow"))
        print_table(console, found, champion, demo.traffic)
        show_addresses(console, stack)
        console.print(f"[dim]{demo.seconds['total']:.0f} s, of which {demo.seconds['start']:.0f} s to start the stack[/dim]")
        if not exit_at_end:
            _show_next_steps(console, stack)
        if report is not None:
            write_report(report, found, champion, demo.tasks, demo.traffic, demo.checked, demo.seconds)
        problem = _problem(found, champion, demo.traffic, demo.checked) or people_problem(stack)
        if problem:
            print_error(console, f"The demonstration did not end as expected: {problem}")
        ended = 0 if exit_at_end else stay(console, starting)
        return 1 if problem else ended


def _show_next_steps(console: Console, stack: Stack) -> None:
    # Commands find the stack of the default folder by themselves.
    here = stack.home.root == DEFAULT_STACK_HOME.resolve()
    home, server = ("", "") if here else (f" --home {stack.home.root}", f" --tracking-uri {stack.url('mlflow')}")
    console.print("In another terminal:")
    console.print(f"  taxiway status{home}", soft_wrap=True)
    console.print(f"  taxiway lineage model {PIPELINE}{server}", soft_wrap=True)
    console.print(f"The pipeline of another team, ready to be triggered: {stack.url('airflow')}/dags/bikes.hourly_rentals")


def decisions(stack: Stack) -> tuple[RunSummary, ...]:
    """The outcomes of all scenarios, in order."""
    store = Store(str(stack.home.store))
    return tuple(summary for pipeline in (PIPELINE, UNGUARDED, LABELLED) for summary in summaries(store, pipeline))


def current_champion(tracking_uri: str) -> ChampionInfo | None:
    """The champion of the demonstration's pipeline; None if it has none."""
    from mlflow import MlflowClient

    with mlflow_errors(tracking_uri):
        return champions(Ledger(MlflowClient(tracking_uri)), [PIPELINE]).get(PIPELINE)


def _run_scenarios(console: Console, stack: Stack, demo: DemoRun, dags: Path, taxiway: Command) -> None:
    with console.status("writing the flights of 2013"):
        months = flights_by_month()
        lay_out_rentals(stack.home.data / "bikes")  # for the pipeline of the second team, which users can trigger
    api = AirflowApi(stack.url("airflow"), stack.secrets.airflow_password)
    with console.status("waiting for Airflow to read the pipelines"):
        for pipeline in (PIPELINE, UNGUARDED):
            api.wait_for_dag(pipeline)
    decided = {(summary.pipeline, summary.span.name) for summary in decisions(stack)}
    for number, scenario in enumerate(SCENARIOS, start=1):
        console.rule(f"{number}. {scenario.title}", align="left")
        write_source(stack.home.data, scenario, months)
        if (scenario.pipeline, scenario.month) in decided:
            _print_skipped(console, stack)
            continue
        began = time.monotonic()
        _run_scenario(console, stack, api, demo, months[TRAFFIC_MONTH], scenario)
        demo.seconds[f"{scenario.pipeline} {scenario.month}"] = time.monotonic() - began
    console.rule(f"{len(SCENARIOS) + 1}. Labels come late, and people decide", align="left")
    if any(pipeline == LABELLED for pipeline, _ in decided):
        _print_skipped(console, stack)
        return
    began = time.monotonic()
    PeopleScenario(console, stack, dags, months, taxiway).play()
    demo.seconds[LABELLED] = time.monotonic() - began


def _print_skipped(console: Console, stack: Stack) -> None:
    skipped = f"  decided in an earlier demonstration; to run it again, stop this one and delete {stack.home.root}"
    console.print(Text(skipped, style="dim"), soft_wrap=True)


def _run_scenario(
    console: Console, stack: Stack, api: AirflowApi, demo: DemoRun, traffic: "pd.DataFrame", scenario: Scenario
) -> None:
    run = api.trigger(scenario.pipeline, {})
    console.print(f"  [dim]{stack.url('airflow')}/dags/{scenario.pipeline}/runs/{run}[/dim]", highlight=False, soft_wrap=True)
    with console.status("running") as status:
        for task in api.follow(scenario.pipeline, run):
            status.update(f"{task.task} {task.state}")
            if task.state in FINAL:
                _print_task(console, task)
            if task.task == "shadow" and task.state == "deferred":
                status.stop()
                demo.traffic = _send_traffic(console, stack, traffic)
                status.start()
    demo.tasks[scenario.pipeline, scenario.month] = api.tasks(scenario.pipeline, run)
    if demo.traffic is not None and demo.checked is None:
        _check_answers(console, stack, demo)
    if scenario.poisoned:
        _print_verdict(console, stack, api, scenario, run)


def _print_verdict(console: Console, stack: Stack, api: AirflowApi, scenario: Scenario, run: str) -> None:
    """Print every reason of the gate: in this scenario, the metrics pass."""
    digest = api.returned(scenario.pipeline, run, "validate_model").get("digest")
    if digest is None:
        return
    marks = {Status.PASS: "[green]✓[/green]", Status.FAIL: "[red]✗[/red]"}
    verdict = behind_verdict(Store(str(stack.home.store)), digest).verdict
    for reason in verdict.reasons if verdict else ():
        console.print(f"    {marks.get(reason.status, '-')} {escape(reason.message)}", highlight=False)


def _print_task(console: Console, task: TaskState) -> None:
    mark, style = {"success": ("✓", "green"), "failed": ("✗", "red")}.get(task.state, ("-", "dim"))
    took = f"{task.seconds:6.1f} s" if task.seconds else " " * 8
    state = "" if task.state == "success" else task.state.replace("_", " ")
    console.print(f"  [{style}]{mark} {task.task:<16}[/{style}]{took}  {state}", highlight=False)


def _send_traffic(console: Console, stack: Stack, rows: "pd.DataFrame") -> ReplayResult:
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
        f"    sent {sent.sent:,}, answered {sent.answered:,}, errors {sent.errors}, lost {sent.lost}", highlight=False
    )
    return sent


def _check_answers(console: Console, stack: Stack, demo: DemoRun) -> None:
    with console.status("checking every logged answer with the models"):
        demo.checked = check_log(stack, PIPELINE)
    console.print(f"    {demo.checked}", highlight=False)


def _problem(
    found: tuple[RunSummary, ...], champion: ChampionInfo | None, traffic: ReplayResult | None, checked: CheckedLog | None
) -> str:
    """Why the demonstration did not end as expected; empty if it did.

    Without `traffic` the promotion is from an earlier demonstration, and may have been rolled back since.
    """
    outcomes = {(summary.pipeline, summary.span.name): summary.outcome for summary in found}
    for scenario in SCENARIOS:
        outcome = outcomes.get((scenario.pipeline, scenario.month))
        if outcome is not scenario.expected:
            return (
                f"the outcome of {scenario.pipeline} on {scenario.month} is {outcome or 'missing'}, expected {scenario.expected}; "
                "see the task logs in Airflow"
            )
    if traffic is None:
        return ""
    promoted = next(s.version for s in found if (s.pipeline, s.span.name) == (PIPELINE, SCENARIOS[1].month))
    if champion is None or champion.version != promoted:
        found_version = f"version {champion.version}" if champion else "none"
        return f"the champion is {found_version}, expected version {promoted}"
    if traffic.answered != traffic.sent:
        return f"only {traffic.answered:,} of {traffic.sent:,} requests were answered"
    return checked.problem(traffic.answered) if checked else "the answers in the gateway's log were not checked"
