"""The commands, each in a few lines: what they do lives in the library, and is imported when they run."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from taxiway import __version__
from taxiway.errors import TaxiwayError, TerminalError, TransientError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from pydantic import BaseModel

    S = TypeVar("S", bound=BaseModel)

home_option = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".taxiway"),
    show_default=True,
    help="The stack's folder: databases, logs, secrets.",
)
dags_option = click.option(
    "--dags",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dags"),
    show_default=True,
    help="The folder that Airflow reads.",
)


tracking_option = click.option(
    "--tracking-uri", envvar="MLFLOW_TRACKING_URI", required=True, help="The MLflow server.", show_envvar=True
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")


@contextmanager
def mlflow_at(tracking_uri: str) -> "Iterator[MlflowClient]":
    """A client of the MLflow server; its errors become sentences, and it does not wait for minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        yield MlflowClient(tracking_uri)
    except MlflowException as error:
        raise TransientError(f"MLflow at {tracking_uri} refused: {error.message}") from error


class Commands(click.Group):
    """Shows our own errors, and those of files and folders, as sentences without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (TaxiwayError, OSError) as error:
            click.secho(f"taxiway: {error}", fg="red", err=True)
            sys.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="taxiway")
def main() -> None:
    """One marked way for every model, from raw data to production, inside Airflow."""


@main.command()
@home_option
@dags_option
def up(home: Path, dags: Path) -> None:
    """Start PostgreSQL, MLflow, the model gateway and Airflow; stay until Ctrl-C."""
    from taxiway.local.console import run_until_stopped

    sys.exit(run_until_stopped(home, dags))


@main.command()
@home_option
def down(home: Path) -> None:
    """Stop the stack that runs in HOME."""
    from taxiway.local.home import Home
    from taxiway.local.stack import down as stop

    if not home.is_dir():
        raise click.UsageError(f"{home} is not a stack's folder; give the one that `taxiway up` used: --home FOLDER")
    click.echo("stopped" if stop(Home.at(home)) else f"no stack runs in {home}")


@main.command()
@home_option
@dags_option
@click.option("--exit", "exit_at_end", is_flag=True, help="Stop everything at the end, rather than stay up until Ctrl-C.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write the table as JSON to this file.")
def demo(home: Path, dags: Path, exit_at_end: bool, report: Path | None) -> None:
    """Take the flights of 2013 from raw data to a shadow-tested champion, and stop a corrupted month."""
    from taxiway.local.demo import run_demo

    sys.exit(run_demo(home, dags, exit_at_end=exit_at_end, report=report))


@main.command("compose-env")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path(".env"), show_default=True, help="The file."
)
def compose_env(output: Path) -> None:
    """Write the environment file of docker-compose.yml, with fresh secrets."""
    from taxiway.local.compose_env import write_compose_env

    write_compose_env(output)
    click.echo(
        f"wrote {output}, which only you can read; next: docker compose --env-file {output} up -d\n"
        "then log in at http://127.0.0.1:8080 as admin, with the AIRFLOW_ADMIN_PASSWORD of that file"
    )


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def lint(paths: tuple[Path, ...]) -> None:
    """Find the mistakes in pipeline files, their schemas, suites and stubs; PATHS are files or folders."""
    from taxiway.cli.lint import lint as find_mistakes
    from taxiway.cli.lint import pipeline_files

    files = pipeline_files(paths)
    mistakes = find_mistakes(files)
    for mistake in mistakes:
        click.echo(mistake)
    click.echo(
        f"{len(files)} pipeline {'file' if len(files) == 1 else 'files'}, {len(mistakes) or 'no'} {'mistake' if len(mistakes) == 1 else 'mistakes'}",
        err=True,
    )
    sys.exit(1 if mistakes else 0)


@main.command()
@click.argument("pipeline")
@click.option(
    "--from",
    "data",
    required=True,
    help="A folder of Parquet files, one a span, or a pattern such as sales/{YYYY}-{MM}.parquet.",
)
@click.option("--label", required=True, help="The column to predict.")
@click.option("--team", required=True, help="Whose pipeline it is: the folder below DAGS.")
@dags_option
@click.option("--data", "data_root", default=".taxiway/data", show_default=True, help="What {data} stands for, where it runs.")
def new(pipeline: str, data: str, label: str, team: str, dags: Path, data_root: str) -> None:
    """Draft PIPELINE, its schema and a README from data that are there."""
    from taxiway.cli.new import new_pipeline

    files, mistakes = new_pipeline(pipeline, team, data, label, dags=dags, data_root=data_root)
    for file in files:
        click.echo(f"wrote {file}")
    for mistake in mistakes:
        click.echo(mistake)
    click.echo(f"next: read {files[-1]}", err=True)
    sys.exit(1 if mistakes else 0)


@main.command("schema-json")
def schema_json() -> None:
    """Print the JSON schema of pipeline files, for editors."""
    import json

    from taxiway.pipeline import Pipeline

    click.echo(json.dumps(Pipeline.model_json_schema(by_alias=True), indent=2))


@main.group()
def lineage() -> None:
    """Ask what made a model, and what some rows touched."""


@lineage.command("model")
@click.argument("name")
@tracking_option
@json_option
def lineage_model(name: str, tracking_uri: str, as_json: bool) -> None:
    """What made a model version: NAME, NAME@alias or NAME/version; the champion where nothing else is said."""
    from rich.console import Console

    from taxiway.cli import lineage as answers
    from taxiway.registry.questions import model_lineage, resolve

    with mlflow_at(tracking_uri) as client:
        found = model_lineage(client, *resolve(client, name))
    if as_json:
        click.echo(answers.as_json(found))
    else:
        answers.show_model(Console(), found)


@lineage.command("data")
@click.argument("data")
@tracking_option
@json_option
def lineage_data(data: str, tracking_uri: str, as_json: bool) -> None:
    """Which runs, models and promotions the rows of a span touched: DATA is its name or its content digest."""
    from rich.console import Console

    from taxiway.cli import lineage as answers
    from taxiway.registry.questions import data_uses

    with mlflow_at(tracking_uri) as client:
        found = data_uses(client, data)
    if as_json:
        click.echo(answers.as_json(found))
    else:
        answers.show_uses(Console(), data, found)


@main.command()
@click.argument("model")
@tracking_option
def history(model: str, tracking_uri: str) -> None:
    """Every promotion and rollback of MODEL, newest first."""
    from rich.console import Console

    from taxiway.cli.lineage import show_history
    from taxiway.registry.ledger import entries

    with mlflow_at(tracking_uri) as client:
        found = entries(client, model)
    if not found:
        raise TerminalError(
            f"the ledger at {tracking_uri} holds no promotion of {model}; allowed: the name of a model with one"
        )
    show_history(Console(), model, found)


@main.command()
@click.argument("model")
@tracking_option
@click.option("--reason", required=True, help="Why, for the ledger.")
@click.option("--by", envvar="USER", default="somebody", show_envvar=True, help="Who, for the ledger.")
def rollback(model: str, tracking_uri: str, reason: str, by: str) -> None:
    """Make the version before the champion of MODEL the champion again."""
    from taxiway.registry.promote import rollback as roll_back

    with mlflow_at(tracking_uri) as client:
        done = roll_back(client, model, by=by, reason=reason)
    click.echo(f"champion of {model}: version {done.to_version} (was {done.from_version})")


@main.command()
@tracking_option
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the request log.")
@click.option("--model", "models", multiple=True, help="A registered model to serve; others are added as they are pushed.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes for each model version.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8500, show_default=True)
@click.option("--caller-token", envvar="TAXIWAY_CALLER_TOKEN", required=True, show_envvar=True, hidden=True)
@click.option("--admin-token", envvar="TAXIWAY_ADMIN_TOKEN", required=True, show_envvar=True, hidden=True)
def serve(
    tracking_uri: str,
    state: Path,
    models: tuple[str, ...],
    workers: int,
    host: str,
    port: int,
    caller_token: str,
    admin_token: str,
) -> None:
    """Serve champions, mirror requests to challengers, log both answers.

    Tokens are read from TAXIWAY_CALLER_TOKEN (who asks for predictions) and TAXIWAY_ADMIN_TOKEN (who changes what is served).
    """
    from taxiway.serving.server import serve as run
    from taxiway.serving.settings import GatewaySettings

    content: dict[str, object] = {"tracking_uri": tracking_uri, "state_folder": state, "models": models, "workers": workers}
    tokens = {"caller_token": caller_token, "admin_token": admin_token}
    run(_checked(GatewaySettings, content | {"host": host, "port": port} | tokens))


@main.command("serve-version")
@click.argument("model")
@click.argument("version", type=click.IntRange(1))
@tracking_option
@click.option("--lease", type=click.FloatRange(1), required=True, help="End after so many seconds.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8600, show_default=True)
@click.option("--token", envvar="TAXIWAY_VERSION_TOKEN", required=True, show_envvar=True, hidden=True)
def serve_version(model: str, version: int, tracking_uri: str, lease: float, host: str, port: int, token: str) -> None:
    """Serve one VERSION of MODEL to a gateway that shadows it: what runs in a challenger's container.

    The token that the gateway is told is read from TAXIWAY_VERSION_TOKEN: at least 16 characters.
    """
    from taxiway.serving.one_version import VersionSettings
    from taxiway.serving.one_version import serve_version as run

    content = {"tracking_uri": tracking_uri, "model": model, "version": version, "token": token}
    run(_checked(VersionSettings, content | {"lease_s": lease, "host": host, "port": port}))


def _checked(kind: "type[S]", content: dict[str, object]) -> "S":
    """Settings from the command line; what is wrong with them is said as a mistake in its use."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise click.UsageError(
            "; ".join(f"{e['loc'][-1] if e['loc'] else 'settings'}: {e['msg']}" for e in error.errors())
        ) from None
