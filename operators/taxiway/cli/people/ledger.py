"""The commands about the ledger itself: verify it, sign what is older than the keys, and make or rotate keys."""

import sys
from typing import Any

import click

from taxiway.cli.people.opened import Given, echo_served, installation_options, opened
from taxiway.errors import ConfigError
from taxiway.ledger import keys
from taxiway.ledger.chain import Ledger
from taxiway.ledger.links import NewEntry
from taxiway.messages import counted, printable
from taxiway.records import Decision, Promotion
from taxiway.tracking import tags


@click.group("ledger")
def ledger_commands() -> None:
    """Verify and sign the ledger of promotions and decisions."""


@ledger_commands.command()
@installation_options
def verify(**given: Any) -> None:
    """Check that no entry of the ledger was edited, removed or inserted, and that all are signed.

    What a crash has left open is a note. The exit code is 1 if something is wrong.
    """
    from taxiway.ledger.verify import verify as check

    with opened(Given(**given)) as installation:
        found = check(installation.ledger)
    for problem in found.problems:
        click.echo(printable(problem))
    for note in found.notes:
        click.echo(f"note: {printable(note)}")
    unsigned = f", {counted(found.unsigned, 'link')} without a signature" if found.unsigned else ""
    if found.head is None:
        click.echo("the ledger is empty")
    else:
        problems = counted(len(found.problems), "problem")
        click.echo(f"{counted(found.links, 'link')}{unsigned}, head {found.head[:16]}; {problems}")
    if not installation.ledger.keys:
        click.echo(f"no keys are given ({keys.VARIABLE}), so signatures were not checked", err=True)
    sys.exit(1 if found.problems else 0)


@ledger_commands.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@installation_options
def sign(yes: bool, **given: Any) -> None:
    """Sign the entries that are older than the keys of the installation.

    Look at them first: what you sign, the gateway serves.
    """
    from taxiway.ledger.verify import edited_entries, unsigned_entries
    from taxiway.ledger.verify import sign as sign_entries

    with opened(Given(**given)) as installation:
        if not installation.ledger.keys:
            raise ConfigError(f"there is no key to sign with; set {keys.VARIABLE}", key="ledger_keys")
        left, edited = unsigned_entries(installation.ledger), edited_entries(installation.ledger)
        for entry in edited:
            click.echo(
                f"not signed: the {entry.kind} of {entry.model} in MLflow run {entry.entry} was edited; see taxiway ledger verify"
            )
        for entry in left:
            click.echo(f"{entry.kind} of {entry.model}: {_what_it_says(installation.ledger, entry)} (MLflow run {entry.entry})")
        entries = counted(len(left), "entry", "entries")
        if left and not yes:
            click.confirm(f"Sign {entries}?", abort=True)
        sign_entries(installation.ledger, left)
    click.echo(f"signed {entries}")
    sys.exit(1 if edited else 0)


def _what_it_says(ledger: Ledger, entry: NewEntry) -> str:
    """What a person needs to judge whether an entry is genuine: the record, in words."""
    values = ledger.client.get_run(entry.entry).data.tags
    if entry.kind == "Promotion":
        promotion = Promotion.from_json(values[tags.PROMOTION_RECORD])
        versions = f"from version {promotion.from_version or 'none'} to {promotion.to_version or 'none'}"
        return printable(f"{versions}, {promotion.at:%Y-%m-%d %H:%M:%S} UTC, by {promotion.by}: {promotion.reason}")
    made = Decision.from_json(values[tags.DECISION_RECORD])
    return printable(f"{made.kind}, {made.at:%Y-%m-%d %H:%M:%S} UTC, by {made.by}: {made.reason}")


@ledger_commands.command("restore-alias")
@click.argument("model")
@installation_options
def restore_alias(model: str, **given: Any) -> None:
    """Point the aliases of MODEL to the newest promotion again, after somebody has moved them by hand."""
    from taxiway.registry.alias_moves import champion_now, restore_aliases

    with opened(Given(**given)) as installation:
        restore_aliases(installation.ledger, model)
        champion = champion_now(installation.ledger, model)
        click.echo(f"champion of {model}: {f'version {champion}' if champion is not None else 'none'}, according to the ledger")
        echo_served(installation, model)


@ledger_commands.command("new-key")
@click.option("--ledger-keys", envvar=keys.VARIABLE, hidden=True)
def new_key(ledger_keys: str | None) -> None:
    """Print the keys of an installation with a new first key.

    New entries are signed with the first key; the others, which are read from TAXIWAY_LEDGER_KEYS, stay valid. Give the printed value to
    the gateway first, then to the workers and to people who decide: what is signed with a key that the gateway does not know, it ignores.
    """
    click.echo(keys.LedgerKeys.parse(ledger_keys or "").rotated().text)


@ledger_commands.command("rotate-key")
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
