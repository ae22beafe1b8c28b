"""The command `taxiway review`: which verdicts are re-opened, and what the model gate would decide today."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.options import USAGE, fail
from taxiway.cli.people.opened import Given, Opened, opened, pipeline_options
from taxiway.cli.views.console import stdout_console
from taxiway.errors import ConfigError, TaxiwayError, allowed_values

if TYPE_CHECKING:
    from taxiway.stages.review import PipelineReview

REOPENED = 1


@click.command()
@click.argument("name", metavar="[MODEL/VERSION]", required=False)
@pipeline_options
def review(name: str | None, dags: Path, data: str, **given: Any) -> None:
    """List the verdicts that are re-opened by what became known after them, or decide again about one version.

    A verdict is re-opened if a waiver that it needs has expired, if a span that the version was trained or evaluated on was corrected,
    or, for a champion, if the present schema finds a blocking anomaly in its data. With MODEL/VERSION, the model gate runs again on the
    stored evaluation rows, under the present pipeline file and against the present champion. Nothing is changed or recorded.

    The exit code is 1 if a verdict is re-opened or would be another one today, and 2 if it cannot be reviewed.
    """
    try:
        with opened(Given(**given)) as installation:
            found = _review_one(installation, name, dags, data) if name else _review_all(installation, dags, data)
    except TaxiwayError as error:
        fail(error, USAGE)
    sys.exit(REOPENED if found else 0)


def _review_all(installation: Opened, dags: Path, data: str) -> bool:
    from taxiway.cli.views.review import show_review
    from taxiway.stages.review import review as review_all

    unread: list[str] = []
    reviewed = review_all(list(pipelines(installation, dags, data, unread)), installation.ledger)
    show_review(stdout_console(), reviewed)
    _show_notes((*unread, *reviewed.notes))
    return bool(reviewed.reopened)


def _review_one(installation: Opened, name: str, dags: Path, data: str) -> bool:
    from taxiway.cli.views.review import show_second_decision
    from taxiway.lineage.queries import resolve
    from taxiway.lineage.verdicts import judged_version
    from taxiway.registry.alias_moves import champion_now
    from taxiway.stages.review import decide_again

    client = installation.ledger.client
    model, version = resolve(client, name)
    of_model = pipeline_of(installation, model, dags, data)
    judged = judged_version(client, installation.store(), model, version)
    champion = champion_now(installation.ledger, model)
    decided = decide_again(of_model, judged, champion)
    show_second_decision(stdout_console(), decided, in_production=champion == version, owner=of_model.owner)
    _show_notes(decided.notes)
    return decided.changed


def pipelines(installation: Opened, dags: Path, data: str, unread: list[str]) -> "Iterator[PipelineReview]":
    """The pipelines of the files in a folder, or of one file; a file that is not valid is left out, and `unread` gets why."""
    from taxiway.cli.lint import pipeline_files
    from taxiway.records.recorder import InMemoryRun
    from taxiway.spec.files.pipeline_file import read_pipeline_and_team
    from taxiway.stages.context import Services, StageContext
    from taxiway.stages.review import PipelineReview

    store, services = installation.store(), Services(data=data, ledger_keys=installation.ledger.keys)
    for file in pipeline_files([dags]):
        try:
            pipeline, team = read_pipeline_and_team(file)
        except ConfigError as error:
            unread.append(f"{file} is left out: {error}")
            continue
        owner = (team.owner if team else None) or pipeline.team
        context = StageContext(pipeline, store, InMemoryRun(), installation.ledger.client, "review", services)
        yield PipelineReview.of(context, os.path.relpath(file), owner)


def pipeline_of(installation: Opened, model: str, dags: Path, data: str) -> "PipelineReview":
    """The pipeline whose model this is.

    Raises:
        ConfigError: No file in `dags` has it.
    """
    unread: list[str] = []
    found = {reviewed.name: reviewed for reviewed in pipelines(installation, dags, data, unread)}
    if model not in found:
        why = "".join(f"\n    {problem}" for problem in unread)
        raise ConfigError(f"no pipeline file in {dags} is that of {model}; {allowed_values(model, found)}{why}", key="dags")
    return found[model]


def _show_notes(notes: tuple[str, ...]) -> None:
    for note in notes:
        click.echo(f"note: {note}", err=True)
