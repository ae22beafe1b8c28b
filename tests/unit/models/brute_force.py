"""Shapley values by their definition."""

from collections.abc import Callable
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np


def shapley(value: Callable[[set[int]], Any], players: int) -> np.ndarray:
    """The Shapley values of a game that gives the value of a set of players."""
    found = np.zeros(players)
    for player in range(players):
        others = [other for other in range(players) if other != player]
        for size in range(players):
            for team in combinations(others, size):
                weight = factorial(size) * factorial(players - size - 1) / factorial(players)
                found[player] += weight * (value({*team, player}) - value({*team}))
    return found
