"""The slices of a gate report, the worst first."""

from collections.abc import Sequence
from dataclasses import dataclass

from taxiway.gates.noise import half_width, is_within_noise, size_text
from taxiway.gates.wording import as_improvement, decimals, estimate_and_bounds, interval_text
from taxiway.records import Evaluation, Interval, SliceResult
from taxiway.report.drawing import Scale, scale_of
from taxiway.spec.gate import Gate

WIDTH, _MARGIN = 220, 8


@dataclass(frozen=True)
class ComparedSlice:
    """A slice that was compared with the champion.

    Attributes:
        found: The slice.
        improvement: How much better the candidate is; below 0 if it is worse.
        text: The improvement.
        ends: The ends of its interval.
        finding: What that means.
        mark: `good`, `bad` or `open`.
    """

    found: SliceResult
    improvement: Interval
    text: str
    ends: str
    finding: str
    mark: str


@dataclass(frozen=True)
class SliceTable:
    """The slices of an evaluation.

    Attributes:
        metric: The metric.
        confidence: The confidence of each interval.
        compared: Those that were compared, the worst first.
        left_out: Those that were not.
        scale: The scale of all pictures.
        limit: The smallest improvement that is allowed: the largest drop, negated.
    """

    metric: str
    confidence: float
    compared: tuple[ComparedSlice, ...]
    left_out: tuple[SliceResult, ...]
    scale: Scale
    limit: float

    @property
    def weak(self) -> tuple[ComparedSlice, ...]:
        """The slices in which the candidate is worse than the champion."""
        return tuple(one for one in self.compared if one.mark == "bad")


def slice_table(evaluation: Evaluation, gate: Gate) -> SliceTable | None:
    """The slices of an evaluation; None if it has none."""
    if gate.slices is None or not evaluation.slices:
        return None
    compared = [
        _compared(found, found.difference, gate, gate.slices.max_drop)
        for found in evaluation.slices
        if found.difference is not None
    ]
    compared.sort(key=lambda one: one.improvement.value)
    return SliceTable(
        evaluation.slices[0].metric,
        evaluation.slices[0].confidence,
        tuple(compared),
        tuple(found for found in evaluation.slices if found.difference is None),
        _scale(compared, -gate.slices.max_drop),
        -gate.slices.max_drop,
    )


def _compared(found: SliceResult, difference: Interval, gate: Gate, max_drop: float) -> ComparedSlice:
    improvement = as_improvement(difference, gate.facts(found.metric).direction)
    values = estimate_and_bounds(improvement)
    form = f"+.{decimals(values, (0.0, -max_drop), scale=max(map(abs, values)))}f"
    ends = interval_text(improvement, form)
    return ComparedSlice(found, improvement, f"{improvement.value:{form}}", ends, *_finding(improvement, max_drop))


def _finding(improvement: Interval, max_drop: float) -> tuple[str, str]:
    half = half_width(improvement)
    if is_within_noise(improvement):
        shown = f"; {size_text(half)} or more could have been shown" if half else ""
        return f"the same within noise{shown}", "open"
    if improvement.low > 0:
        return "better", "good"
    return ("worse than allowed" if improvement.high < -max_drop else "worse, but not shown to be beyond the limit"), "bad"


def _scale(compared: Sequence[ComparedSlice], limit: float) -> Scale:
    ends = [end for one in compared for end in estimate_and_bounds(one.improvement)]
    return scale_of([*ends, 0.0, limit], WIDTH, _MARGIN)
