"""The commands that ask what the memory holds, and the one that changes what is in production."""

from datetime import UTC, datetime

import click
from rich.console import Console

from taxiway.cli.options import json_option, mlflow_at, tracking_option
from taxiway.errors import TerminalError


@click.group()
def lineage() -> None:
    """Ask what made a model, and what some rows touched."""


@lineage.command("model")
@click.argument("name")
@tracking_option
@json_option
def lineage_model(name: str, tracking_uri: str, as_json: bool) -> None:
    """What made a model version: NAME, NAME@alias or NAME/version; the champion where nothing else is said."""
    from taxiway.cli.lineage_view import as_json_text, show_model
    from taxiway.lineage.queries import model_lineage, resolve

    with mlflow_at(tracking_uri) as client:
        found = model_lineage(client, *resolve(client, name))
    if as_json:
        click.echo(as_json_text(found))
    else:
        show_model(Console(), found)


@lineage.command("data")
@click.argument("data")
@tracking_option
@json_option
def lineage_data(data: str, tracking_uri: str, as_json: bool) -> None:
    """Which runs, models and promotions the rows of a span touched: DATA is its name or its content digest."""
    from taxiway.cli.lineage_view import as_json_text, show_uses
    from taxiway.lineage.queries import data_uses

    with mlflow_at(tracking_uri) as client:
        found = data_uses(client, data)
    if as_json:
        click.echo(as_json_text(found))
    else:
        show_uses(Console(), data, found)


@click.command()
@click.argument("model")
@tracking_option
def history(model: str, tracking_uri: str) -> None:
    """Every promotion and rollback of MODEL, newest first."""
    from taxiway.cli.lineage_view import show_history
    from taxiway.registry.ledger import entries

    with mlflow_at(tracking_uri) as client:
        found = entries(client, model)
    if not found:
        raise TerminalError(
            f"the ledger at {tracking_uri} holds no promotion of {model}; allowed: the name of a model with one"
        )
    show_history(Console(), model, found)


@click.command()
@click.argument("model")
@tracking_option
@click.option("--reason", required=True, help="Why, for the ledger.")
@click.option("--by", envvar="USER", default="somebody", show_envvar=True, help="Who, for the ledger.")
def rollback(model: str, tracking_uri: str, reason: str, by: str) -> None:
    """Make the version before the champion of MODEL the champion again."""
    from taxiway.registry.promote import rollback as roll_back

    with mlflow_at(tracking_uri) as client:
        done = roll_back(client, model, by=by, reason=reason, at=datetime.now(UTC))
    click.echo(f"champion of {model}: version {done.to_version} (was {done.from_version})")
