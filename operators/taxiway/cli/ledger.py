"""The commands about the ledger itself: verify it, sign what is older than the keys, and make or rotate keys."""

import sys
from typing import Any

import click

from taxiway.cli.opened import Given, installation_options, opened
from taxiway.errors import ConfigError
from taxiway.ledger import keys
from taxiway.messages import counted


@click.group()
def ledger() -> None:
    """Verify and sign the ledger of promotions and decisions."""


@ledger.command()
@installation_options
def verify(**given: Any) -> None:
    """Check that no entry of the ledger was edited, removed or inserted, and that all are signed.

    The exit code is 1 if something is wrong.
    """
    from taxiway.ledger.verify import verify as check

    with opened(Given(**given)) as installation:
        found = check(installation.ledger)
    for problem in found.problems:
        click.echo(problem)
    unsigned = f", {counted(found.unsigned, 'link')} without a signature" if found.unsigned else ""
    if found.head is None:
        click.echo("the ledger is empty", err=True)
    else:
        click.echo(
            f"{counted(found.links, 'link')}{unsigned}, head {found.head[:16]}; {counted(len(found.problems), 'problem')}",
            err=True,
        )
    if not installation.ledger.keys:
        click.echo(f"no keys are given ({keys.VARIABLE}), so signatures were not checked", err=True)
    sys.exit(1 if found.problems else 0)


@ledger.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@installation_options
def sign(yes: bool, **given: Any) -> None:
    """Sign the entries that are older than the keys of the installation.

    Look at them first: what you sign, the gateway serves.
    """
    from taxiway.ledger.verify import sign as sign_entries
    from taxiway.ledger.verify import unsigned_entries

    with opened(Given(**given)) as installation:
        if not installation.ledger.keys:
            raise ConfigError(f"there is no key to sign with; set {keys.VARIABLE}", key="ledger_keys")
        left = unsigned_entries(installation.ledger)
        for entry in left:
            click.echo(f"{entry.kind} of {entry.model}: MLflow run {entry.entry}")
        entries = counted(len(left), "entry", "entries")
        if left and not yes:
            click.confirm(f"Sign {entries}?", abort=True)
        sign_entries(installation.ledger, left)
    click.echo(f"signed {entries}")


@ledger.command("new-key")
@click.option("--ledger-keys", envvar=keys.VARIABLE, hidden=True)
def new_key(ledger_keys: str | None) -> None:
    """Print the keys of an installation with a new first key.

    New entries are signed with the first key; the others, which are read from TAXIWAY_LEDGER_KEYS, stay valid. Give the printed value to
    the gateway first, then to the workers and to people who decide: what is signed with a key that the gateway does not know, it ignores.
    """
    click.echo(keys.LedgerKeys.parse(ledger_keys or "").rotated().text)


@ledger.command("rotate-key")
def rotate_key() -> None:
    """Give the stack of this folder a new key, while it is stopped."""
    from taxiway.local.stack import find_running
    from taxiway.local.stack_dir import DEFAULT_STACK_HOME, StackDir

    if not DEFAULT_STACK_HOME.is_dir():
        raise ConfigError(f"{DEFAULT_STACK_HOME} is not the folder of a stack; for other installations: taxiway ledger new-key")
    if find_running(DEFAULT_STACK_HOME) is not None:
        raise ConfigError("the stack runs, and would not know the new key; stop it first: taxiway down", key="ledger_keys")
    StackDir(DEFAULT_STACK_HOME.resolve()).rotate_ledger_key()
    click.echo("the stack has a new key, which it uses from its next start on: taxiway up")
