"""The model card: what the model is for, what it was made of, and what it costs (Mitchell et al. 2019)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from taxiway.credentials import without_credentials
from taxiway.gates.wording import ci_label, decimals, estimate_and_bounds, interval_text
from taxiway.messages import counted, format_params, number_text, size_text
from taxiway.records import Interval, Span
from taxiway.report.content import ReportContent, TrainingCosts
from taxiway.report.slices import SliceTable
from taxiway.spec.gate import Gate

_SHOWN_SLICES = 5


@dataclass(frozen=True)
class Entry:
    """A line of the card: a name, and one text or several."""

    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """A metric with its limit.

    Attributes:
        metric: The metric.
        score: Its value and interval.
        rule: What is required of it; empty if nothing is.
        goal: What the team wants of it, and whether that was reached; empty if it is not a goal.
    """

    metric: str
    score: str
    rule: str
    goal: str


def purpose(content: ReportContent) -> Iterator[Entry]:
    """The purpose of the model, as given in the section `purpose` of its pipeline file."""
    found = content.pipeline.purpose
    if found is None:
        return
    numbers = content.pipeline.gate.problem == "regression"
    entries = {
        "Purpose": (found.description,),
        "Users": (found.users,),
        "Goal": (_goal_text(content),),
        "Harm of a number that is too high" if numbers else "Harm of a false positive": (found.harm.false_positive,),
        "Harm of a number that is too low" if numbers else "Harm of a false negative": (found.harm.false_negative,),
        "Must not be used for": found.not_for,
    }
    yield from (Entry(name, texts) for name, texts in entries.items() if any(text.strip() for text in texts))


def origin(content: ReportContent) -> Iterator[Entry]:
    """Who owns the model, how it was trained, and on which data."""
    pipeline, candidate, snapshot = content.pipeline, content.candidate, content.snapshot
    yield Entry("Owner", (f"team {pipeline.team}",))
    params = format_params(candidate.params)
    yield Entry("Estimator", (candidate.estimator, *([params] if params else [])))
    if candidate.threshold is not None:
        yield Entry("Decision threshold", (f"a probability of {number_text(candidate.threshold)}",))
    sources = dict.fromkeys(without_credentials(span.source) for span in snapshot.spans)
    yield Entry("Source", tuple(sources))
    yield Entry("Trained on", (_spans_text(snapshot.training),))
    yield Entry("Evaluated on", (_spans_text(snapshot.evaluation),))
    if content.features is not None:
        features = content.features
        classes = f", one of {counted(len(features.classes), 'class', 'classes')}" if features.classes else ", a number"
        yield Entry("Predicts", (f"{features.label}{classes}",))
        yield Entry("Uses", (features.describe(),))
        if features.rehearsed:
            yield Entry("Rehearsed", tuple(f"{counted(rows, 'row')} of {span}" for span, rows in features.rehearsed.items()))
    yield Entry("Schema", (f"version {candidate.schema_version}, {counted(content.data.checks, 'check')}",))


def costs(found: TrainingCosts) -> Iterator[Entry]:
    """What the training cost, as far as it was measured."""
    times = [] if found.seconds is None else [_seconds_text(found.seconds)]
    if found.cpu_seconds is not None:
        times.append(f"{_seconds_text(found.cpu_seconds)} of CPU time")
    if found.energy_wh is not None:
        times.append(f"about {found.energy_wh:.2g} Wh")
    if times:
        yield Entry("Training", (", ".join(times),))
    if found.model_bytes is not None:
        yield Entry("Size", (size_text(found.model_bytes),))
    if found.compared:
        yield Entry("Costs", (found.compared,))


def measured(content: ReportContent) -> list[Measured]:
    """The metrics of the evaluation with their limits; empty if its scores are withheld."""
    return [
        Measured(
            found.metric,
            _score_text(found.candidate, content.evaluation.confidence),
            "; ".join(_required(found.metric, content.pipeline.gate)),
            _reached_text(content, found.candidate) if _goal_metric(content) == found.metric else "",
        )
        for found in content.evaluation.metrics
    ]


def _required(metric: str, gate: Gate) -> Iterator[str]:
    """What the gate requires of a metric."""
    if metric in gate.thresholds:
        side = "at least" if gate.facts(metric).direction > 0 else "at most"
        yield f"{side} {number_text(gate.thresholds[metric])}"
    if gate.against_champion is not None and gate.against_champion.metric == metric:
        yield f"an improvement of at least {number_text(gate.against_champion.min_improvement)}"
    yield from (str(entry.parsed) for entry in gate.conditions if entry.metric == metric)


def weak_slices(table: SliceTable | None) -> list[str]:
    """The slices in which the model is known to be worse than the champion, or about which nothing is known."""
    if table is None:
        return []
    texts = [
        f"{one.found.column} {one.found.value}: {one.finding}, {one.text} ({one.ends})" for one in table.weak[:_SHOWN_SLICES]
    ]
    if len(table.weak) > _SHOWN_SLICES:
        texts.append(f"{len(table.weak) - _SHOWN_SLICES} more, in the table of slices")
    if table.left_out:
        names = ", ".join(f"{found.column} {found.value}" for found in table.left_out[:_SHOWN_SLICES])
        more = f" and {len(table.left_out) - _SHOWN_SLICES} more" if len(table.left_out) > _SHOWN_SLICES else ""
        texts.append(f"not compared, so nothing is known: {names}{more}")
    return texts


def _goal_metric(content: ReportContent) -> str | None:
    found = content.pipeline.purpose
    return found.goal.metric if found is not None and found.goal is not None else None


def _goal_text(content: ReportContent) -> str:
    found = content.pipeline.purpose
    if found is None or found.goal is None:
        return ""
    side = "at least" if content.pipeline.gate.facts(found.goal.metric).direction > 0 else "at most"
    text = f"{found.goal.metric} of {side} {number_text(found.goal.target)}"
    scores = [result.candidate for result in content.evaluation.metrics if result.metric == found.goal.metric]
    return f"{text}: {_reached_text(content, scores[0])}" if scores else text


def _reached_text(content: ReportContent, score: Interval) -> str:
    """Whether the goal was reached: the whole interval has to reach it."""
    found = content.pipeline.purpose
    assert found is not None
    assert found.goal is not None
    direction = content.pipeline.gate.facts(found.goal.metric).direction
    low, high = sorted((direction * score.low, direction * score.high))
    target = direction * found.goal.target
    if math.isnan(low):
        return "not known, because there is no interval"
    if low >= target:
        return "reached"
    return "missed" if high < target else "not shown, because the interval includes the goal"


def _score_text(score: Interval, confidence: float) -> str:
    values = estimate_and_bounds(score)
    form = f".{decimals(values, scale=max(map(abs, values)))}f"
    return f"{score.value:{form}} ({ci_label(confidence)} {interval_text(score, form)})"


def _spans_text(spans: tuple[Span, ...]) -> str:
    if not spans:
        return "no rows"
    names = spans[0].label if len(spans) == 1 else f"{counted(len(spans), 'span')}, {spans[0].label} to {spans[-1].label}"
    return f"{names}: {counted(sum(span.rows for span in spans), 'row')}"


def _seconds_text(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds:.1g} s"
    return f"{seconds:,.0f} s" if seconds < 600 else f"{seconds / 60:,.0f} min"
