"""`gate.budget`: how many models may be tried on the same evaluation rows, and who sees the results."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from taxiway.spec.base import Section

DEFAULT_STEPS = 8
MAX_STEPS = 10_000
_PASSES = re.compile(r"passes:([1-9]\d{0,8})")
_ALLOWED = (
    "none (nobody sees an answer before the last query), full (each answer may influence the next model), first-change (as full, but "
    "after a pass the rows are replaced), or passes:K (after K passes)"
)


def check_adaptivity(value: Any) -> Any:
    """Check who sees the answers: `none`, `full`, `first-change` or `passes:K`.

    Raises:
        ValueError: It is something else.
    """
    if value in ("none", "full", "first-change") or (isinstance(value, str) and _PASSES.fullmatch(value)):
        return value
    raise ValueError(f"allowed: {_ALLOWED}")


Adaptivity = Annotated[str, BeforeValidator(check_adaptivity)]


class Budget(Section):
    """How many models are tried on the same evaluation rows, and who sees the results.

    Attributes:
        steps: The number of models that are tried on the same rows. The same model again is the same query.
        adaptivity: What somebody who trains the next model knows: nothing (`none`), every answer (`full`), or every answer until the
            first pass (`first-change`) or the K-th pass (`passes:K`), after which the rows are replaced.
        shared: Whether what the same rows have answered about models of other pipelines counts. `false` states that whoever makes models
            of this pipeline does not know these answers; every verdict repeats it.
    """

    steps: int = Field(default=DEFAULT_STEPS, ge=1, le=MAX_STEPS, strict=True)
    adaptivity: Adaptivity = "first-change"
    shared: bool = Field(default=True, strict=True)

    @property
    def passes(self) -> int:
        """The passes that may influence a later model. If nobody sees an answer, as many models can be reached as with one pass."""
        found = _PASSES.fullmatch(self.adaptivity)
        if found:
            return min(self.steps, int(found[1]))
        return self.steps if self.adaptivity == "full" else 1
