"""The `taxiway` command and its subcommands. Each imports its part of the library when it runs."""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from taxiway import __version__
from taxiway.cli import data, gate, lineage, run, schema, stack
from taxiway.cli.options import (
    busy,
    dags_option,
    fail,
    home_option,
    print_traceback,
    problem_of,
    read_options,
    reading_options,
    show_notes,
    usage_errors,
)
from taxiway.cli.people import decide, doctor, label, ledger, review
from taxiway.cli.serving import audit, caller, log, monitor, predict, send_labels, serve
from taxiway.errors import ConfigError, TaxiwayError
from taxiway.messages import counted

if TYPE_CHECKING:
    from taxiway.spec.base import Format
    from taxiway.spec.metrics import Problem

# Errors of the machine, which are never bugs.
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


class Commands(click.Group):
    """Prints Taxiway's errors, and errors about files that the user named, as messages; any other error is a bug with a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        given = [*ctx._protected_args, *ctx.args]
        try:
            return super().invoke(ctx)
        except TaxiwayError as error:
            fail(error, 1)
        except KeyboardInterrupt:
            click.echo("taxiway: interrupted", err=True)
            ctx.exit(128 + signal.SIGINT)
        except OSError as error:
            if not _is_the_users(error, given):
                raise
            about = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            fail(ConfigError(f"{about}{problem_of(error)}"), 1)


def _is_the_users(error: OSError, given: list[str]) -> bool:
    """Whether the machine denies the operation, or the error is about a file that the command line names."""
    if error.errno in _DENIED:
        return True
    if not isinstance(error.filename, str | bytes):
        return False
    file = Path(os.fsdecode(error.filename)).absolute()
    named = [Path(part).absolute() for argument in given for part in argument.split("=")]
    whole = (Path.cwd(), Path(file.anchor))
    return any(path == file or path in file.parents or file in path.parents for path in named if path not in whole)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="taxiway")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:  # noqa: ARG001 (read where errors are printed)
    """An ML platform inside Airflow: every model follows the same path from raw data to production."""
    sys.excepthook = print_traceback


@main.command()
@home_option
@dags_option
@click.option("--exit", "exit_at_end", is_flag=True, help="Stop the stack at the end, instead of running until Ctrl-C.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the table as JSON to this file.")
@click.option("--watch", is_flag=True, help="Play half a year of monitoring instead: requests, late labels, alerts, trainings.")
def demo(home: Path, dags: Path, exit_at_end: bool, report: Path | None, watch: bool) -> None:
    """Start the stack and run the demonstration.

    Flights of 2013 go from raw data to a shadow-tested champion, and a corrupted month is stopped. With --watch, the flights of 30
    weeks are predicted one week after another, and the model is trained again on evidence.
    """
    from taxiway.demo.run import run_demo
    from taxiway.demo.watch.run import watch_demo

    if watch:
        sys.exit(watch_demo(home, dags, exit_at_end=exit_at_end, report=report))
    sys.exit(run_demo(home, dags, run_command, exit_at_end=exit_at_end, report=report))


def run_command(arguments: Sequence[str]) -> int:
    """Run a command in this process, as the demonstration does.

    Args:
        arguments: The command and its arguments, without `taxiway`.

    Returns:
        The exit code.
    """
    try:
        main(list(arguments), prog_name="taxiway", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


@main.command("example-data")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def example_data(folder: Path) -> None:
    """Write the data of the example pipelines to FOLDER.

    The data of the pipelines in dags/ are flights and bike rentals, one Parquet file per month.
    """
    from taxiway.demo.bikes import lay_out_rentals
    from taxiway.demo.flights import flights_by_month, write_span

    with usage_errors():
        try:
            (folder / "flights").mkdir(parents=True, exist_ok=True)
            for month, rows in flights_by_month().items():
                write_span(rows, folder / "flights", month)
            lay_out_rentals(folder / "bikes")
        except OSError as error:
            raise ConfigError(f"the folder {folder} cannot be written ({error.strerror}); give another folder") from error
    click.echo(f"wrote {folder}; next: taxiway run dags/flights/late_arrivals.pipeline.yaml --data {folder}")


@main.command("compose-env")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path(".env"), show_default=True, help="The file."
)
def compose_env(output: Path) -> None:
    """Write the .env file of docker-compose.yml with new secrets."""
    from taxiway.local.compose_env import write_compose_env

    write_compose_env(output)
    click.echo(
        f"wrote {output}, which only you can read; next: docker compose --env-file {output} up -d\n"
        "then log in at http://127.0.0.1:8080 as admin, with the AIRFLOW_ADMIN_PASSWORD from that file"
    )


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def lint(paths: tuple[Path, ...]) -> None:
    """Find mistakes in pipeline files, scoring files and their schemas.

    PATHS are files or folders; suites and DAG files are checked too.
    Notes about missing documentation and deprecated features are not mistakes. The exit code is 1 if there are mistakes.
    """
    from taxiway.cli.lint import lint as find_mistakes
    from taxiway.cli.lint import pipeline_files
    from taxiway.cli.lint.notes import notes
    from taxiway.cli.lint.scoring import is_scoring, scoring_files, scoring_mistakes

    files = pipeline_files(path for path in paths if not is_scoring(path))
    scorings = scoring_files(paths)
    mistakes = [*find_mistakes(files), *scoring_mistakes(scorings)]
    for mistake in mistakes:
        click.echo(mistake)
    for note in notes(files):
        click.echo(f"note: {note}")
    count = sum(not line.startswith("    ") for mistake in mistakes for line in mistake.splitlines())
    file_word, mistake_word = "file" if len(files) == 1 else "files", "mistake" if count == 1 else "mistakes"
    others = f" and {counted(len(scorings), 'scoring file')}" if scorings else ""
    click.echo(f"{len(files)} pipeline {file_word}{others}, {count or 'no'} {mistake_word}", err=True)
    sys.exit(1 if mistakes else 0)


@main.command()
@click.argument("pipeline")
@click.option(
    "--from",
    "source",
    required=True,
    help="A file, a folder of files named by period or number, or a pattern such as sales/{YYYY}-{MM}.csv.",
)
@click.option("--label", required=True, help="The column to predict.")
@click.option("--team", required=True, help="The team that owns the pipeline: a folder in DAGS.")
@dags_option
@click.option(
    "--data", "data_root", default=".taxiway/data", show_default=True, help="The folder or URL that {data} stands for."
)
@click.option(
    "--split-by",
    help="Split the rows of each span by this column into training and evaluation rows, instead of evaluating on the newest span.",
)
@click.option(
    "--problem",
    type=click.Choice(["classification", "regression"]),
    help="Whether the label is of classes or a quantity; without it, the draft decides and says why.",
)
@reading_options
def new(
    pipeline: str,
    source: str,
    label: str,
    team: str,
    dags: Path,
    data_root: str,
    split_by: str | None,
    problem: "Problem | None",
    csv: tuple[str, ...],
    file_format: "Format | None",
) -> None:
    """Draft PIPELINE, its schema and a page about it from existing data.

    The model is evaluated on the newest span. If the data is one file, its rows are split by a column that is unique for every row, or by
    --split-by; without such a column, at random.
    """
    from taxiway.cli.new import new_pipeline

    notes: list[str] = []
    options = read_options(csv, file_format)
    with busy(f"reading {source}") as progress:
        files, mistakes = new_pipeline(
            pipeline,
            team,
            source,
            label,
            dags=dags,
            data_root=data_root,
            split_by=split_by,
            problem=problem,
            options=options,
            note=notes.append,
            progress=progress,
        )
    show_notes(notes)
    for file in files:
        click.echo(f"wrote {file}")
    for mistake in mistakes:
        click.echo(mistake)
    click.echo(f"next: review {files[-1]}", err=True)
    sys.exit(1 if mistakes else 0)


@main.command("schema-json")
@click.argument("kind", type=click.Choice(["pipeline", "team"]), default="pipeline")
def schema_json(kind: str) -> None:
    """Print the JSON schema of pipeline or team files."""
    import json

    from taxiway.spec.pipeline import Pipeline
    from taxiway.spec.team import Team

    model = Team if kind == "team" else Pipeline
    click.echo(json.dumps(model.model_json_schema(by_alias=True), indent=2))


for command in (
    caller.caller,
    data.profile,
    data.validate,
    schema.schema,
    gate.gate,
    lineage.lineage,
    lineage.history,
    doctor.doctor,
    decide.approve,
    decide.reject,
    decide.force,
    decide.waive,
    decide.rollback,
    decide.retire,
    label.label,
    ledger.ledger_commands,
    review.review,
    run.run_command,
    log.log,
    monitor.monitor,
    audit.audit,
    predict.predict,
    serve.serve,
    serve.serve_version,
    stack.down,
    stack.status,
    stack.up,
):
    main.add_command(command)
label.label.add_command(send_labels.send)
