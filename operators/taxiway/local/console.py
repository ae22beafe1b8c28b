"""The terminal output of the embedded stack: progress while it starts, addresses, and how it ended."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from taxiway.local.ports import PREFERRED_PORTS
from taxiway.local.stack import Stack, StackProcess, require_dags, sign_older_promotions
from taxiway.local.stack_dir import StackDir
from taxiway.messages import counted

SERVICES = {
    "postgres": "PostgreSQL",
    "mlflow": "MLflow",
    "gateway": "Model gateway",
    "airflow-tables": "Airflow's database",
    "api-server": "Airflow API server",
    "scheduler": "Airflow scheduler",
    "dag-processor": "Airflow DAG processor",
    "triggerer": "Airflow triggerer",
}
ADDRESSES = {"airflow": "Airflow", "mlflow": "MLflow", "gateway": "Gateway"}


class Interrupted(KeyboardInterrupt):
    """Raised on SIGTERM or SIGHUP, which stop the stack like Ctrl-C."""


def run_until_stopped(home: Path, dags: Path) -> int:
    """Start the stack, print its addresses, and run it until Ctrl-C or until it fails; returns the exit code."""
    console = Console()
    with running_stack(console, home, dags) as starting:
        show_addresses(console, starting.stack)
        show_keys(console, starting.stack)
        return stay(console, starting)


def stay(console: Console, starting: StackProcess) -> int:
    """Wait until the stack ends; returns 0 after Ctrl-C or `taxiway down`, and 1 if it failed."""
    console.print("Press Ctrl-C to stop the stack.")
    try:
        why = starting.wait(lambda event: _show_event(console, event))
    except KeyboardInterrupt:
        console.print()
        return 0
    if why:
        print_error(console, f"The stack failed: {why}")
    else:
        console.print("Stopped by another command, such as `taxiway down`.")
    return 1 if why else 0


@contextmanager
def running_stack(console: Console, home: Path, dags: Path) -> Iterator[StackProcess]:
    """Run a stack within the block, and stop it after the block. Ctrl-C ends the command with exit code 130."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    require_dags(dags)
    starting = None
    try:
        starting = StackProcess(StackDir.at(home), dags)
        _show_other_ports(console, starting.stack)
        _show_start(console, starting)
        if starting.stack.home.postgres.is_symlink():
            databases = starting.stack.home.postgres.readlink()
            console.print(
                f"PostgreSQL cannot run as root; it runs as another user, data directory: {databases}", highlight=False
            )
        if starting.stack.home.unsigned_file.exists():
            _sign_older_promotions(console, starting.stack)
        yield starting
    except KeyboardInterrupt:
        console.print()
        raise SystemExit(130) from None
    finally:
        if starting is not None:
            _stop(console, starting)


def _sign_older_promotions(console: Console, stack: Stack) -> None:
    older = sign_older_promotions(stack)
    console.print(
        f"The ledger is signed from now on, with its {counted(older, 'older entry', 'older entries')}.", highlight=False
    )


def print_error(console: Console, text: str) -> None:
    """Print an error without markup and line wrapping, because log lines have brackets and long paths."""
    console.print(Text(text, style="red"), soft_wrap=True)


def show_addresses(console: Console, stack: Stack) -> None:
    """Print the addresses of Airflow, MLflow and the gateway."""
    for service, name in ADDRESSES.items():
        console.print(f"[bold]{name:<8}[/bold] {stack.url(service)}", highlight=False)


def show_keys(console: Console, stack: Stack) -> None:
    """Print the password of Airflow and the tokens of the gateway."""
    keys = stack.secrets
    console.print(f"Airflow login: admin, password {keys.airflow_password}", highlight=False)
    console.print(f"Gateway caller token: {keys.gateway_caller_token}", highlight=False)
    console.print(f"Gateway admin token:  {keys.gateway_admin_token}", highlight=False)


def _stop(console: Console, starting: StackProcess) -> None:
    began = time.monotonic()
    with console.status("stopping"):
        starting.stop()
    console.print(f"[dim]stopped in {time.monotonic() - began:.1f} s; all processes have ended[/dim]")


def _show_other_ports(console: Console, stack: Stack) -> None:
    for service, usual in PREFERRED_PORTS.items():
        if stack.ports[service] != usual:
            console.print(f"port {usual} is in use: {ADDRESSES[service]} uses port {stack.ports[service]}", highlight=False)


def _show_start(console: Console, starting: StackProcess) -> None:
    if not console.is_terminal:
        for event in starting.events():
            if event["event"] == "healthy":
                console.print(f"{SERVICES[event['service']]} is healthy after {event['seconds']:.1f} s", highlight=False)
        return
    with Progress(
        SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    ) as bar:
        rows = {}
        for event in starting.events():
            match event:
                case {"event": "starting", "service": service}:
                    rows[service] = bar.add_task(SERVICES[service], total=1)
                case {"event": "healthy", "service": service}:
                    bar.update(rows[service], completed=1)


def _show_event(console: Console, event: dict[str, Any]) -> None:
    """Print what happened to a part of a running stack."""
    match event:
        case {"event": "unhealthy", "service": name, "seconds": seconds}:
            text, style = f"is unhealthy; it is restarted if that lasts for {seconds:.0f} s", "yellow"
        case {"event": "restarting", "service": name, "detail": why, "count": count, "limit": limit}:
            text, style = f"{why}; restarting it ({count} of at most {limit} restarts)", "yellow"
        case {"event": "healthy", "service": name}:
            text, style = "is healthy again", "green"
        case _:
            return
    console.print(Text(f"{datetime.now(UTC):%H:%M:%S} {SERVICES[name]} {text}", style=style), soft_wrap=True)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise Interrupted
