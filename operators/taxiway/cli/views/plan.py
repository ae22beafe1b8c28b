"""The output of `taxiway gate plan`: text for people who have not read the paper, or JSON."""

import dataclasses
import json
import math
import textwrap
from collections.abc import Iterator
from typing import Any

from taxiway.gates.sample_size import GuaranteedCondition, RowCapacity, SampleSizePlan, row_capacity, sample_size
from taxiway.messages import counted, number_text
from taxiway.spec.conditions.budget import MAX_STEPS, Budget
from taxiway.spec.conditions.model import Clause, Condition, Variable
from taxiway.stats.sequential import expected_labels

_COLUMNS = 100
_UNBREAKABLE = "\N{NO-BREAK SPACE}"
_EXAMPLE = 0.1
_MEANING: dict[Variable, str] = {
    "n": "the accuracy of the new model",
    "o": "the accuracy of the old model",
    "d": "the share of rows on which they predict differently",
}


def plan_json(guaranteed: GuaranteedCondition, rows: int | None) -> str:
    """The plan as JSON; `rows` are what is available, None if nothing is known."""
    found = sample_size(guaranteed)
    content: dict[str, Any] = {
        "condition": str(guaranteed.condition),
        "confidence": guaranteed.confidence,
        "steps": guaranteed.budget.steps,
        "adaptivity": guaranteed.budget.adaptivity,
        "mode": guaranteed.mode,
        "method": guaranteed.method,
        "disagreement": guaranteed.disagreement,
        "rows": found.rows,
        "differing_rows": found.differing,
        "labels_one_by_one": None if (early := _one_by_one(guaranteed, found)) is None else early[0],
        "clauses": [
            {"clause": str(each.clause), "tolerance": each.clause.tolerance, "method": each.method, "rows": each.rows}
            for each in found.clauses
        ],
    }
    if rows is not None:
        can = row_capacity(guaranteed, rows)
        content["available"] = {
            "rows": rows,
            "enough": can.enough,
            "steps": can.steps,
            "passes": can.passes,
            "condition": None if can.condition is None else str(can.condition),
            "tolerances": None if can.condition is None else [clause.tolerance for clause in can.condition.clauses],
        }
    return json.dumps(content, indent=2)


def plan_text(guaranteed: GuaranteedCondition, rows: int | None) -> str:
    """The plan for people; `rows` are what is available, None if nothing is known."""
    found = sample_size(guaranteed)
    lines = [f"{_needed(found.rows, 'evaluation row')} for: {guaranteed.condition}", ""]
    lines += [f"    {name} is {_MEANING[name]}" for name in guaranteed.condition.variables]
    lines += ["", *_table(found), "", "What you get:"]
    for text in _promises(guaranteed, found):
        lines += _wrapped(text)
    if rows is not None:
        lines += ["", f"What {counted(rows, 'row')} can answer:"]
        for text in _answers(guaranteed, found, row_capacity(guaranteed, rows)):
            lines += _wrapped(text)
    cheaper = [f"  {counted(count, 'row'):>20}  {how}" for how, count in _cheaper(guaranteed) if count < found.rows]
    return "\n".join([*lines, *(["", "What would need fewer rows:", *cheaper] if cheaper else [])])


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(text, _COLUMNS, initial_indent="  * ", subsequent_indent="    ")
    return [line.replace(_UNBREAKABLE, " ") for line in lines]


def _unbroken(formula: str) -> str:
    """A formula that `_wrapped` leaves on one line."""
    return formula.replace(" ", _UNBREAKABLE)


def _table(found: SampleSizePlan) -> Iterator[str]:
    table = [("comparison", "rows", "method"), *((str(one.clause), f"{one.rows:,}", one.method) for one in found.clauses)]
    widths = [max(len(row[column]) for row in table) for column in range(2)]
    for comparison, rows, method in table:
        yield f"    {comparison:<{widths[0]}}  {rows:>{widths[1]}}  {method}"


def _promises(guaranteed: GuaranteedCondition, found: SampleSizePlan) -> Iterator[str]:
    error = f"{number_text(round(100 * (1 - guaranteed.confidence), 10))}%"
    models = counted(guaranteed.budget.steps, "model")
    if guaranteed.mode == "fp-free":
        yield (
            f"Of {models} tried on these rows, the probability that any passes which does not meet the condition is at most "
            f"{error}. {_influence(guaranteed.budget)}"
        )
        yield (
            f"A model passes if its estimates meet {_limits(guaranteed.condition, 1, ' and ')}; an estimate nearer to the bound is not "
            "enough."
        )
    else:
        yield (
            f"Of {models} tried on these rows, the probability that any is rejected which meets the condition is at most "
            f"{error}. {_influence(guaranteed.budget)}"
        )
        yield f"A model is rejected if {_limits(guaranteed.condition, -1, ' or ')}; an estimate nearer to the bound is good enough."
    if guaranteed.log_values and guaranteed.budget.steps > 1:
        bits = guaranteed.log_values / math.log(2)
        yield (
            f"With each answer, the means may be shown as whole percents: {bits:.1f} bits, which the models that follow pay for. The rows "
            "are those of the last one."
        )
    if found.differing == 0:
        yield "It only matters whether the predictions differ. Even so, the gate leaves out rows without a label."
    elif found.differing is not None:
        yield (
            f"Each row needs a label, because the gate leaves out rows without one. About {found.differing:,} of them decide: those on "
            "which the predictions differ."
        )
        early = _one_by_one(guaranteed, found)
        if early is not None:
            yield (
                f"Outside of the gate, about {counted(early[0], 'label')} of such rows, bought one by one in random order, show {early[1]} "
                "(an e-process, which may be looked at after each label: taxiway.stats.sequential in Python)."
            )


