"""The output of `taxiway gate ledger`: what was asked about the evaluation sets of a model, and what is left of them."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from taxiway.gates.evaluation_sets import Entry, account_of, overlaps
from taxiway.messages import counted, printable
from taxiway.records import EvaluationSet
from taxiway.stages.validate_model.judge import Judged
from taxiway.stats.spending import Account

_DIGITS = 12


def ledger_json(entries: Sequence[Entry]) -> str:
    """The questions as JSON, those about the newest set first."""
    return json.dumps([_set_json(content, entries) for content in _sets(entries)], indent=2)


def ledger_text(model: str, entries: Sequence[Entry]) -> str:
    """The questions for people, those about the newest set first."""
    if not entries:
        return f"nothing was asked about versions of {model}: no evaluation rows are spent"
    sets = _sets(entries)
    lines = [f"{model}: {counted(len(entries), 'question')} about {counted(len(sets), 'evaluation set')}"]
    for content in sets:
        lines += ["", *_set_lines(content, entries)]
    return "\n".join(lines)


def scores_text(judged: Judged) -> str:
    """The reasons of a verdict with all scores."""
    verdict = judged.verdict
    lines = [f"{verdict.model}/{verdict.version}: {verdict.status}"]
    lines += [f"  - {reason.status}: {reason.message}" for reason in verdict.reasons]
    if not judged.evaluation.withheld:
        lines.append("all scores are in its MLflow run now")
    return printable("\n".join(lines))


def spent_text(account: Account, steps: int, passes: int | None) -> str:
    """What is spent of a set: `2 of 8 models tried, none passed, 75% of the error left`.

    Args:
        account: The account of the set.
        steps: The models of the budget.
        passes: The passes of the budget; None if they do not count.
    """
    text = f"{account.steps:,} of {counted(steps, 'model')} tried"
    if passes is not None:
        text += f", {account.passes:,} of {counted(passes, 'pass', 'passes')}"
    if account.log_left == -math.inf:
        return f"{text}; everything about the rows may be known"
    return f"{text}; {100 * math.exp(account.log_left):.3g}% of the error is left"


def _sets(entries: Sequence[Entry]) -> list[EvaluationSet]:
    newest = {entry.asked.evaluation_set.content: entry.asked.evaluation_set for entry in reversed(entries)}
    return list(newest.values())


def _set_lines(content: EvaluationSet, entries: Sequence[Entry]) -> Iterator[str]:
    own = [entry for entry in entries if entry.asked.evaluation_set.content == content.content]
    shared = [entry for entry in entries if overlaps(content, entry.asked.evaluation_set)]
    last = own[-1].asked
    passes = last.passes if last.guaranteed else None
    yield f"{counted(content.rows, 'row')}, {content.content[:_DIGITS]}: {spent_text(account_of(shared), last.steps, passes)}"
    if len(shared) > len(own):
        yield f"    {counted(len(shared) - len(own), 'question')} of these about other sets with rows of this one"
    for entry in own:
        yield f"    {_entry_text(entry)}"


def _entry_text(entry: Entry) -> str:
    asked = entry.asked
    against = "" if asked.champion is None else f" against {asked.champion}"
    answers = [f"{one.status}, {_bits_text(one.log_values)}" for one in entry.answers[:1]]
    answers += [f"more shown to {one.by}: {_bits_text(one.log_values)}" for one in entry.answers[1:]]
    said = "; ".join(answers) or "no answer was shown"
    return printable(f"{asked.at:%Y-%m-%d %H:%M:%S} UTC  version {asked.version}{against}: {said}  (by {asked.by})")


def _bits(log_values: float | None) -> float | None:
    """The bits of an answer: one for pass or fail, and those of what else could be shown; None for everything."""
    return None if log_values is None else 1 + log_values / math.log(2)


def _bits_text(log_values: float | None) -> str:
    bits = _bits(log_values)
    return "all scores shown" if bits is None else f"{bits:.3g} {'bit' if bits == 1 else 'bits'} shown"


def _set_json(content: EvaluationSet, entries: Sequence[Entry]) -> dict[str, Any]:
    own = [entry for entry in entries if entry.asked.evaluation_set.content == content.content]
    account = account_of([entry for entry in entries if overlaps(content, entry.asked.evaluation_set)])
    return {
        "content": content.content,
        "rows": content.rows,
        "models": account.steps,
        "passes": account.passes,
        "error_left": math.exp(account.log_left),
        "questions": [
            {
                "at": entry.asked.at.isoformat(),
                "by": entry.asked.by,
                "version": entry.asked.version,
                "champion": entry.asked.champion,
                "steps": entry.asked.steps,
                "passes": entry.asked.passes,
                "answers": [
                    {
                        "status": one.status,
                        "shown": one.shown,
                        "bits": _bits(one.log_values),
                        "by": one.by,
                        "at": one.at.isoformat(),
                    }
                    for one in entry.answers
                ],
            }
            for entry in own
        ],
    }
