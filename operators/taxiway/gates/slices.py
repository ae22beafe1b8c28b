"""The model gate's reasons about slices: whether the candidate is significantly worse than the champion in some of them."""

from collections.abc import Iterator

from taxiway.gates.wording import (
    as_improvement,
    ci_label,
    decimals,
    estimate_and_bounds,
    interval_text,
    reason_to_fail,
    reason_to_pass,
)
from taxiway.messages import number_text
from taxiway.records import Evaluation, Reason, SliceResult, Status
from taxiway.spec.gate import Gate, Slices


def slice_reasons(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    """Whether the candidate is worse than the champion in a slice; nothing without a `slices` section."""
    if gate.slices is None:
        return
    if evaluation.champion is None:
        yield Reason(status=Status.NOT_APPLICABLE, message="no champion: slices are not compared")
        return
    compared = sum(s.difference is not None for s in evaluation.slices)
    if not compared:
        message = (
            f"no slice ({', '.join(gate.slices.by)}) has at least {gate.slices.min_rows:,} rows, so slices were not compared"
        )
        if any(s.rows >= gate.slices.min_rows for s in evaluation.slices):
            message = (
                f"no slice ({', '.join(gate.slices.by)}) has enough rows with different labels, so slices were not compared"
            )
        yield Reason(status=Status.NOT_APPLICABLE, message=message)
        return
    worse = [s for s in evaluation.slices if _exceeds_drop(s, gate, gate.slices.max_drop)]
    yield from (reason_to_fail(_slice_text(slice_, gate, gate.slices.max_drop)) for slice_ in worse)
    if not worse:
        yield reason_to_pass(_no_slice_worse_text(evaluation, gate, gate.slices, compared))


def _no_slice_worse_text(evaluation: Evaluation, gate: Gate, slices: Slices, compared: int) -> str:
    few_rows = sum(s.rows < slices.min_rows for s in evaluation.slices)
    other = "had too few groups, or too few different labels" if gate.group_by else "had too few different labels"
    not_compared = {"had too few rows": few_rows, other: len(evaluation.slices) - compared - few_rows}
    word = "drop" if gate.facts(gate.comparison_metric).direction > 0 else "rise"
    return (
        f"{compared} of {len(evaluation.slices)} slices ({', '.join(slices.by)}) compared: no significant {word} above "
        f"{number_text(slices.max_drop)}" + "".join(f"; {count} {why}" for why, count in not_compared.items() if count)
    )


def _slice_text(slice_: SliceResult, gate: Gate, max_drop: float) -> str:
    assert slice_.difference is not None
    did, word = ("dropped", "drop") if gate.facts(slice_.metric).direction > 0 else ("rose", "rise")
    values = estimate_and_bounds(slice_.difference)
    digits = decimals(values, (max_drop, -max_drop), scale=max(map(abs, values)))
    return (
        f"{slice_.metric} for {slice_.column} {slice_.value} {did} by {abs(slice_.difference.value):.{digits}f} "
        f"({slice_.rows:,} rows, {ci_label(slice_.confidence)} of the difference {interval_text(slice_.difference, f'+.{digits}f')}; "
        f"allowed {word}: {number_text(max_drop)})"
    )


def _exceeds_drop(slice_: SliceResult, gate: Gate, max_drop: float) -> bool:
    if slice_.difference is None:
        return False
    improvement = as_improvement(slice_.difference, gate.facts(slice_.metric).direction)
    return improvement.high < -max_drop  # even the better end of the interval is beyond the allowed drop
