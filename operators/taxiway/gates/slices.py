"""The model gate's reasons about slices: whether the candidate is significantly worse than the champion in some of them."""

from collections.abc import Iterator

from taxiway.gates.noise import half_width, is_within_noise, size_text
from taxiway.gates.wording import (
    as_improvement,
    bootstrap_method,
    ci_label,
    decimals,
    estimate_and_bounds,
    interval_text,
)
from taxiway.messages import number_text
from taxiway.records import Evaluation, Interval, Reason, ReasonCode, SliceResult, Status
from taxiway.spec.gate import Gate, Slices


def slice_reasons(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    """Whether the candidate is worse than the champion in a slice; nothing without a `slices` section."""
    if gate.slices is None:
        return
    if evaluation.champion is None:
        yield _reason(Status.NOT_APPLICABLE, "no champion: slices are not compared", evaluation, gate, gate.slices)
        return
    compared = [s for s in evaluation.slices if s.difference is not None]
    if not compared:
        message = (
            f"no slice ({', '.join(gate.slices.by)}) has at least {gate.slices.min_rows:,} rows, so slices were not compared"
        )
        if any(s.rows >= gate.slices.min_rows for s in evaluation.slices):
            message = (
                f"no slice ({', '.join(gate.slices.by)}) has enough rows with different labels, so slices were not compared"
            )
        yield _reason(Status.NOT_APPLICABLE, message, evaluation, gate, gate.slices)
        return
    worse = [s for s in compared if _exceeds_drop(s, gate, gate.slices.max_drop)]
    for slice_ in worse:
        message = _slice_text(slice_, gate, gate.slices.max_drop)
        yield _reason(Status.FAIL, message, evaluation, gate, gate.slices, _improvement(slice_, gate))
    if not worse:
        message = _no_slice_worse_text(evaluation, gate, gate.slices, compared)
        yield _reason(Status.PASS, message, evaluation, gate, gate.slices)


def _reason(
    status: Status, message: str, evaluation: Evaluation, gate: Gate, slices: Slices, improvement: Interval | None = None
) -> Reason:
    return Reason(
        status=status,
        code=ReasonCode.SLICE_DROP,
        message=message,
        rule=f"slices.max_drop: improvement of {gate.comparison_metric} >= -{number_text(slices.max_drop)}",
        estimate=improvement,
        limit=-slices.max_drop,
        method=f"{bootstrap_method(evaluation, paired=True)}, Bonferroni over the compared slices",
    )


def _no_slice_worse_text(evaluation: Evaluation, gate: Gate, slices: Slices, compared: list[SliceResult]) -> str:
    few_rows = sum(s.rows < slices.min_rows for s in evaluation.slices)
    other = "had too few groups, or too few different labels" if gate.group_by else "had too few different labels"
    not_compared = {"had too few rows": few_rows, other: len(evaluation.slices) - len(compared) - few_rows}
    return (
        f"{len(compared)} of {len(evaluation.slices)} slices ({', '.join(slices.by)}) compared: no significant {_drop(gate)} above "
        f"{number_text(slices.max_drop)}; {_resolution_text(compared, gate)}"
        + "".join(f"; {count} {why}" for why, count in not_compared.items() if count)
    )


def _resolution_text(compared: list[SliceResult], gate: Gate) -> str:
    """How many slices are the same within noise, and the smallest drop that each could have shown."""
    found = [(half_width(s.difference) or 0.0, s) for s in compared if s.difference is not None]
    same = sum(s.difference is not None and is_within_noise(s.difference) for s in compared)
    (least, finest), (most, coarsest) = (choose(found, key=lambda one: one[0]) for choose in (min, max))
    text = f"{same or 'none'} the same within noise"
    if not most:
        return text
    ends = [(least, finest), (most, coarsest)] if least and len(found) > 1 else [(most, coarsest)]
    shown = " to ".join(f"{size_text(half)} ({s.column} {s.value})" for half, s in ends)
    return f"{text}; the smallest {_drop(gate)} that could have been shown: {shown}"


def _drop(gate: Gate) -> str:
    return "drop" if gate.facts(gate.comparison_metric).direction > 0 else "rise"


def _slice_text(slice_: SliceResult, gate: Gate, max_drop: float) -> str:
    assert slice_.difference is not None
    did = "dropped" if gate.facts(slice_.metric).direction > 0 else "rose"
    values = estimate_and_bounds(slice_.difference)
    digits = decimals(values, (max_drop, -max_drop), scale=max(map(abs, values)))
    return (
        f"{slice_.metric} for {slice_.column} {slice_.value} {did} by {abs(slice_.difference.value):.{digits}f} "
        f"({slice_.rows:,} rows, {ci_label(slice_.confidence)} of the difference {interval_text(slice_.difference, f'+.{digits}f')}; "
        f"allowed {_drop(gate)}: {number_text(max_drop)})"
    )


def _improvement(slice_: SliceResult, gate: Gate) -> Interval | None:
    if slice_.difference is None:
        return None
    return as_improvement(slice_.difference, gate.facts(slice_.metric).direction)


def _exceeds_drop(slice_: SliceResult, gate: Gate, max_drop: float) -> bool:
    improvement = _improvement(slice_, gate)
    return improvement is not None and improvement.high < -max_drop  # even its better end is beyond the allowed drop
