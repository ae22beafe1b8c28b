"""Renders a gate report as one HTML file, which loads nothing and runs no script."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.gates.wording import as_improvement, ci_label, decimals, estimate_and_bounds, interval_text
from taxiway.messages import percent
from taxiway.records import Baseline, Severity, Status
from taxiway.report import card, drawing, headline, methods, next_steps, slices
from taxiway.report.content import ReportContent

if TYPE_CHECKING:
    from jinja2 import Environment

_SHOWN = 20
_MARKS = {Status.PASS: "good", Status.FAIL: "bad", Status.UNDECIDED: "open"}


def gate_report(content: ReportContent) -> str:
    """Render a gate report. All texts in it are escaped.

    Args:
        content: The verdict, and everything that explains it.

    Returns:
        The HTML.
    """
    table = slices.slice_table(content.evaluation, content.pipeline.gate)
    needs_approval = next_steps.needs_approval(content)
    return (
        _environment()
        .get_template("gate.html")
        .render(
            content=content,
            headline=headline.headline(content.verdict, needs_approval=needs_approval),
            unmet=headline.unmet(content.verdict),
            reasons=headline.ordered(content.verdict),
            slices=table,
            anomalies=sorted(content.data.anomalies, key=lambda found: found.severity is not Severity.ERROR),
            baselines=[(one, _baseline_text(one, content)) for one in content.evaluation.baselines],
            steps=next_steps.next_steps(content),
            purpose=list(card.purpose(content)),
            origin=list(card.origin(content)),
            costs=list(card.costs(content.costs)),
            measured=card.measured(content),
            weak=card.weak_slices(table),
            methods=methods.methods(content),
            settings=list(methods.settings(content)),
            digests=list(methods.digests(content)),
        )
    )


def _baseline_text(baseline: Baseline, content: ReportContent) -> tuple[str, str]:
    """The score of a simple model, and the improvement of the candidate over it, with their intervals."""
    improvement = as_improvement(baseline.difference, content.pipeline.gate.facts(baseline.metric).direction)
    texts = []
    for interval, sign in ((baseline.score, ""), (improvement, "+")):
        values = estimate_and_bounds(interval)
        form = f"{sign}.{decimals(values, (0.0,) if sign else (), scale=max(map(abs, values)))}f"
        texts.append(f"{interval.value:{form}} ({interval_text(interval, form)})")
    return texts[0], texts[1]


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"title_of": headline.title, "drawn": drawing.drawn, "ci": ci_label, "percent": percent}
    made.globals |= {
        "marks": _MARKS,
        "width": drawing.WIDTH,
        "height": drawing.HEIGHT,
        "slice_width": slices.WIDTH,
        "shown": _SHOWN,
    }
    return made
