"""The commands about gates: `taxiway gate plan`."""

from typing import TYPE_CHECKING

import click

from taxiway.cli.options import usage_errors
from taxiway.errors import ConfigError
from taxiway.spec.conditions.budget import DEFAULT_STEPS, MOST_STEPS, Budget, check_adaptivity

if TYPE_CHECKING:
    from taxiway.gates.plan import Method, Mode

_ROWS = click.IntRange(1, 10**12)


@click.group()
def gate() -> None:
    """Plan the conditions of model gates."""


def _adaptivity(_: click.Context, __: click.Parameter, given: str) -> str:
    try:
        return str(check_adaptivity(given))
    except ValueError as error:
        raise click.BadParameter(f'"{given}"; {error}') from None


@gate.command("plan")
@click.argument("condition")
@click.option(
    "--confidence",
    "--reliability",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.99,
    show_default=True,
    help="The probability that none of the answers is wrong.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, MOST_STEPS),
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
    help="The share of the rows on which the predictions of both models differ, if you know it; no labels are needed to measure it.",
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
    rows: int | None,
    as_json: bool,
) -> None:
    """How many evaluation rows CONDITION needs.

    CONDITION compares the new model (n), the old one (o) and the share of rows on which their predictions differ (d) with numbers, each
    with a tolerance: 'n - o > 0.02 +/- 0.01 and d < 0.1 +/- 0.01'.
    """
    from taxiway.cli.views.plan import plan_json, plan_text
    from taxiway.gates.plan import Question
    from taxiway.spec.conditions import parse_condition

    with usage_errors():
        parsed = parse_condition(condition)
        impossible = parsed.impossible()
        if impossible is not None:
            raise ConfigError(impossible)
        budget = Budget(steps=steps, adaptivity=adaptivity)
        question = Question(parsed, confidence, budget, mode, method, disagreement)
        click.echo(plan_json(question, rows) if as_json else plan_text(question, rows))
