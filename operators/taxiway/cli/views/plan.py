"""The output of `taxiway gate plan`: text for people who have not read the paper, or JSON."""

import dataclasses
import json
import math
import textwrap
from collections.abc import Iterator
from typing import Any

from taxiway.gates.plan import Plan, Question, Supported, plan, supported
from taxiway.messages import counted, number_text
from taxiway.spec.conditions.budget import MOST_STEPS, Budget
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


def plan_json(question: Question, rows: int | None) -> str:
    """The plan as JSON; `rows` are what is available, None if nothing is known."""
    found = plan(question)
    content: dict[str, Any] = {
        "condition": str(question.condition),
        "confidence": question.confidence,
        "steps": question.budget.steps,
        "adaptivity": question.budget.adaptivity,
        "mode": question.mode,
        "method": question.method,
        "disagreement": question.disagreement,
        "rows": found.rows,
        "differing_rows": found.differing,
        "labels_one_by_one": None if (early := _one_by_one(question, found)) is None else early[0],
        "clauses": [
            {"clause": str(each.clause), "tolerance": each.clause.tolerance, "method": each.method, "rows": each.rows}
            for each in found.clauses
        ],
    }
    if rows is not None:
        can = supported(question, rows)
        content["available"] = {
            "rows": rows,
            "enough": can.enough,
            "steps": can.steps,
            "passes": can.passes,
            "condition": None if can.condition is None else str(can.condition),
            "tolerances": None if can.condition is None else [clause.tolerance for clause in can.condition.clauses],
        }
    return json.dumps(content, indent=2)


def plan_text(question: Question, rows: int | None) -> str:
    """The plan for people; `rows` are what is available, None if nothing is known."""
    found = plan(question)
    lines = [f"{_needed(found.rows, 'evaluation row')} for: {question.condition}", ""]
    lines += [f"    {name} is {_MEANING[name]}" for name in question.condition.variables]
    lines += ["", *_table(found), "", "What you get:"]
    for text in _promises(question, found):
        lines += _wrapped(text)
    if rows is not None:
        lines += ["", f"What {counted(rows, 'row')} can answer:"]
        for text in _answers(question, found, supported(question, rows)):
            lines += _wrapped(text)
    cheaper = [f"  {counted(count, 'row'):>20}  {how}" for how, count in _cheaper(question) if count < found.rows]
    return "\n".join([*lines, *(["", "What would need fewer rows:", *cheaper] if cheaper else [])])


def _wrapped(text: str) -> list[str]:
    lines = textwrap.wrap(text, _COLUMNS, initial_indent="  * ", subsequent_indent="    ")
    return [line.replace(_UNBREAKABLE, " ") for line in lines]


def _unbroken(formula: str) -> str:
    """A formula that `_wrapped` leaves on one line."""
    return formula.replace(" ", _UNBREAKABLE)


def _table(found: Plan) -> Iterator[str]:
    table = [("comparison", "rows", "method"), *((str(one.clause), f"{one.rows:,}", one.method) for one in found.clauses)]
    widths = [max(len(row[column]) for row in table) for column in range(2)]
    for comparison, rows, method in table:
        yield f"    {comparison:<{widths[0]}}  {rows:>{widths[1]}}  {method}"


def _promises(question: Question, found: Plan) -> Iterator[str]:
    error = f"{number_text(round(100 * (1 - question.confidence), 10))}%"
    models = counted(question.budget.steps, "model")
    if question.mode == "fp-free":
        yield (
            f"Of {models} tried on these rows, the probability that any passes which does not meet the condition is at most "
            f"{error}. {_influence(question.budget)}"
        )
        yield (
            f"A model passes if its estimates meet {_limits(question.condition, 1, ' and ')}; an estimate nearer to the bound is not "
            "enough."
        )
    else:
        yield (
            f"Of {models} tried on these rows, the probability that any is rejected which meets the condition is at most "
            f"{error}. {_influence(question.budget)}"
        )
        yield f"A model is rejected if {_limits(question.condition, -1, ' or ')}; an estimate nearer to the bound is good enough."
    if question.log_values and question.budget.steps > 1:
        bits = question.log_values / math.log(2)
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
        early = _one_by_one(question, found)
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


