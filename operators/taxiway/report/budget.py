"""The budget of the evaluation rows, as the gate report shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RowsBudget:
    """How often the evaluation rows of a verdict were used, and how often they may be.

    Attributes:
        used: The models that were decided on these rows, with this one.
        allowed: The models that may be.
        message: One sentence about what follows from it.
    """

    used: int
    allowed: int
    message: str

    @property
    def left(self) -> int:
        """The models that may still be decided on these rows."""
        return max(0, self.allowed - self.used)
