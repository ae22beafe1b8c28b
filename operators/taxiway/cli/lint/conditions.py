"""Notes about conditions of gates: rows that their tolerances do not have, and first models without a minimum."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from taxiway.errors import ConfigError
from taxiway.gates.conditions.reasons import question_of
from taxiway.gates.plan import Question, fits, limits_disagreement, plan, shown_values, supported
from taxiway.messages import counted
from taxiway.records import Show
from taxiway.spec.conditions.entry import GateCondition
from taxiway.spec.gate import Gate
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.pipeline_file import line_of

_DISAGREEMENT = 0.1


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


def _rows_note(entry: GateCondition, gate: Gate) -> str | None:
    show: Show = "rounded" if gate.shown == "rounded" else "decision"
    question = dataclasses.replace(
        question_of(entry, gate), part=1 / len(gate.conditions), log_values=shown_values(entry.parsed, show)
    )
    assumed = _assumes_disagreement(question)
    if assumed:
        question = dataclasses.replace(question, disagreement=_DISAGREEMENT)
    try:
        needed = f"{plan(question).rows:,}"
    except ConfigError:
        needed = "more than 10^12"
    at = f" if the models differ on {100 * _DISAGREEMENT:.0f}% of them" if assumed else ""
    if gate.group_by is not None:
        return f"{entry.parsed} needs {needed} groups of evaluation rows by {gate.group_by}, if they are of equal size"
    if fits(question, gate.min_rows):
        return None
    found = supported(question, gate.min_rows)
    possible = [] if found.condition is None else [str(found.condition)]
    if found.steps:
        possible.append(f"{counted(found.steps, 'step')} instead of {gate.budget.steps:,}")
    instead = f", which supports {', or '.join(possible)}" if possible else ""
    return (
        f"{entry.parsed} needs {needed} evaluation rows{at}, but gate.min_rows is {gate.min_rows:,}{instead}. If a span has more rows, say "
        "so in min_rows"
    )


def _assumes_disagreement(question: Question) -> bool:
    """Whether the rows depend on a disagreement about which the condition says nothing."""
    clauses = question.condition.clauses
    by_rows = question.is_share and question.independent
    return by_rows and any(clause.is_difference for clause in clauses) and not any(map(limits_disagreement, clauses))
