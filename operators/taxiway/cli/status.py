"""`taxiway status`: what runs, what is in production, and what the last runs decided."""

from pathlib import Path

import click

from taxiway.cli.options import home_option


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
