"""The commands that query MLflow: `taxiway lineage` and `taxiway history`."""

from pathlib import Path
from typing import Any

import click

from taxiway.cli.options import found_tracking_option, json_option, mlflow_at
from taxiway.cli.people.opened import Given, installation_options, opened
from taxiway.cli.views.console import stdout_console
from taxiway.errors import TerminalError


@click.group()
def lineage() -> None:
    """Show how a model was made, what used some data, or where predictions come from."""


@lineage.command("model")
@click.argument("name")
@found_tracking_option
@json_option
def lineage_model(name: str, tracking_uri: str, as_json: bool) -> None:
    """Show how a model version was made: NAME/version, NAME@alias, or NAME for its champion."""
    from taxiway.cli.views.lineage import as_json_text, show_model
    from taxiway.lineage.queries import model_lineage, resolve

    with mlflow_at(tracking_uri) as client:
        found = model_lineage(client, *resolve(client, name))
    if as_json:
        click.echo(as_json_text(found))
    else:
        show_model(stdout_console(), found)


@lineage.command("data")
@click.argument("data")
@found_tracking_option
@json_option
def lineage_data(data: str, tracking_uri: str, as_json: bool) -> None:
    """Show the runs, models and promotions that used DATA: the name of a span, or a content digest."""
    from taxiway.cli.views.lineage import as_json_text, show_uses
    from taxiway.lineage.queries import data_uses

    with mlflow_at(tracking_uri) as client:
        found = data_uses(client, data)
    if as_json:
        click.echo(as_json_text(found))
    else:
        show_uses(stdout_console(), data, found)


@lineage.command("predictions")
@click.argument("predictions", type=click.Path(path_type=Path, exists=True))
@found_tracking_option
@json_option
def lineage_predictions(predictions: Path, tracking_uri: str, as_json: bool) -> None:
    """Show the version and the data of PREDICTIONS, a folder or a Parquet file of it, and how the version was made."""
    from taxiway.cli.views.lineage import as_json_text, show_batch, show_model
    from taxiway.lineage.batches import batch_behind
    from taxiway.lineage.queries import model_lineage

    with mlflow_at(tracking_uri) as client:
        found = batch_behind(client, predictions)
        if as_json:
            click.echo(as_json_text(found))
            return
        show_batch(stdout_console(), str(predictions), found)
        show_model(stdout_console(), model_lineage(client, found.model, found.version))


@click.command()
@click.argument("model")
@installation_options
def history(model: str, **given: Any) -> None:
    """List all promotions and rollbacks of MODEL, newest first, what people have decided about it, and its newest batches."""
    from taxiway.cli.views.lineage import show_batches, show_decisions, show_history
    from taxiway.ledger.decisions import decisions
    from taxiway.ledger.entry import untrusted
    from taxiway.ledger.promotions import entries
    from taxiway.lineage.batches import batches_of

    with opened(Given(**given)) as installation:
        ledger = installation.ledger
        found, made = entries(ledger.client, model), decisions(ledger, model=model)
        batches = batches_of(ledger.client, model)
        suspects = {entry.run_id for entry in untrusted(ledger, found)}
    if not found and not made and not batches:
        raise TerminalError(
            f"the ledger at {given['tracking_uri']} has no promotion of {model}; allowed: the name of a promoted model, "
            "such as flights.late_arrivals"
        )
    if found:
        show_history(stdout_console(), model, found, suspects)
    if made:
        show_decisions(stdout_console(), made, found)
    if batches:
        show_batches(stdout_console(), model, batches)
