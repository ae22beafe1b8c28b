"""The output of `taxiway gate ledger`: what was asked about the evaluation sets of a model, and what is left of them."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from taxiway.gates.evaluation_sets import Entry, account_of, merged, overlaps
from taxiway.messages import counted, names_text, printable
from taxiway.records import EvaluationSet
from taxiway.stages.validate_model.judge import Judged
from taxiway.stats.spending import Account

_DIGITS = 12
_SETS_ELSEWHERE = 20
"""So many of the newest sets are looked for among the queries about other models."""


@dataclass(frozen=True)
class AskedAbout:
    """What was asked about an evaluation set.

    Attributes:
        rows: The set.
        own: The queries about versions of the model on this very set, oldest first.
        counted: The queries that count for the next one about the set: also those about sets with rows of this one.
        elsewhere: The queries about other models on these rows, whether they count or not.
    """

    rows: EvaluationSet
    own: tuple[Entry, ...]
    counted: tuple[Entry, ...]
    elsewhere: tuple[Entry, ...]


def asked_about(entries: Sequence[Entry], elsewhere: Callable[[EvaluationSet], Sequence[Entry]]) -> list[AskedAbout]:
    """The queries about a model by their sets, those about the newest set first.

    Args:
        entries: The queries about the model, oldest first.
        elsewhere: Returns the queries about other models on sets that may have rows of a set. It is called for sets of conditions only,
            and for no more than the newest 20, because each call takes requests.
    """
    sets = {entry.asked.evaluation_set.content: entry.asked.evaluation_set for entry in reversed(entries)}
    return [
        _asked_about(rows, entries, elsewhere if place < _SETS_ELSEWHERE else lambda _: ())
        for place, rows in enumerate(sets.values())
    ]


def _asked_about(
    rows: EvaluationSet, entries: Sequence[Entry], elsewhere: Callable[[EvaluationSet], Sequence[Entry]]
) -> AskedAbout:
    own = tuple(entry for entry in entries if entry.asked.evaluation_set.content == rows.content)
    shared = [entry for entry in entries if overlaps(rows, entry.asked.evaluation_set)]
    last = own[-1].asked
    found = elsewhere(rows) if last.guaranteed else ()
    others = tuple(entry for entry in found if overlaps(rows, entry.asked.evaluation_set))
    return AskedAbout(rows, own, tuple(merged([*shared, *others]) if last.shared else shared), others)


def ledger_json(sets: Sequence[AskedAbout]) -> str:
    """The queries as JSON."""
    return json.dumps([_set_json(each) for each in sets], indent=2)


def ledger_text(model: str, sets: Sequence[AskedAbout]) -> str:
    """The queries for people."""
    if not sets:
        return f"nothing was asked about versions of {model}: it has spent no evaluation rows"
    queries = sum(len(each.own) for each in sets)
    lines = [f"{model}: {counted(queries, 'query', 'queries')} about {counted(len(sets), 'evaluation set')}"]
    for each in sets:
        lines += ["", *_set_lines(each)]
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


def _set_lines(found: AskedAbout) -> Iterator[str]:
    rows, last = found.rows, found.own[-1].asked
    passes = last.passes if last.guaranteed else None
    yield f"{counted(rows.rows, 'row')}, {rows.content[:_DIGITS]}: {spent_text(account_of(found.counted), last.steps, passes)}"
    own = {entry.asked.key for entry in (*found.own, *found.elsewhere)}
    others = sum(entry.asked.key not in own for entry in found.counted)
    if others:
        yield f"    {counted(others, 'query', 'queries')} of these about other sets with rows of this one"
    if found.elsewhere:
        by_model = Counter(entry.asked.model for entry in found.elsewhere)
        counts = " of these" if last.shared else ", not counted (gate.budget.shared: false),"
        models = names_text([name for name, _ in by_model.most_common()])
        yield f"    {counted(by_model.total(), 'query', 'queries')}{counts} about models of other pipelines: {models}"
    for entry in found.own:
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


def _set_json(found: AskedAbout) -> dict[str, Any]:
    account = account_of(found.counted)
    return {
        "content": found.rows.content,
        "rows": found.rows.rows,
        "models": account.steps,
        "elsewhere": Counter(entry.asked.model for entry in found.elsewhere),
        "counts_elsewhere": found.own[-1].asked.shared,
        "passes": account.passes,
        "error_left": math.exp(account.log_left),
        "queries": [
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
            for entry in found.own
        ],
    }
