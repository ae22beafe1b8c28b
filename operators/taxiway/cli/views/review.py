"""The output of `taxiway review`."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from taxiway.cli.given_options import with_given_options
from taxiway.messages import counted
from taxiway.records import Reason, Status
from taxiway.stages.review import Reopening, Review, SecondDecision, Standing

STANDINGS = {
    Standing.PRODUCTION: "in production",
    Standing.FORCED: "forced, not in production",
    Standing.FORMER: "former champion",
}
_STYLES = {Status.PASS: "green", Status.FAIL: "red", Status.UNDECIDED: "yellow"}


def show_review(console: Console, review: Review) -> None:
    """Print the versions whose verdicts are re-opened, the most urgent first, each with its reasons and what to do next."""
    for found in review.reopened:
        name = f"[bold]{escape(found.model)}/{found.version}[/bold]"
        _print(console, f"{name} {STANDINGS[found.standing]}, owner {escape(found.owner)}, verdict {_status(found.status)}")
        _show_reopenings(console, found.reasons)
    verdicts = counted(len(review.versions), "verdict")
    if not review.reopened:
        _print(console, f"{verdicts} reviewed, none is re-opened")
        return
    _print(
        console,
        f"{len(review.reopened)} of {verdicts} re-opened; what would be decided today: "
        f"{escape(with_given_options('taxiway review MODEL/VERSION'))}",
    )


def show_second_decision(console: Console, decided: SecondDecision, *, in_production: bool, owner: str) -> None:
    """Print what would be decided today about a version, and how it differs from the verdict then."""
    then, today = decided.then, decided.today
    place = "in production" if in_production else "not in production"
    _print(console, f"[bold]{escape(then.model)}/{then.version}[/bold] {place}, owner {escape(owner)}")
    _print(
        console, f"verdict then {_status(then.status)}, today it would be {_status(today.status)}{_compared(today.champion)}"
    )
    if decided.reasons:
        _print(console, "the verdict is re-opened:")
        _show_reopenings(console, decided.reasons)
    if not decided.new and not decided.gone:
        _print(console, "the gate gives the same reasons as then")
    _show_reasons(console, "only today:", decided.new)
    _show_reasons(console, "only then:", decided.gone)
    _print(console, "nothing was changed or recorded")


def _compared(champion: int | None) -> str:
    return f", compared with version {champion}" if champion is not None else ", without a champion to compare with"


def _show_reopenings(console: Console, reasons: Iterable[Reopening]) -> None:
    actions = dict.fromkeys(reason.action for reason in reasons)
    for reason in reasons:
        _print(console, f"  - {escape(reason.message)}")
    for action in actions:
        _print(console, f"    [dim]next: {escape(with_given_options(action))}[/dim]")


def _show_reasons(console: Console, title: str, reasons: Iterable[Reason]) -> None:
    lines = [f"  {_status(reason.status)}: {escape(reason.message)}" for reason in reasons]
    for line in [title, *lines] if lines else ():
        _print(console, line)


def _status(status: Status) -> str:
    style = _STYLES.get(status)
    return f"[{style}]{status}[/{style}]" if style else str(status)


def _print(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)