def _influence(budget: Budget) -> str:
    match budget.adaptivity:
        case "none":
            return "Nobody may see an answer before the last model is trained."
        case "full":
            return "Each answer may influence the next model."
        case _:
            return f"Each answer may influence the next model; after {counted(budget.passes, 'pass', 'passes')}, new rows are needed."


def _limits(condition: Condition, side: int, joined: str) -> str:
    """What the estimates have to be to pass (side 1), or not to (side -1): `n > 0.85 and d < 0.09`."""
    texts = []
    for clause in condition.clauses:
        sign = ">" if (clause.comparison == ">") == (side > 0) else "<"
        limit = clause.bound + (clause.tolerance if sign == ">" else -clause.tolerance)
        texts.append(_unbroken(f"{clause.expression} {sign} {number_text(round(limit, 10))}"))
    return joined.join(texts)


def _needed(rows: int, noun: str) -> str:
    return f"{counted(rows, noun)} {'is' if rows == 1 else 'are'} needed"


def _answers(guaranteed: GuaranteedCondition, found: SampleSizePlan, can: RowCapacity) -> Iterator[str]:
    if can.enough:
        yield f"They are enough for {counted(guaranteed.budget.steps, 'model')}."
    else:
        yield f"They are too few: {_needed(found.rows - can.rows, 'more row')}."
    if can.steps == 0:
        yield "At this tolerance they cannot answer for a single model."
    else:
        more = " or more" if can.steps == MAX_STEPS else ""
        yield f"At this tolerance they can answer for {counted(can.steps, 'model')}{more} ({guaranteed.budget.adaptivity})."
    if 0 < can.passes < guaranteed.budget.passes:
        instead = "first-change" if can.passes == 1 else f"passes:{can.passes}"
        yield (
            f"At this tolerance they can answer for {counted(guaranteed.budget.steps, 'model')} if there are new rows after "
            f"{counted(can.passes, 'pass', 'passes')} (--adaptivity {instead})."
        )
    if can.condition is None:
        yield "No tolerance is large enough for so few rows."
    else:
        yield f"For {counted(guaranteed.budget.steps, 'model')}, the smallest tolerance is {_unbroken(str(can.condition))}"


def _cheaper(guaranteed: GuaranteedCondition) -> Iterator[tuple[str, int]]:
    """Changes of the condition or its guarantee, and the rows that it needs with each."""
    if guaranteed.method == "hoeffding":
        yield "with the tightest valid method (--method best)", sample_size(dataclasses.replace(guaranteed, method="best")).rows
    if _difference(guaranteed) is not None and guaranteed.disagreement is None and guaranteed.method == "best":
        known = dataclasses.replace(guaranteed, disagreement=_EXAMPLE)
        yield f"if the models differ on {100 * _EXAMPLE:.0f}% of the rows (--disagreement {_EXAMPLE})", sample_size(known).rows
    clauses = tuple(dataclasses.replace(clause, tolerance=2 * clause.tolerance) for clause in guaranteed.condition.clauses)
    wider = Condition(clauses)
    if wider.undecidable_reason() is None:
        yield f"with twice the tolerance: {wider}", sample_size(dataclasses.replace(guaranteed, condition=wider)).rows
    if guaranteed.log_values:
        hidden = dataclasses.replace(guaranteed, log_values=0.0)
        yield "with only the decision shown (--show decision)", sample_size(hidden).rows
    if guaranteed.budget.passes > 1:
        budget = guaranteed.budget.model_copy(update={"adaptivity": "first-change"})
        yield (
            "with new rows after the first pass (--adaptivity first-change)",
            sample_size(dataclasses.replace(guaranteed, budget=budget)).rows,
        )
    if guaranteed.budget.steps > 1:
        once = guaranteed.budget.model_copy(update={"steps": 1})
        yield "for a single model (--steps 1)", sample_size(dataclasses.replace(guaranteed, budget=once)).rows


def _difference(guaranteed: GuaranteedCondition) -> Clause | None:
    """The only comparison of new minus old; None if there is none, or several."""
    found = [clause for clause in guaranteed.condition.clauses if clause.is_difference]
    return found[0] if len(found) == 1 else None


def _one_by_one(guaranteed: GuaranteedCondition, found: SampleSizePlan) -> tuple[int, str] | None:
    """About how many labels an e-process takes if new minus old is twice the tolerance beyond the bound, and that value of it.

    None if it takes more labels than the plan, or if the plan is not about showing a difference.
    """
    clause = _difference(guaranteed)
    if clause is None or not found.differing or guaranteed.mode == "fn-free":
        return None
    factor, sign = clause.factors[0][1], 1 if clause.comparison == ">" else -1
    true = clause.bound + 2 * sign * clause.tolerance
    # Of a claim that the old model is better, the old model is the one that wins.
    wins = sign / abs(factor)
    gain, bound, differing = wins * true, wins * clause.bound, found.differing / found.rows
    if not (-differing < gain < differing and -1 < bound < 1):
        return None
    labels = expected_labels(gain, differing, bound, guaranteed.log_error, found.rows)
    return None if labels is None else (labels, _unbroken(f"{clause.expression} = {number_text(round(true, 10))}"))
