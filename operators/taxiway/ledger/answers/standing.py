"""What an evaluation set has left for a query, by what was asked before: about the model, and about other models on the same rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from taxiway.gates.evaluation_sets import Entry, account_of, is_spent, merged, overlaps
from taxiway.ledger.answers.chains import entries_of
from taxiway.ledger.links import Link
from taxiway.records import Answered, Asked
from taxiway.stats.spending import Account


@dataclass(frozen=True)
class Standing:
    """What an evaluation set has left for a query.

    Attributes:
        account: What was spent of it before the query.
        answers: The answers to this very query, oldest first; empty if it is new.
        decided: The first answer to it; even if it was asked about another model, with the same predictions.
        is_spent: Whether nothing is left, so that the query must not be answered.
        sets: The number of other sets with rows of this one about which something was asked.
        elsewhere: The number of queries about each other model on these rows, whether they count or not.
    """

    account: Account
    answers: tuple[Answered, ...] = ()
    decided: Answered | None = None
    is_spent: bool = False
    sets: int = 0
    elsewhere: Mapping[str, int] = field(default_factory=dict)


def standing_by(known: Sequence[Link], others: Sequence[Entry], asked: Asked) -> Standing:
    """What is left for a query, by the queries before it, or by all if it is not among them.

    What other models were asked has no order among the chains. So until the query is answered, all of it counts, and of two that are
    asked at once each counts for the other.

    Args:
        known: Links of the model's chain.
        others: Queries about other models.
        asked: The query.
    """
    place = asked_at(known, asked.key)
    own = next((entry for entry in entries_of(known) if entry.asked.key == asked.key), None)
    answers = own.answers if own is not None else ()
    earlier = entries_of([link for link in known if place is None or link.number < place])
    elsewhere = [entry for entry in others if overlaps(asked.evaluation_set, entry.asked.evaluation_set)]
    same: list[Answered] = []
    if asked.shared:  # an identical query costs nothing; otherwise it takes its share of this model's error
        same = [one for entry in elsewhere if entry.asked.key == asked.key for one in entry.answers]
        elsewhere = [entry for entry in elsewhere if entry.asked.key != asked.key]
    if own is not None and answers:
        elsewhere = [entry for entry in elsewhere if entry.asked.at < own.asked.at]
    overlapping = [entry for entry in earlier if overlaps(asked.evaluation_set, entry.asked.evaluation_set)]
    counted = merged([*overlapping, *elsewhere]) if asked.shared else overlapping
    account = account_of(counted)
    decided = next(iter((*answers, *same)), None)
    others_sets = {entry.asked.evaluation_set.content for entry in counted} - {asked.evaluation_set.content}
    return Standing(
        account=account,
        answers=answers,
        decided=decided,
        is_spent=decided is None and is_spent(account, asked),
        sets=len(others_sets),
        elsewhere=Counter(entry.asked.model for entry in elsewhere),
    )


def asked_at(known: Sequence[Link], key: str) -> int | None:
    """The number of the link with a query; None if there is none."""
    return next((link.number for link in known if (link.kind, link.entry) == ("Asked", key)), None)
