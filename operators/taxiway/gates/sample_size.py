"""How many rows a condition needs, and how many models given rows can decide about. Nothing here reads data.

In a condition, `n` is the metric of the new model, `o` that of the old one (the champion), and `d` the share of the rows on which
their predictions differ.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from taxiway.errors import ConfigError
from taxiway.gates.bounds.clause import ClauseBound
from taxiway.gates.bounds.paired import bound_of
from taxiway.records import Show
from taxiway.spec.conditions.budget import MAX_STEPS, Budget
from taxiway.spec.conditions.model import SHARE, Clause, Condition, Range
from taxiway.stats.multiplicity import log_models
from taxiway.stats.search import boundary, smallest

Mode = Literal["fp-free", "fn-free"]
Method = Literal["best", "hoeffding"]
ROUNDED_VALUES = 101
"""The number of values that a mean can have if it is rounded to whole percents of its range."""
_MAX_ROWS = 10**12
_MAX_TOLERANCE_SCALE = 1_000.0
_MIN_TOLERANCE_SCALE = 1e-6


@dataclass(frozen=True)
class GuaranteedCondition:
    """A condition and the guarantee with which it is to be decided.

    Attributes:
        condition: The condition.
        confidence: The probability that none of the answers is wrong: that no model passes that does not meet the condition (`fp-free`),
            or that none is rejected that does (`fn-free`).
        budget: How many models are tried on the same rows, and who sees the results.
        mode: What an estimate too near to a bound means: the model does not pass (`fp-free`), or it passes (`fn-free`).
        method: The tightest valid bound of each comparison (`best`), or the basic bound of the ease.ml/ci paper (`hoeffding`).
        disagreement: The share of the rows on which the predictions of both models differ, if it is known.
        metric_range: The range of n and o.
        is_binary: Whether a row counts 0 or 1 for n and o, as for the accuracy.
        independent: Whether rows are independent. Otherwise `rows` are everywhere the groups of rows that belong together, such as
            customers or days, assuming groups of equal size; see `taxiway.stats.bounds.effective_groups` for others.
        error_share: The share of the error probability that the condition has, if several are decided together; above 0, at most 1.
        log_share: The logarithm of the share of the error probability that one answer has; None for that of the last model of the
            budget, which has the smallest.
        log_values: The logarithm of the number of values that could be shown with each answer, in addition to whether the model
            passed.
    """

    condition: Condition
    confidence: float
    budget: Budget
    mode: Mode = "fp-free"
    method: Method = "best"
    disagreement: float | None = None
    metric_range: Range = SHARE
    is_binary: bool = True
    independent: bool = True
    error_share: float = 1.0
    log_share: float | None = None
    log_values: float = 0.0

    @property
    def log_error(self) -> float:
        """The logarithm of the error probability of one answer about one model."""
        share = self.log_share
        if share is None:
            before = self.budget.steps - 1
            share = -log_models(self.budget.steps, self.budget.passes) - (before * self.log_values if before else 0)
        return math.log1p(-self.confidence) + math.log(self.error_share) + share

    @property
    def bounds(self) -> tuple[ClauseBound, ...]:
        """The bound of each comparison."""
        limit = next(filter(limits_disagreement, self.condition.clauses), None)
        return tuple(
            bound_of(
                clause,
                hoeffding_only=self.method == "hoeffding",
                metric_range=self.metric_range,
                is_binary=self.is_binary,
                independent=self.independent,
                disagreement=self.disagreement,
                limit=limit,
            )
            for clause in self.condition.clauses
        )

    @property
    def splits_error(self) -> bool:
        """Whether the comparisons divide the error probability among them.

        A model that does not meet the condition misses one of its comparisons, and passes only if that one is decided wrongly, so each
        may have the whole error. A model that meets it is rejected if any comparison is decided wrongly. The paper always divides.
        """
        return self.method == "hoeffding" or self.mode == "fn-free"


@dataclass(frozen=True)
class ClauseSampleSize:
    """The sample size of one comparison.

    Attributes:
        clause: The comparison.
        method: The bound.
        rows: The rows that the comparison would need alone, with its part of the error probability.
        log_error: The logarithm of its part of the error probability of one answer.
    """

    clause: Clause
    method: str
    rows: int
    log_error: float


@dataclass(frozen=True)
class SampleSizePlan:
    """The sample size of a condition.

    Attributes:
        rows: The evaluation rows, or groups of rows.
        differing: The rows among them on which the predictions differ, if only these decide; None if all do, or if it is not known how
            many differ.
        clauses: The sample size of each comparison.
    """

    rows: int
    differing: int | None
    clauses: tuple[ClauseSampleSize, ...]


@dataclass(frozen=True)
class RowCapacity:
    """How many models a number of rows can decide about, and with which tolerances.

    Attributes:
        rows: The rows.
        enough: Whether they suffice for the condition and its budget as they are.
        steps: How many models can be tried on them at the tolerances of the condition; 0 if not even one, and `MAX_STEPS` for that many
            or more.
        passes: The number of passing models after which the rows must be replaced, if all steps of the budget are to be tried at the
            tolerances of the condition; at most those of the budget, and 0 if one is too many.
        condition: The condition with the smallest tolerances that they support at the steps of the budget, all in the proportion of the
            given condition; None if no tolerance is large enough.
    """

    rows: int
    enough: bool
    steps: int
    passes: int
    condition: Condition | None


def log_shown_values(condition: Condition, show: Show) -> float:
    """The logarithm of the number of values that can be shown with each answer, for `GuaranteedCondition.log_values`.

    Args:
        condition: The condition. The share of rows with different predictions needs no labels, so showing it costs nothing.
        show: What is shown.
    """
    if show == "exact":
        return math.inf
    return len(set(condition.variables) - {"d"}) * math.log(ROUNDED_VALUES) if show == "rounded" else 0.0


def sample_size(guaranteed: GuaranteedCondition) -> SampleSizePlan:
    """How many rows a condition with its guarantee needs.

    Raises:
        ConfigError: It needs more than 10^12 rows, or no number of them is enough.
    """
    if guaranteed.log_values == math.inf and guaranteed.budget.steps > 1:
        raise ConfigError(
            f"exact scores reveal everything about the rows with the first answer, so no number of rows can decide about "
            f"{guaranteed.budget.steps:,} models; use --show decision, --show rounded, or --steps 1",
            key="show",
        )
    rows = smallest(lambda count: rows_suffice(guaranteed, count), most=_MAX_ROWS)
    if rows is None:
        raise ConfigError(f"{guaranteed.condition} needs more than 10^12 rows; use larger tolerances or fewer steps")
    errors = log_errors(guaranteed, rows)
    clauses = tuple(
        ClauseSampleSize(clause, bound.method, _rows_of(bound, error), error)
        for clause, bound, error in zip(guaranteed.condition.clauses, guaranteed.bounds, errors, strict=True)
    )
    return SampleSizePlan(rows, _differing(guaranteed, rows), clauses)


def rows_suffice(guaranteed: GuaranteedCondition, rows: float) -> bool:
    """Whether a number of rows suffices for a condition with its guarantee."""
    found = [bound.log_error(rows) for bound in guaranteed.bounds]
    if guaranteed.method == "hoeffding":
        return max(found) <= guaranteed.log_error - math.log(len(found))
    return (log_sum(_parts(found)) if guaranteed.splits_error else max(found)) <= guaranteed.log_error


def log_errors(guaranteed: GuaranteedCondition, rows: float) -> tuple[float, ...]:
    """The logarithm of the error probability of each comparison.

    Where the comparisons divide the error, each gets a part in proportion to what it needs for these rows.
    """
    found = [bound.log_error(rows) for bound in guaranteed.bounds]
    if not guaranteed.splits_error:
        return tuple(guaranteed.log_error for _ in found)
    if guaranteed.method == "hoeffding" or log_sum(found) == -math.inf:
        return tuple(guaranteed.log_error - math.log(len(found)) for _ in found)
    parts = _parts(found)
    return tuple(guaranteed.log_error + part - log_sum(parts) for part in parts)


def row_capacity(guaranteed: GuaranteedCondition, rows: int) -> RowCapacity:
    """How many steps and passes a number of rows suffices for at these tolerances, and for which tolerances at these steps."""
    beyond = smallest(lambda steps: not rows_suffice(_with_steps(guaranteed, steps), rows), most=MAX_STEPS + 1)
    steps = MAX_STEPS if beyond is None else beyond - 1
    enough = rows_suffice(guaranteed, rows)
    too_many = smallest(lambda passes: not rows_suffice(_with_passes(guaranteed, passes), rows), most=guaranteed.budget.passes)
    passes = guaranteed.budget.passes if too_many is None else too_many - 1
    tightest = None
    if rows_suffice(_with_tolerances(guaranteed, _MAX_TOLERANCE_SCALE), rows):
        # By the logarithm, so that all tolerances are found with the same digits.
        scale = boundary(
            lambda log_scale: rows_suffice(_with_tolerances(guaranteed, math.exp(log_scale)), rows),
            math.log(_MIN_TOLERANCE_SCALE),
            math.log(_MAX_TOLERANCE_SCALE),
        )
        tightest = _rounded_up(_with_tolerances(guaranteed, math.exp(scale)).condition)
    if tightest is not None and tightest.undecidable_reason(guaranteed.metric_range) is not None:
        tightest = None
    return RowCapacity(rows, enough, steps, passes, tightest)


def limits_disagreement(clause: Clause) -> bool:
    """Whether a comparison is `d < A +/- B`."""
    return clause.variables == ("d",) and (clause.comparison == "<") == (clause.factors[0][1] > 0)


def log_sum(logs: Sequence[float]) -> float:
    """The logarithm of a sum of numbers, of which the logarithms are given."""
    largest = max(logs)
    return largest if largest == -math.inf else largest + math.log(math.fsum(math.exp(value - largest) for value in logs))


def _parts(found: Sequence[float]) -> list[float]:
    """The errors of comparisons that divide the error: none is less than the hundredth part of the largest."""
    least = max(found) - math.log(100)
    return [max(error, least) for error in found]


def _rows_of(bound: ClauseBound, log_error: float) -> int:
    rows = smallest(lambda count: bound.log_error(count) <= log_error, most=_MAX_ROWS)
    assert rows is not None  # the whole condition has a sample size
    return rows


def _differing(guaranteed: GuaranteedCondition, rows: int) -> int | None:
    """The rows on which the predictions differ, if only they decide."""
    if not all(clause.is_difference or clause.variables == ("d",) for clause in guaranteed.condition.clauses):
        return None
    if all(clause.variables == ("d",) for clause in guaranteed.condition.clauses):
        return 0
    limit = next(filter(limits_disagreement, guaranteed.condition.clauses), None)
    share = guaranteed.disagreement
    if share is None and limit is not None:
        share = limit.bound / limit.factors[0][1]
    return None if share is None else math.ceil(share * rows)


def _with_steps(guaranteed: GuaranteedCondition, steps: int) -> GuaranteedCondition:
    return dataclasses.replace(guaranteed, budget=guaranteed.budget.model_copy(update={"steps": steps}))


def _with_passes(guaranteed: GuaranteedCondition, passes: int) -> GuaranteedCondition:
    return dataclasses.replace(guaranteed, budget=guaranteed.budget.model_copy(update={"adaptivity": f"passes:{passes}"}))


def _with_tolerances(guaranteed: GuaranteedCondition, factor: float) -> GuaranteedCondition:
    clauses = tuple(dataclasses.replace(clause, tolerance=clause.tolerance * factor) for clause in guaranteed.condition.clauses)
    return dataclasses.replace(guaranteed, condition=Condition(clauses))


def _rounded_up(condition: Condition) -> Condition:
    """The condition with tolerances of three significant digits, rounded up."""
    clauses = []
    for clause in condition.clauses:
        digits = 2 - math.floor(math.log10(clause.tolerance))
        tolerance = float(f"{math.ceil(clause.tolerance * 10**digits * (1 - 1e-9)) / 10**digits:.{max(digits, 0)}f}")
        clauses.append(dataclasses.replace(clause, tolerance=tolerance))
    return Condition(tuple(clauses))
