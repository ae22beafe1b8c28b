"""The command `taxiway run`: runs a whole pipeline in this process, on a laptop or in CI."""

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import click
from rich.console import Console
from rich.markup import escape

from taxiway.cli.given_options import with_given_options
from taxiway.cli.options import USAGE, fail
from taxiway.cli.views.console import stdout_console
from taxiway.errors import TaxiwayError
from taxiway.ledger.keys import VARIABLE
from taxiway.lineage.run_records import RunRecords
from taxiway.records import Outcome
from taxiway.stages.installation import DEFAULT_DATA, DEFAULT_HOME
from taxiway.stages.runner import STAGES, Watcher, run
from taxiway.tracking.local import environment
from taxiway.training.history import PROGRESS

STOPPED, NOT_PUSHED = 1, 3
_GOOD = (Outcome.FIRST_CHAMPION, Outcome.PROMOTED)


class Terminal(Watcher):
    """Prints each stage with its time and its log lines, and a spinner while it runs.

    Args:
        console: Where to print.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.status = console.status("planning")
        self.lines: list[str] = []
        self.code = 0
        self.stage = ""

    def started(self, url: str) -> None:
        if url.startswith("http"):
            self.console.print(f"[dim]MLflow run: {escape(url)}[/dim]", soft_wrap=True, highlight=False)

    def noticed(self, message: str) -> None:
        self.console.print(escape(message), highlight=False, soft_wrap=True)

    def began(self, stage: str) -> None:
        self.lines.clear()
        self.stage = stage
        self.status.update(stage)
        self.status.start()

    def ended(self, stage: str, seconds: float, failure: str | None) -> None:
        self.status.stop()
        self.code = STOPPED if failure is not None else 0
        mark, style = ("✓", "green") if failure is None else ("✗", "red")
        self.console.print(f"[{style}]{mark} {stage:<16}[/{style}]{seconds:6.1f} s", highlight=False)
        for line in (failure or "\n".join(self.lines)).splitlines():
            self.console.print(f"    {escape(with_given_options(line.strip()))}", highlight=False, soft_wrap=True)

    def stopped(self, reason: str) -> None:
        self.status.stop()
        self.console.print(escape(with_given_options(reason)), highlight=False, soft_wrap=True)


class _Lines(logging.Handler):
    """Collects the log lines of the stages and of training, and shows the progress of a fit beside the spinner."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self.terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == PROGRESS:
            self.terminal.status.update(f"{self.terminal.stage}: {escape(record.getMessage())}")
        elif record.levelno >= logging.INFO:
            self.terminal.lines.append(record.getMessage())


@contextmanager
def showing(terminal: Terminal) -> Iterator[None]:
    """Show what the stages and training log, and end the spinner."""
    handler, logs = _Lines(terminal), [logging.getLogger(name) for name in ("taxiway.stages", "taxiway.training")]
    logging.getLogger(PROGRESS).setLevel(logging.DEBUG)
    for log in logs:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        terminal.status.stop()
        for log in logs:
            log.removeHandler(handler)


@click.command("run")
@click.argument("pipeline_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--span", help="The span to decide, such as 2013-04, instead of the oldest one that is due.")
@click.option(
    "--again",
    metavar="REASON",
    help="Decide a span again, and say why: that of --span, or the newest one that has a decision.",
)
@click.option("--until", type=click.Choice(STAGES), help="The last stage to run; before push, the span stays due.")
@click.option("--data", default=DEFAULT_DATA, show_default=True, help="The folder or URL that {data} stands for.")
@click.option("--tracking-uri", help="The MLflow server. Without it, runs and models are kept in HOME.")
@click.option("--store", help="The URL of the store that belongs to that server. Without it, models are not pushed.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_HOME,
    show_default=True,
    help="The local folder for records and models.",
)
def run_command(
    pipeline_file: Path,
    span: str | None,
    again: str | None,
    until: str | None,
    data: str,
    tracking_uri: str | None,
    store: str | None,
    home: Path,
) -> None:
    """Run PIPELINE_FILE in this process, from ingest to push.

    The run decides the oldest span that is due. The exit code is 0 if the model was promoted, the stages up to --until succeeded, or there was nothing to do; 1 if the data, the
    model gate or the shadow gate stopped the run; 2 if the pipeline could not be run; 3 if the model passed but cannot be pushed
    from here.
    """
    console = stdout_console()
    terminal = Terminal(console)
    try:
        with showing(terminal), environment(_keys_beside(tracking_uri)):
            found = run(
                pipeline_file,
                span=span,
                until=until,
                data=data,
                tracking_uri=tracking_uri,
                store=store,
                home=home,
                again=again,
                watcher=terminal,
            )
    except TaxiwayError as error:
        fail(error, USAGE)
    except Exception:
        traceback.print_exc()
        sys.exit(USAGE)
    _show_outcome(console, found, home, is_local=tracking_uri is None)
    undecided = found.verdict is not None and found.summary is None and until in (None, "shadow", "push")
    sys.exit(NOT_PUSHED if undecided and terminal.code == 0 else terminal.code)


def _keys_beside(tracking_uri: str | None) -> dict[str, str]:
    """The keys of the ledger of a stack that runs in this folder on that server, as the commands of people find them."""
    from taxiway.cli.people.opened import stack_of

    if tracking_uri is None or os.environ.get(VARIABLE):
        return {}
    stack = stack_of(tracking_uri)
    return {VARIABLE: stack.secrets.ledger_keys} if stack is not None else {}


def _show_outcome(console: Console, found: RunRecords, home: Path, *, is_local: bool) -> None:
    """Print the outcome of the run, and how to look at it in MLflow."""
    if found.snapshot is None:
        return
    if found.summary is not None:
        style = "green" if found.summary.outcome in _GOOD else "red"
        version = f", version {found.summary.version}" if found.summary.version is not None else ""
        attempt = f", attempt {found.summary.attempt}" if found.summary.attempt > 1 else ""
        console.print(
            f"[{style}]{found.summary.outcome.replace('_', ' ')}[/{style}] {found.summary.span.label}{attempt}{version}"
        )
    if is_local:
        from taxiway.tracking.local import database_uri

        console.print(
            f"[dim]To look at the run: mlflow ui --backend-store-uri {escape(quote(database_uri(home)))}[/dim]",
            soft_wrap=True,
            highlight=False,
        )
