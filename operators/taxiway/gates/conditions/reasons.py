"""The model gate's reasons about `gate.conditions`."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

from taxiway.errors import ConfigError
from taxiway.gates.bounds.clause import Seen
from taxiway.gates.conditions.decide import Answer, ClauseAnswer, Truth, answer, shown_at, with_disagreement
from taxiway.gates.labels import labelling_hint
from taxiway.gates.noise import noise_text
from taxiway.gates.sample_size import GuaranteedCondition, row_capacity, rows_suffice, sample_size
from taxiway.gates.wording import decimals, known, percent_text
from taxiway.messages import counted, number_text
from taxiway.records import Evaluation, Interval, Reason, ReasonCode, RowMeans, Status
from taxiway.spec.conditions.entry import GateCondition
from taxiway.spec.conditions.model import Condition, Variable
from taxiway.spec.gate import Gate
from taxiway.stats.multiplicity import holm


def condition_reasons(evaluation: Evaluation, gate: Gate, log_share: float | None = None) -> Iterator[Reason]:
    """One reason for each condition. Together, they are wrong with at most the error of the gate (Holm's procedure).

    Without a champion, only comparisons on n alone are decided.

    Args:
        evaluation: The scores.
        gate: The `gate` section.
        log_share: The logarithm of the share of the error for this answer, see `taxiway.stats.spending`; None for that of the
            first answer.
    """
    asked = _guaranteed_conditions(evaluation, gate, log_share)
    compared = [entry for entry, _, _ in asked]
    yield from (_not_compared(entry) for entry in gate.conditions if entry not in compared)
    total = math.log1p(-gate.confidence)
    claims = [
        lambda level, guaranteed=guaranteed, rows=rows: shown_at(guaranteed, rows, math.exp(level - total))
        for _, guaranteed, rows in asked
    ]
    for (entry, guaranteed, rows), level in zip(asked, holm(claims, total), strict=True):
        decided = dataclasses.replace(guaranteed, error_share=math.exp(level - total))
        yield _reason(entry, decided, rows, answer(decided, rows), evaluation, gate)


def enough_rows(evaluation: Evaluation, gate: Gate, log_share: float | None) -> bool:
    """Whether there are enough rows for the tolerances of all conditions, which does not depend on labels."""
    return not missing_rows_text(evaluation, gate, log_share)


def missing_rows_text(evaluation: Evaluation, gate: Gate, log_share: float | None) -> str:
    """What to bring for conditions whose tolerances need more rows, a clause each; it does not depend on labels.

    Args:
        evaluation: The scores.
        gate: The `gate` section.
        log_share: The logarithm of the share of the error for this answer.
    """
    asked = _guaranteed_conditions(evaluation, gate, log_share)
    parts = [(dataclasses.replace(guaranteed, error_share=1 / len(asked)), seen) for _, guaranteed, seen in asked]
    missing = [each for each in parts if not rows_suffice(with_disagreement(each[0], each[1]), each[1].rows)]
    labels = labelling_hint(evaluation, _most_missing(missing)) if missing else ""
    return "".join(_needed_rows_text(guaranteed, seen) for guaranteed, seen in missing) + labels


def _guaranteed_conditions(
    evaluation: Evaluation, gate: Gate, log_share: float | None
) -> list[tuple[GateCondition, GuaranteedCondition, Seen]]:
    """The conditions that can be decided, with what the rows say; without a champion, the comparisons on n alone."""
    found = []
    for entry in gate.conditions:
        guaranteed: GuaranteedCondition | None = guaranteed_condition(entry, gate, log_share)
        if evaluation.champion is None and guaranteed is not None:
            guaranteed = _without_champion(guaranteed)
        if guaranteed is not None:
            found.append((entry, guaranteed, _seen(evaluation, entry.metric)))
    return found


def guaranteed_condition(entry: GateCondition, gate: Gate, log_share: float | None = None) -> GuaranteedCondition:
    """An entry of `gate.conditions` with its guarantee: the whole error probability of the gate, or a share of it."""
    facts = gate.facts(entry.metric)
    return GuaranteedCondition(
        entry.parsed,
        gate.confidence,
        gate.budget,
        entry.mode,
        metric_range=(facts.low, facts.high),
        is_binary=entry.metric == "accuracy",
        independent=gate.group_by is None,
        log_share=log_share,
    )


def _without_champion(guaranteed: GuaranteedCondition) -> GuaranteedCondition | None:
    clauses = tuple(clause for clause in guaranteed.condition.clauses if not clause.needs_old_model)
    return dataclasses.replace(guaranteed, condition=Condition(clauses)) if clauses else None


def _not_compared(entry: GateCondition) -> Reason:
    return Reason(
        status=Status.NOT_APPLICABLE,
        code=ReasonCode.CONDITION,
        message=f"no champion: {entry.parsed} is about the champion and is not decided",
        rule=_rule(entry.parsed),
    )


def _means(evaluation: Evaluation, metric: str) -> RowMeans:
    for means in evaluation.row_means:
        if means.metric == metric:
            return means
    raise KeyError(f"the evaluation has no means of {metric}; it has {[means.metric for means in evaluation.row_means]}")


def _seen(evaluation: Evaluation, metric: str) -> Seen:
    means = _means(evaluation, metric)
    values: dict[Variable, float] = {"n": means.candidate}
    if means.champion is not None:
        values["o"] = means.champion
    if means.disagreement is not None:
        values["d"] = means.disagreement
    return Seen(means.units, values, means.variance)


def _reason(
    entry: GateCondition, guaranteed: GuaranteedCondition, seen: Seen, found: Answer, evaluation: Evaluation, gate: Gate
) -> Reason:
    means = _means(evaluation, entry.metric)
    values = ", ".join(f"{name} {seen.values[name]:.4f}" for name in guaranteed.condition.variables)
    rows = counted(means.rows, "row")
    if evaluation.groups is not None:
        rows += f" in groups by {evaluation.groups.column}, worth {seen.rows:,.1f} independent ones"
    return Reason(
        status=found.status,
        code=ReasonCode.CONDITION,
        message=f"{guaranteed.condition} {_finding(guaranteed, found)}: {'; '.join(map(_clause_text, found.clauses))} "
        f"({entry.metric}: {values}; {rows}; {percent_text(gate.confidence)} confidence for "
        f"{_models_text(gate.budget.steps)} on these rows){_more_rows_text(guaranteed, seen, found, evaluation)}",
        rule=_rule(guaranteed.condition),
        estimate=known(_interval(found.clauses[0], means.rows)) if len(found.clauses) == 1 else None,
        limit=found.clauses[0].clause.bound if len(found.clauses) == 1 else None,
        method="; ".join(dict.fromkeys(clause.method for clause in found.clauses)),
    )


def _models_text(steps: int) -> str:
    return "one model" if steps == 1 else f"all of {counted(steps, 'model')}"


def _rule(condition: Condition) -> str:
    return f"conditions: {condition}"


def _interval(found: ClauseAnswer, rows: int) -> Interval:
    return Interval(value=found.value, low=found.interval[0], high=found.interval[1], rows=rows)


def _finding(guaranteed: GuaranteedCondition, found: Answer) -> str:
    if found.truth is Truth.TRUE:
        return "is met"
    if found.truth is Truth.FALSE:
        return "is not met"
    if found.status is Status.UNDECIDED:
        return "is undecided"
    verdict = "is not shown" if guaranteed.mode == "fp-free" else "is not refuted"
    return f"{verdict}, although there are enough rows for its tolerance ({guaranteed.mode})"


def _clause_text(found: ClauseAnswer) -> str:
    low, high = found.interval
    numbers = (found.value, low, high)
    sign = "+" if found.clause.is_difference else ""
    form = f"{sign}.{decimals(numbers, (found.clause.bound,))}f"
    text = f"{found.clause.expression} = {found.value:{form}} ({low:{form}} to {high:{form}}, {found.method})"
    if found.truth is Truth.UNKNOWN:
        text += f", which includes {number_text(found.clause.bound)}"
    return text + (noise_text(_interval(found, 0)) if found.clause.is_difference else "")


def _more_rows_text(guaranteed: GuaranteedCondition, seen: Seen, found: Answer, evaluation: Evaluation) -> str:
    """What to bring if a condition is undecided."""
    if found.status is not Status.UNDECIDED:
        return ""
    return _needed_rows_text(guaranteed, seen) + labelling_hint(evaluation, _most_missing([(guaranteed, seen)]))


def _most_missing(conditions: Sequence[tuple[GuaranteedCondition, Seen]]) -> int | None:
    """How many more rows are needed to decide all of some conditions; None if that is not a number of rows."""
    if not all(guaranteed.independent for guaranteed, _ in conditions):
        return None
    try:
        return max(sample_size(with_disagreement(*each)).rows - math.floor(each[1].rows) for each in conditions)
    except ConfigError:
        return None


def _needed_rows_text(guaranteed: GuaranteedCondition, seen: Seen) -> str:
    unit = "row" if guaranteed.independent else "group"
    asked, rows = with_disagreement(guaranteed, seen), math.floor(seen.rows)
    try:
        needed = sample_size(asked).rows
        text = f"{needed:,} {unit}s, which is {needed - rows:,} more"
    except ConfigError:
        text = f"more than 10^12 {unit}s"
    possible = row_capacity(asked, rows).condition
    return f"; its tolerance needs {text}{'' if possible is None else f'; {rows:,} {unit}s support {possible}'}"
