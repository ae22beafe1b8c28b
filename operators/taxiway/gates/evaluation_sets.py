"""What an evaluation set has left to answer, by what was asked about it and about sets that overlap with it."""

import base64
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from taxiway.records import SAMPLE_HASHES, Answered, Asked, EvaluationSet, Status
from taxiway.stats.spending import Account

MIN_OVERLAP = 0.025
"""The share of the rows, as it is estimated, at or above which what was asked about another set counts for this one."""
_DEVIATIONS = 4
_HASH_BYTES = 8


@dataclass(frozen=True)
class Entry:
    """A query with its answers: the first one, and those by which more was shown later.

    Attributes:
        asked: The query.
        answers: The answers, oldest first; empty if it was never answered, or is just now.
    """

    asked: Asked
    answers: tuple[Answered, ...] = ()

    @property
    def log_values(self) -> float:
        """The logarithm of how many different things could have been shown; infinity if everything may be known."""
        return max((one.values for one in self.answers), default=0.0)


def merged(entries: Sequence[Entry]) -> list[Entry]:
    """Queries about several models as one list, oldest first; the same query about two models is one, with the answers of both."""
    found: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.asked.at):
        first = found.setdefault(entry.asked.key, entry)
        if first is not entry:
            found[entry.asked.key] = Entry(first.asked, (*first.answers, *entry.answers))
    return list(found.values())


def account_of(entries: Sequence[Entry]) -> Account:
    """What was spent of a set.

    A query without an answer counts as a step that nobody has learned anything from: its process was killed, or still runs.

    Args:
        entries: The queries about the set and about those that overlap with it, oldest first.
    """
    account = Account()
    for entry in entries:
        if not entry.answers and is_spent(account, entry.asked):
            continue  # two processes asked at once, and this one was refused
        status = entry.answers[0].status if entry.answers else Status.NOT_APPLICABLE
        seen = entry.asked.passes is not None and status is not Status.NOT_APPLICABLE
        passed = status is Status.PASS if seen else None
        account = account.after(entry.asked.steps, entry.asked.counted_passes, passed=passed, log_values=entry.log_values)
    return account


def is_spent(account: Account, asked: Asked) -> bool:
    """Whether an account has nothing left for a query."""
    if account.steps >= asked.steps:
        return True
    return asked.guaranteed and account.log_share(asked.steps, asked.counted_passes) is None


def overlaps(new: EvaluationSet, old: EvaluationSet) -> bool:
    """Whether answers from an old set tell something about a new one.

    Rows of different sets may be equal by chance, if they have few columns. As many of the rows of a new set as the rows of the old one
    have an equal one are expected without any overlap (Good 1953, Biometrika 40:237). If nearly all have, only the same set is recognized.
    """
    if new.content == old.content:
        return True
    by_chance = 1 - old.once / old.rows if old.rows else 0.0
    deviation = math.sqrt(by_chance * (1 - by_chance) / SAMPLE_HASHES)
    return shared_rows(new, old) >= by_chance + _DEVIATIONS * deviation + MIN_OVERLAP


def shared_rows(new: EvaluationSet, old: EvaluationSet) -> float:
    """The share of the different rows of a set that are also in another one, estimated from the samples of both.

    The sample of a set are its smallest hashes, so below the smaller one of both largest hashes, the samples are complete.
    """
    one, other = _hashes(new), _hashes(old)
    edge = min(_complete_to(new, one), _complete_to(old, other))
    one, other = {each for each in one if each <= edge}, {each for each in other if each <= edge}
    if not one or not other:
        return 0.0
    likeness = len(one & other) / len(one | other)
    return min(1.0, likeness * (new.different + old.different) / (1 + likeness) / new.different)


def smallest_hashes(content: EvaluationSet, count: int) -> list[int]:
    """The smallest hashes of the rows of a set: no more than `count` of them."""
    return sorted(_hashes(content))[:count]


def _hashes(content: EvaluationSet) -> set[int]:
    raw = base64.b64decode(content.sample)
    return set(struct.unpack(f">{len(raw) // _HASH_BYTES}Q", raw))


def _complete_to(content: EvaluationSet, hashes: set[int]) -> float:
    return math.inf if len(hashes) >= content.different else max(hashes, default=math.inf)
