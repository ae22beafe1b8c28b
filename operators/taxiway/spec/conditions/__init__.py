"""The language of conditions: `n - o > 0.02 +/- 0.01 and d < 0.1 +/- 0.01`. How they are decided is in `taxiway.gates`."""

from taxiway.spec.conditions.model import Clause, Condition, Variable
from taxiway.spec.conditions.parse import ConditionError, parse_condition

__all__ = ["Clause", "Condition", "ConditionError", "Variable", "parse_condition"]
