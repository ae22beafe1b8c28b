"""What is left of the error of an evaluation set after the answers that were given from it.

The error of a gate is divided among all models that someone who sees the answers can reach: a tree, in which each node is a query
about a model, and each branch an answer. `Account` follows one path in this tree. A node has an equal share of the error that is left
on its path, and what is left after it is divided among its branches, so that no tree has more than the whole error, even if the budget
changes on the way. An answer with which more is shown than whether the model passed has as many more branches as there are values that
could have been shown (the `bits` of ease.ml/ci: Renggli et al. 2019, MLSys; Russo and Zou 2016, AISTATS).
"""

import math
from dataclasses import dataclass

from taxiway.stats.multiplicity import log_models


@dataclass(frozen=True)
class Account:
    """What was asked on a path.

    Attributes:
        steps: The models that were asked about.
        passes: Those of them that passed, if somebody saw it.
        log_left: The logarithm of the share of the error that is left; minus infinity if everything is known about the rows.
    """

    steps: int = 0
    passes: int = 0
    log_left: float = 0.0

    def log_share(self, steps: int, passes: int) -> float | None:
        """The share of the error for the next model.

        Args:
            steps: The models of the budget, those of before included.
            passes: The passes after which the rows are replaced, those of before included.

        Returns:
            Its logarithm; None if the budget is spent.
        """
        if self.steps >= steps or self.passes >= passes or self.log_left == -math.inf:
            return None
        return self.log_left - _log_queries(steps - self.steps, passes - self.passes)

    def after(self, steps: int, passes: int, *, passed: bool | None, log_values: float = 0.0) -> "Account":
        """The account after an answer under a budget.

        Args:
            steps: The models of the budget.
            passes: Its passes.
            passed: Whether the model passed; None if nobody saw it before the next model.
            log_values: The logarithm of how many different things could have been shown with the answer; infinity if everything about
                the rows may be known.
        """
        left = -math.inf
        if self.log_share(steps, passes) is not None:
            here = _log_queries(steps - self.steps, passes - self.passes)
            below = _log_queries(steps - self.steps - 1, passes - self.passes - bool(passed))
            left = self.log_left + below - here - log_values
        return Account(self.steps + 1, self.passes + bool(passed), left)


def _log_queries(steps: int, passes: int) -> float:
    """The logarithm of the number of queries in the tree of a budget."""
    if steps <= 0 or passes <= 0:
        return -math.inf
    if passes >= steps:
        return steps * math.log(2) + math.log1p(-(2.0**-steps))
    return log_models(steps, passes)
