"""The smallest number of rows, and the edge of an interval, by bisection on a monotone condition."""

from collections.abc import Callable

_HALVINGS = 60


def smallest(holds: Callable[[int], bool], *, most: int) -> int | None:
    """The smallest whole number from 1 for which a condition holds that holds for all larger ones, too.

    Args:
        holds: The condition.
        most: The largest number that is tried.

    Returns:
        The number; None if the condition does not hold for `most`.
    """
    low, high = 0, 1
    while not holds(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def boundary(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where a condition on a real number begins to hold, between one number for which it does not and one for which it does.

    Args:
        holds: The condition.
        inside: A number for which it does not hold; not checked.
        outside: A number for which it holds; not checked.

    Returns:
        A number for which the condition holds, or `outside`, at most 2**-60 of the distance away from one for which it does not.
    """
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if holds(middle) else (middle, outside)
    return outside
