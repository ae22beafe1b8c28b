"""`taxiway caller`: the named callers of a gateway."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from taxiway.cli.views.console import stdout_console
from taxiway.local.stack_dir import DEFAULT_STACK_HOME, StackDir

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=StackDir(DEFAULT_STACK_HOME).gateway,
    show_default=True,
    help="The state folder of the gateway.",
)


@click.group()
def caller() -> None:
    """Add, list and revoke the callers of a gateway.

    A running gateway follows a change within about a second.
    """


@caller.command()
@click.argument("name")
@state_option
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["predict", "explain", "feedback", "metrics", "admin"]),
    default=("predict",),
    show_default=True,
    help="What it may do; may be repeated. Every caller may read the status of its models; an admin may do everything.",
)
@click.option("--model", "models", multiple=True, help="A model that it may use; may be repeated. Default: all models.")
@click.option("--rate", type=click.FloatRange(0.001, 1e6), help="How many requests per second it may send. Default: no limit.")
@click.option("--rows-per-day", type=click.IntRange(1), help="How many rows it may send per day (UTC). Default: no limit.")
@click.option("--decimals", type=click.IntRange(0, 15), help="Round its scores to this many decimals. Default: full precision.")
def add(
    name: str,
    state: Path,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    rate: float | None,
    rows_per_day: int | None,
    decimals: int | None,
) -> None:
    """Add the caller NAME and print its token, which is not shown again."""
    from taxiway.serving.callers import Caller, Scope, add_caller

    made = Caller(
        name=name,
        scopes=tuple(Scope(scope) for scope in dict.fromkeys(scopes)),
        models=tuple(dict.fromkeys(models)),
        created_at=datetime.now(UTC),
        requests_per_s=rate,
        rows_per_day=rows_per_day,
        decimals=decimals,
    )
    token = add_caller(state, made)
    if not (state / "requests.sqlite").exists():
        click.echo(f"note: no gateway has used {state} yet; start one with it: taxiway serve --state {state}", err=True)
    _print_token(name, token)


@caller.command("list")
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print the callers as JSON, without their tokens.")
def list_callers(state: Path, as_json: bool) -> None:
    """List the callers, without their tokens."""
    from rich.table import Table

    from taxiway.serving.callers import read_callers

    known = read_callers(state)
    if as_json:
        click.echo(json.dumps([found.model_dump(mode="json", exclude={"tokens"}) for found in known], indent=2))
        return
    if not known:
        click.echo("no named callers; to add one: taxiway caller add NAME")
        return
    table = Table(box=None)
    for heading in ("caller", "scopes", "models", "requests/s", "rows/day", "decimals", "added (UTC)"):
        table.add_column(heading, overflow="fold")
    for found in known:
        limits = (found.requests_per_s, found.rows_per_day, found.decimals)
        shown = ["-" if limit is None else f"{limit:,g}" if isinstance(limit, float) else f"{limit:,}" for limit in limits]
        added = f"{found.created_at:%Y-%m-%d %H:%M}" if found.created_at else "-"
        table.add_row(found.name, ", ".join(found.scopes), ", ".join(found.models) or "all", *shown, added)
    stdout_console().print(table)


@caller.command()
@click.argument("name")
@state_option
@click.option(
    "--keep-old",
    default="1d",
    show_default=True,
    metavar="DURATION",
    help="How long the old token stays valid; 0s: not at all.",
)
def rotate(name: str, state: Path, keep_old: str) -> None:
    """Give the caller NAME a new token and print it."""
    from taxiway.serving.callers import rotate_token
    from taxiway.spec.base import parse_duration

    try:
        kept = parse_duration(keep_old)
    except ValueError as error:
        raise click.UsageError(f"--keep-old: {error}") from None
    now = datetime.now(UTC)
    _print_token(name, rotate_token(state, name, now, now + kept))
    if kept:
        click.echo(f"the old token stays valid until {now + kept:%Y-%m-%d %H:%M} UTC", err=True)


@caller.command()
@click.argument("name")
@state_option
def revoke(name: str, state: Path) -> None:
    """Remove the caller NAME with its tokens."""
    from taxiway.serving.callers import revoke_caller

    revoke_caller(state, name)
    click.echo(f"revoked {name}; a running gateway refuses its tokens within about a second")


def _print_token(name: str, token: str) -> None:
    click.echo(f"the token of {name}, which is not shown again:", err=True)
    click.echo(token)
