"""Notes about conditions of gates: rows that their tolerances do not have, and first models without a minimum."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

from taxiway.errors import ConfigError
from taxiway.gates.conditions.reasons import guaranteed_condition
from taxiway.gates.sample_size import (
    GuaranteedCondition,
    RowCapacity,
    limits_disagreement,
    log_shown_values,
    row_capacity,
    rows_suffice,
    sample_size,
)
from taxiway.messages import counted
from taxiway.records import Show
from taxiway.spec.conditions.entry import GateCondition
from taxiway.spec.files.pipeline_file import line_of
from taxiway.spec.gate import Gate
from taxiway.spec.pipeline import Pipeline

DISAGREEMENT = 0.1
"""The share of rows with different predictions that is assumed, if a condition does not limit it."""


def condition_notes(file: Path, pipeline: Pipeline) -> Iterator[str]:
    """What a gate's conditions ask for that `gate.min_rows` does not promise.

    Args:
        file: The pipeline file.
        pipeline: The pipeline in it.
    """
    gate = pipeline.gate
    for number, entry in enumerate(gate.conditions):
        note = _rows_note(entry, gate)
        if note is not None:
            yield f"{file.name}:{line_of(file, ['gate', 'conditions', number])}: {note}"
    if gate.conditions and gate.show == "exact" and gate.budget.steps > 1:
        yield (
            f"{file.name}:{line_of(file, ['gate', 'show'])}: exact scores tell everything about the rows with the first answer, so only one "
            f"model of the {gate.budget.steps:,} of gate.budget.steps can be decided by conditions; allowed with more: decision, rounded"
        )
    if gate.conditions and not gate.thresholds and all(entry.needs_champion for entry in gate.conditions):
        yield (
            f"{file.name}:{line_of(file, ['gate', 'conditions'])}: nothing is required of a model while there is no champion; add "
            "thresholds, or a condition on n alone"
        )


def planned_condition(entry: GateCondition, gate: Gate) -> GuaranteedCondition:
    """A condition with its guarantee, as its sample size is planned: for the last model of the budget, and a disagreement if it is not limited.

    Args:
        entry: The condition.
        gate: The gate that it is in, or is to be in.
    """
    show: Show = "rounded" if gate.shown == "rounded" else "decision"
    guaranteed = guaranteed_condition(entry, gate)
    return dataclasses.replace(
        guaranteed,
        error_share=1 / max(1, len(gate.conditions)),
        log_values=log_shown_values(entry.parsed, show) + (math.log(2) if _may_be_undecided(gate) else 0.0),
        disagreement=DISAGREEMENT if _assumes_disagreement(guaranteed) else None,
    )


def _rows_note(entry: GateCondition, gate: Gate) -> str | None:
    guaranteed = planned_condition(entry, gate)
    if gate.group_by is not None:
        groups = f"groups of evaluation rows by {gate.group_by}, if they are of equal size"
        return f"{entry.parsed} needs {_rows_text(guaranteed)} {groups}"
    if rows_suffice(guaranteed, gate.min_rows):
        return None
    assumed = (
        "" if guaranteed.disagreement is None else f" if the models differ on {100 * guaranteed.disagreement:.0f}% of them"
    )
    possible = [*_possible(row_capacity(guaranteed, gate.min_rows), gate)]
    instead = f", which supports {', or '.join(possible)}" if possible else ""
    return (
        f"{entry.parsed} needs {_rows_text(guaranteed)} evaluation rows{assumed}, but gate.min_rows is {gate.min_rows:,}{instead}"
        f"{_price_text(guaranteed, gate)}. If a span has more rows, say so in min_rows"
    )


def _rows_text(guaranteed: GuaranteedCondition) -> str:
    try:
        return f"{sample_size(guaranteed).rows:,}"
    except ConfigError:
        return "more than 10^12"


def _possible(found: RowCapacity, gate: Gate) -> Iterator[str]:
    """What the rows support instead, by a change of the tolerance, of the passes, or of the steps alone."""
    budget = gate.budget
    if found.condition is not None:
        yield str(found.condition)
    if 0 < found.passes < budget.passes:
        adaptivity = "first-change" if found.passes == 1 else f"passes:{found.passes}"
        yield f"{counted(found.passes, 'pass', 'passes')} instead of {budget.passes:,} (adaptivity: {adaptivity})"
    if found.steps:
        yield f"{counted(found.steps, 'step')} instead of {budget.steps:,}"


def _price_text(guaranteed: GuaranteedCondition, gate: Gate) -> str:
    """What it costs that other requirements may be UNDECIDED."""
    if not _may_be_undecided(gate) or gate.budget.steps == 1:
        return ""
    alone = dataclasses.replace(guaranteed, log_values=guaranteed.log_values - math.log(2))
    return (
        f". Without thresholds and against_champion it needs {_rows_text(alone)}: with them, an answer may also be UNDECIDED, which is 1 bit "
        "more to pay for"
    )


def _may_be_undecided(gate: Gate) -> bool:
    """Whether the answer may be UNDECIDED although there are enough rows for the conditions, which is a bit more to learn from it."""
    return bool(gate.thresholds or gate.against_champion)


def _assumes_disagreement(guaranteed: GuaranteedCondition) -> bool:
    """Whether the rows depend on a disagreement about which the condition says nothing."""
    clauses = guaranteed.condition.clauses
    by_rows = guaranteed.is_binary and guaranteed.independent
    return by_rows and any(clause.is_difference for clause in clauses) and not any(map(limits_disagreement, clauses))
