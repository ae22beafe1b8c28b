"""The commands of the embedded stack: `taxiway up`, `taxiway down` and `taxiway status`."""

import sys
from pathlib import Path

import click

from taxiway.cli.options import dags_option, home_option


@click.command()
@home_option
@dags_option
def up(home: Path, dags: Path) -> None:
    """Start the stack and run it until Ctrl-C.

    The stack is PostgreSQL, MLflow, the model gateway and Airflow.
    """
    from taxiway.local.console import run_until_stopped

    sys.exit(run_until_stopped(home, dags))


@click.command()
@home_option
def down(home: Path) -> None:
    """Stop the stack that runs in HOME."""
    from taxiway.local.stack import down as stop
    from taxiway.local.stack_dir import StackDir

    if not home.is_dir():
        raise click.UsageError(f"{home} is not the folder of a stack; give the one that `taxiway up` used: --home FOLDER")
    click.echo("stopped" if stop(StackDir.at(home)) else f"no stack is running in {home}")


@click.command()
@home_option
def status(home: Path) -> None:
    """Show what runs in HOME, what is in production, and what the last runs decided."""
    from taxiway.cli.views.status import show_status
    from taxiway.local.stack import find_running
    from taxiway.local.status import read_status

    stack = find_running(home)
    if stack is None:
        click.echo(f"no stack runs in {home}; start one with `taxiway up`, or name its folder: --home FOLDER")
        raise SystemExit(1)
    show_status(home, read_status(stack))
