"""How far two people agree in their labels."""

from collections import Counter
from collections.abc import Hashable, Sequence


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Cohen's kappa: agreement beyond chance (Cohen 1960, Educational and Psychological Measurement 20:37).

    It is (p - e) / (1 - e), where p is the share of rows on which both agree, and e the share on which they would if each gave their
    labels as often as they did, but at random. 1 is full agreement, 0 is that of chance.

    Args:
        first: The labels of one person.
        second: The labels of the other for the same rows, in the same order.

    Returns:
        Kappa; None if there are no rows, or if both gave one and the same label to all, so that chance alone explains their agreement.
    """
    rows = len(first)
    if rows == 0:
        return None
    given, other = Counter(first), Counter(second)
    expected = sum(count * other[label] for label, count in given.items())
    if expected == rows * rows:
        return None
    agreed = sum(one == two for one, two in zip(first, second, strict=True))
    return (agreed * rows - expected) / (rows * rows - expected)
