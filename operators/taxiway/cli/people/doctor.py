"""`taxiway doctor`: what is configured and reachable, at which version, and what to mend."""

import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.markup import escape

from taxiway.cli.people.opened import Given, answer_options, opened
from taxiway.cli.views.console import stdout_console
from taxiway.ledger.chain import Ledger
from taxiway.local.stack_dir import DEFAULT_STACK_HOME
from taxiway.stages.installation.diagnosis import Finding, Health, diagnose

_MARKS = {Health.OK: ("✓", "green"), Health.WARNING: ("!", "yellow"), Health.ERROR: ("✗", "red")}
_PRIVATE = ("secrets.json", "local/ledger.keys", "airflow/passwords.json")


@click.command()
@answer_options
def doctor(**given: Any) -> None:
    """Look at each part of the installation, and say what to mend.

    The exit code is 1 if something is wrong.
    """
    console, worst = stdout_console(highlight=False), Health.OK
    for finding in (*_look(Given(**given)), *_permissions()):
        mark, style = _MARKS[finding.health]
        console.print(f"[{style}]{mark}[/{style}] {escape(finding.part)}: {escape(finding.message)}", soft_wrap=True)
        worst = max(worst, finding.health, key=list(Health).index)
    sys.exit(1 if worst is Health.ERROR else 0)


def _look(given: Given) -> Iterator[Finding]:
    with opened(given) as installation:  # opens nothing before it is used

        @contextmanager
        def ledger() -> Iterator[Ledger]:
            with opened(given) as again:
                yield again.ledger

        airflow = installation.airflow.url if installation.airflow is not None else None
        yield from diagnose(ledger, installation.store, installation.gateway, airflow)


def _permissions() -> Iterator[Finding]:
    """Whether only their owner can read the secrets of a stack and of local runs."""
    found = [DEFAULT_STACK_HOME / name for name in _PRIVATE if (DEFAULT_STACK_HOME / name).exists()]
    public = [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in public:
        yield Finding("secrets", Health.ERROR, f"{path} can be read by others; mend it: chmod 600 {path}")
    if found and not public:
        yield Finding("secrets", Health.OK, f"{', '.join(map(str, found))}: only their owner can read them")