def _answers(question: Question, found: Plan, can: Supported) -> Iterator[str]:
    if can.enough:
        yield f"They are enough for {counted(question.budget.steps, 'model')}."
    else:
        yield f"They are too few: {_needed(found.rows - can.rows, 'more row')}."
    if can.steps == 0:
        yield "At this tolerance they cannot answer for a single model."
    else:
        more = " or more" if can.steps == MOST_STEPS else ""
        yield f"At this tolerance they can answer for {counted(can.steps, 'model')}{more} ({question.budget.adaptivity})."
    if 0 < can.passes < question.budget.passes:
        instead = "first-change" if can.passes == 1 else f"passes:{can.passes}"
        yield (
            f"At this tolerance they can answer for {counted(question.budget.steps, 'model')} if there are new rows after "
            f"{counted(can.passes, 'pass', 'passes')} (--adaptivity {instead})."
        )
    if can.condition is None:
        yield "No tolerance is large enough for so few rows."
    else:
        yield f"For {counted(question.budget.steps, 'model')}, the smallest tolerance is {_unbroken(str(can.condition))}"


def _cheaper(question: Question) -> Iterator[tuple[str, int]]:
    """Changes of the question, and the rows that it needs with each."""
    if question.method == "hoeffding":
        yield "with the tightest valid method (--method best)", plan(dataclasses.replace(question, method="best")).rows
    if _difference(question) is not None and question.disagreement is None and question.method == "best":
        known = dataclasses.replace(question, disagreement=_EXAMPLE)
        yield f"if the models differ on {100 * _EXAMPLE:.0f}% of the rows (--disagreement {_EXAMPLE})", plan(known).rows
    clauses = tuple(dataclasses.replace(clause, tolerance=2 * clause.tolerance) for clause in question.condition.clauses)
    wider = Condition(clauses)
    if wider.impossible() is None:
        yield f"with twice the tolerance: {wider}", plan(dataclasses.replace(question, condition=wider)).rows
    if question.log_values:
        hidden = dataclasses.replace(question, log_values=0.0)
        yield "with only the decision shown (--show decision)", plan(hidden).rows
    if question.budget.passes > 1:
        budget = question.budget.model_copy(update={"adaptivity": "first-change"})
        yield (
            "with new rows after the first pass (--adaptivity first-change)",
            plan(dataclasses.replace(question, budget=budget)).rows,
        )
    if question.budget.steps > 1:
        once = question.budget.model_copy(update={"steps": 1})
        yield "for a single model (--steps 1)", plan(dataclasses.replace(question, budget=once)).rows


def _difference(question: Question) -> Clause | None:
    """The only comparison of new minus old; None if there is none, or several."""
    found = [clause for clause in question.condition.clauses if clause.is_difference]
    return found[0] if len(found) == 1 else None


def _one_by_one(question: Question, found: Plan) -> tuple[int, str] | None:
    """About how many labels an e-process takes if new minus old is twice the tolerance beyond the bound, and that value of it.

    None if it takes more labels than the plan, or if the plan is not about showing a difference.
    """
    clause = _difference(question)
    if clause is None or not found.differing or question.mode == "fn-free":
        return None
    factor, sign = clause.factors[0][1], 1 if clause.comparison == ">" else -1
    true = clause.bound + 2 * sign * clause.tolerance
    # Of a claim that the old model is better, the old model is the one that wins.
    wins = sign / abs(factor)
    gain, bound, differing = wins * true, wins * clause.bound, found.differing / found.rows
    if not (-differing < gain < differing and -1 < bound < 1):
        return None
    labels = expected_labels(gain, differing, bound, question.log_error, found.rows)
    return None if labels is None else (labels, _unbroken(f"{clause.expression} = {number_text(round(true, 10))}"))
