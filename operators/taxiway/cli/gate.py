"""The commands about gates: plan conditions, and look after what evaluation rows were asked."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taxiway.cli.options import usage_errors
from taxiway.cli.people.opened import Given, installation_options, opened, pipeline_options
from taxiway.errors import ConfigError
from taxiway.ledger.decisions import local_person
from taxiway.spec.conditions.budget import DEFAULT_STEPS, MAX_STEPS, Budget, check_adaptivity

if TYPE_CHECKING:
    from taxiway.gates.sample_size import Method, Mode
    from taxiway.records import Show

_ROWS = click.IntRange(1, 10**12)


@click.group()
def gate() -> None:
    """Plan the conditions of model gates, and see what evaluation rows were asked."""


def _adaptivity(_: click.Context, __: click.Parameter, given: str) -> str:
    try:
        return str(check_adaptivity(given))
    except ValueError as error:
        raise click.BadParameter(f'"{given}"; {error}') from None


def _number(_: click.Context, __: click.Parameter, given: float | None) -> float | None:
    if given is not None and math.isnan(given):
        raise click.BadParameter("nan is not a number")
    return given


@gate.command("plan")
@click.argument("condition")
@click.option(
    "--confidence",
    "--reliability",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.99,
    show_default=True,
    callback=_number,
    help="The probability that none of the answers is wrong.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, MAX_STEPS),
    default=DEFAULT_STEPS,
    show_default=True,
    help="How many models are tried on the same rows.",
)
@click.option(
    "--adaptivity",
    default="first-change",
    show_default=True,
    callback=_adaptivity,
    metavar="none|full|first-change|passes:K",
    help="Who sees the answers before the next model is trained: nobody; everybody; everybody until the first pass, or until K passes, "
    "after which there are new rows.",
)
@click.option(
    "--method",
    type=click.Choice(["best", "hoeffding"]),
    default="best",
    show_default=True,
    help="The tightest valid bound for each comparison, or the basic bound of the ease.ml/ci paper.",
)
@click.option(
    "--mode",
    type=click.Choice(["fp-free", "fn-free"]),
    default="fp-free",
    show_default=True,
    help="What must not happen: that a model passes which does not meet the condition, or that one is rejected which does.",
)
@click.option(
    "--disagreement",
    type=click.FloatRange(0, 1, min_open=True),
    callback=_number,
    help="The share of the rows on which the predictions of both models differ, if you know it; no labels are needed to measure it.",
)
@click.option(
    "--show",
    type=click.Choice(["decision", "rounded", "exact"]),
    default="decision",
    show_default=True,
    help="What is shown of the scores with each answer: nothing, the means as whole percents, or everything.",
)
@click.option("--rows", type=_ROWS, help="Also say what so many rows can answer.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan_command(
    condition: str,
    confidence: float,
    steps: int,
    adaptivity: str,
    method: "Method",
    mode: "Mode",
    disagreement: float | None,
    show: "Show",
    rows: int | None,
    as_json: bool,
) -> None:
    """How many evaluation rows CONDITION needs.

    CONDITION compares the new model (n), the old one (o) and the share of rows on which their predictions differ (d) with numbers, each
    with a tolerance: 'n - o > 0.02 +/- 0.01 and d < 0.1 +/- 0.01'.
    """
    from taxiway.cli.views.plan import plan_json, plan_text
    from taxiway.gates.sample_size import GuaranteedCondition, log_shown_values
    from taxiway.spec.conditions import parse_condition

    with usage_errors():
        parsed = parse_condition(condition)
        undecidable = parsed.undecidable_reason()
        if undecidable is not None:
            raise ConfigError(undecidable)
        budget = Budget(steps=steps, adaptivity=adaptivity)
        shown = log_shown_values(parsed, show)
        guaranteed = GuaranteedCondition(parsed, confidence, budget, mode, method, disagreement, log_values=shown)
        click.echo(plan_json(guaranteed, rows) if as_json else plan_text(guaranteed, rows))


@gate.command("ledger")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print the queries as JSON.")
@installation_options
def ledger_command(model: str, as_json: bool, **given: Any) -> None:
    """List what was asked about versions of MODEL, by whom, and what is left of its evaluation rows."""
    from taxiway.cli.views.answers import asked_about, ledger_json, ledger_text
    from taxiway.ledger.answers.chains import all_entries, entries_elsewhere
    from taxiway.lineage.queries import require_model

    with usage_errors(), opened(Given(**given)) as installation:
        entries = all_entries(installation.ledger, model)
        if not entries:
            require_model(installation.ledger.client, model)
        sets = asked_about(entries, lambda rows: entries_elsewhere(installation.ledger, rows, model))
        click.echo(ledger_json(sets) if as_json else ledger_text(model, sets))


@gate.command("show")
@click.argument("name", metavar="MODEL/VERSION")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pipeline_options
def show_command(name: str, yes: bool, dags: Path, data: str, **given: Any) -> None:
    """Show the scores of MODEL/VERSION that were withheld, and spend the evaluation rows.

    Once all scores are known, no other version can be decided by conditions on these rows. That they were shown is recorded in the
    ledger, and the scores in the MLflow run of the version.
    """
    from taxiway.cli.people.review import pipeline_of
    from taxiway.cli.views.answers import scores_text
    from taxiway.ledger.answers.chains import all_entries
    from taxiway.lineage.queries import resolve
    from taxiway.lineage.verdicts import judged_version
    from taxiway.stages.review import show_scores

    with usage_errors(), opened(Given(**given)) as installation:
        model, version = resolve(installation.ledger.client, name)
        reviewed = pipeline_of(installation, model, dags, data)
        judged = judged_version(installation.ledger.client, installation.store(), model, version)
        entries = all_entries(installation.ledger, model)
        answers = [one for entry in entries if entry.asked.version == version for one in entry.answers]
        if not yes and all(one.shown != "exact" for one in answers):
            click.confirm(f"Show all scores of {model}/{version}, and spend its evaluation rows?", abort=True)
        click.echo(scores_text(show_scores(reviewed, judged, local_person())))
