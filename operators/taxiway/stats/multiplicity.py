"""Errors of many decisions: how many models one can choose between, and Holm's procedure for several claims at once."""

import math
from collections.abc import Callable, Sequence


def log_models(steps: int, passes: int) -> float:
    """The logarithm of the number of models that somebody can reach who sees whether each of them passed.

    After each answer one of two models may follow, so the answers lead to at most as many models as there are series of answers. If the
    evaluation rows are replaced after the r-th pass, there are C(H, 1) + ... + C(H, r) of them, and 2^H if they never are (Renggli et
    al. 2019, Continuous integration of machine learning models with ease.ml/ci, MLSys).

    Args:
        steps: The number of queries H, at least 1.
        passes: The number of passes r, after which the rows are replaced; from 1 to `steps`. Without any influence of answers there are H
            models, as for 1.
    """
    if passes >= steps:
        return steps * math.log(2)
    logs = [math.lgamma(steps + 1) - math.lgamma(count + 1) - math.lgamma(steps - count + 1) for count in range(1, passes + 1)]
    largest = max(logs)
    return largest + math.log(sum(math.exp(value - largest) for value in logs))


def holm(shown: Sequence[Callable[[float], bool]], log_error: float) -> tuple[float, ...]:
    """The error at which each of several claims is decided, so that all claims that are shown hold at once (Holm 1979).

    All k claims are first tested at the k-th part of the error; those that are shown leave their part to the others, which are tested
    again, until no further one is shown.

    Args:
        shown: For each claim, whether it is shown at the logarithm of an error. What is shown at an error is shown at a larger one.
        log_error: The logarithm of the error of all together.

    Returns:
        For each claim, the logarithm of the error at which it was tested last.
    """
    levels: dict[int, float] = {}
    open_claims = list(range(len(shown)))
    while open_claims:
        level = log_error - math.log(len(open_claims))
        decided = [claim for claim in open_claims if shown[claim](level)]
        for claim in decided or open_claims:
            levels[claim] = level
        open_claims = [claim for claim in open_claims if claim not in decided] if decided else []
    return tuple(levels[claim] for claim in range(len(shown)))
