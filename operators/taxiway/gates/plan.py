"""How many rows a condition needs, and what given rows can answer. Nothing here reads data."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from taxiway.errors import ConfigError
from taxiway.gates.bounds.clause import ClauseBound
from taxiway.gates.bounds.paired import bound_of
from taxiway.records import Show
from taxiway.spec.conditions.budget import MOST_STEPS, Budget
from taxiway.spec.conditions.model import SHARE, Clause, Condition, Range
from taxiway.stats.multiplicity import log_models
from taxiway.stats.search import edge, smallest

Mode = Literal["fp-free", "fn-free"]
Method = Literal["best", "hoeffding"]
ROUNDED_VALUES = 101
"""The values that a mean has as whole percents of its range."""
_MOST_ROWS = 10**12
_MOST_TOLERANCES = 1_000.0
_LEAST_TOLERANCES = 1e-6


@dataclass(frozen=True)
class Question:
    """A condition and the guarantee with which it is to be decided.

    Attributes:
        condition: The condition.
        confidence: The probability that none of the answers is wrong: that no model passes that does not meet the condition (`fp-free`),
            or that none is rejected that does (`fn-free`).
        budget: How many models are tried on the same rows, and who sees the results.
        mode: What an estimate too near to a bound means: the model does not pass (`fp-free`), or it passes (`fn-free`).
        method: The tightest valid bound of each comparison (`best`), or the basic bound of the ease.ml/ci paper (`hoeffding`).
        disagreement: The share of the rows on which the predictions of both models differ, if it is known.
        of_metric: The range of n and o.
        is_share: Whether a row counts 0 or 1 for n and o, as for the accuracy.
        independent: Whether rows are independent. Otherwise `rows` are everywhere the groups of rows that belong together, such as
            customers or days, if they are of equal size; see `taxiway.stats.bounds.effective_groups` for others.
        part: The part of the error that the condition has, if several are decided together; above 0, at most 1.
        log_share: The logarithm of the share of the error that one answer has; None for an equal share of all models of the budget.
        log_values: The logarithm of the number of values that could be shown with each answer, beside whether the model passed.
    """

    condition: Condition
    confidence: float
    budget: Budget
    mode: Mode = "fp-free"
    method: Method = "best"
    disagreement: float | None = None
    of_metric: Range = SHARE
    is_share: bool = True
    independent: bool = True
    part: float = 1.0
    log_share: float | None = None
    log_values: float = 0.0

    @property
    def log_error(self) -> float:
        """The logarithm of the error of one answer about one model; without `log_share`, of the last one."""
        share = self.log_share
        if share is None:
            before = self.budget.steps - 1
            share = -log_models(self.budget.steps, self.budget.passes) - (before * self.log_values if before else 0)
        return math.log1p(-self.confidence) + math.log(self.part) + share

    @property
    def bounds(self) -> tuple[ClauseBound, ...]:
        """The bound of each comparison."""
        limit = next(filter(limits_disagreement, self.condition.clauses), None)
        return tuple(
            bound_of(
                clause,
                hoeffding_only=self.method == "hoeffding",
                of_metric=self.of_metric,
                is_share=self.is_share,
                independent=self.independent,
                disagreement=self.disagreement,
                limit=limit,
            )
            for clause in self.condition.clauses
        )

    @property
    def shares_error(self) -> bool:
        """Whether the comparisons divide the error among them.

        A model that does not meet the condition misses one of its comparisons, and passes only if that one is decided wrongly, so each
        may have the whole error. A model that meets it is rejected if any comparison is decided wrongly. The paper always divides.
        """
        return self.method == "hoeffding" or self.mode == "fn-free"


@dataclass(frozen=True)
class ClausePlan:
    """The plan of one comparison.

    Attributes:
        clause: The comparison.
        method: The bound.
        rows: The rows that the comparison would need alone, with its part of the error.
        log_error: The logarithm of its part of the error of one answer.
    """

    clause: Clause
    method: str
    rows: int
    log_error: float


@dataclass(frozen=True)
class Plan:
    """What a condition needs.

    Attributes:
        rows: The evaluation rows, or groups of rows.
        differing: The rows among them on which the predictions differ, if only these decide; None if all do, or if it is not known how
            many differ.
        clauses: The plan of each comparison.
    """

    rows: int
    differing: int | None
    clauses: tuple[ClausePlan, ...]


@dataclass(frozen=True)
class Supported:
    """What a number of rows can answer.

    Attributes:
        rows: The rows.
        enough: Whether they suffice for the question as it is.
        steps: How many models can be tried on them at the tolerances of the condition; 0 if not even one.
        most: Whether there may be even more steps, because the search ended there.
        passes: After how many passes there have to be new rows, if all steps of the budget are to be tried at the tolerances of the
            condition; at most those of the budget, and 0 if one is too many.
        condition: The condition with the smallest tolerances that they support at the steps of the budget, all in the proportion of the
            question; None if no tolerance is large enough.
    """

    rows: int
    enough: bool
    steps: int
    most: bool
    passes: int
    condition: Condition | None


def shown_values(condition: Condition, show: Show) -> float:
    """The logarithm of the number of values that can be shown with each answer, for `Question.log_values`.

    Args:
        condition: The condition. The share of rows with different predictions needs no labels, so showing it costs nothing.
        show: What is shown.
    """
    if show == "exact":
        return math.inf
    return len(set(condition.variables) - {"d"}) * math.log(ROUNDED_VALUES) if show == "rounded" else 0.0


def plan(question: Question) -> Plan:
    """How many rows a question needs.

    Raises:
        ConfigError: It needs more than 10^12 rows, or no number of them is enough.
    """
    if question.log_values == math.inf and question.budget.steps > 1:
        raise ConfigError(
            f"exact scores tell everything about the rows with the first answer, so no number of rows can decide about "
            f"{question.budget.steps:,} models; allowed: --show decision, --show rounded, or --steps 1",
            key="show",
        )
    rows = smallest(lambda count: fits(question, count), most=_MOST_ROWS)
    if rows is None:
        raise ConfigError(f"{question.condition} needs more than 10^12 rows; allowed: larger tolerances, fewer steps")
    errors = log_errors(question, rows)
    clauses = tuple(
        ClausePlan(clause, bound.method, _rows_of(bound, error), error)
        for clause, bound, error in zip(question.condition.clauses, question.bounds, errors, strict=True)
    )
    return Plan(rows, _differing(question, rows), clauses)


def fits(question: Question, rows: float) -> bool:
    """Whether a number of rows suffices for a question."""
    found = [bound.log_error(rows) for bound in question.bounds]
    if question.method == "hoeffding":
        return max(found) <= question.log_error - math.log(len(found))
    return (log_sum(_parts(found)) if question.shares_error else max(found)) <= question.log_error


def log_errors(question: Question, rows: float) -> tuple[float, ...]:
    """The logarithm of the error of each comparison.

    Where the comparisons divide the error, each gets a part in proportion to what it needs for these rows.
    """
    found = [bound.log_error(rows) for bound in question.bounds]
    if not question.shares_error:
        return tuple(question.log_error for _ in found)
    if question.method == "hoeffding" or log_sum(found) == -math.inf:
        return tuple(question.log_error - math.log(len(found)) for _ in found)
    parts = _parts(found)
    return tuple(question.log_error + part - log_sum(parts) for part in parts)


def supported(question: Question, rows: int) -> Supported:
    """What a number of rows can answer: how many steps and passes at these tolerances, and which tolerances at these steps."""
    beyond = smallest(lambda steps: not fits(_with_steps(question, steps), rows), most=MOST_STEPS + 1)
    steps = MOST_STEPS if beyond is None else beyond - 1
    enough = fits(question, rows)
    too_many = smallest(lambda passes: not fits(_with_passes(question, passes), rows), most=question.budget.passes)
    passes = question.budget.passes if too_many is None else too_many - 1
    least = None
    if fits(_with_tolerances(question, _MOST_TOLERANCES), rows):
        # By the logarithm, so that all tolerances are found with the same digits.
        scale = edge(
            lambda log_scale: fits(_with_tolerances(question, math.exp(log_scale)), rows),
            math.log(_LEAST_TOLERANCES),
            math.log(_MOST_TOLERANCES),
        )
        least = _rounded_up(_with_tolerances(question, math.exp(scale)).condition)
    if least is not None and least.impossible(question.of_metric) is not None:
        least = None
    return Supported(rows, enough, steps, steps == MOST_STEPS, passes, least)


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
    rows = smallest(lambda count: bound.log_error(count) <= log_error, most=_MOST_ROWS)
    assert rows is not None  # the whole condition has a plan
    return rows


def _differing(question: Question, rows: int) -> int | None:
    """The rows on which the predictions differ, if only they decide."""
    if not all(clause.is_difference or clause.variables == ("d",) for clause in question.condition.clauses):
        return None
    if all(clause.variables == ("d",) for clause in question.condition.clauses):
        return 0
    limit = next(filter(limits_disagreement, question.condition.clauses), None)
    share = question.disagreement
    if share is None and limit is not None:
        share = limit.bound / limit.factors[0][1]
    return None if share is None else math.ceil(share * rows)


def _with_steps(question: Question, steps: int) -> Question:
    return dataclasses.replace(question, budget=question.budget.model_copy(update={"steps": steps}))


def _with_passes(question: Question, passes: int) -> Question:
    return dataclasses.replace(question, budget=question.budget.model_copy(update={"adaptivity": f"passes:{passes}"}))


def _with_tolerances(question: Question, times: float) -> Question:
    clauses = tuple(dataclasses.replace(clause, tolerance=clause.tolerance * times) for clause in question.condition.clauses)
    return dataclasses.replace(question, condition=Condition(clauses))


def _rounded_up(condition: Condition) -> Condition:
    """The condition with tolerances of three significant digits, rounded up."""
    clauses = []
    for clause in condition.clauses:
        digits = 2 - math.floor(math.log10(clause.tolerance))
        tolerance = float(f"{math.ceil(clause.tolerance * 10**digits * (1 - 1e-9)) / 10**digits:.{max(digits, 0)}f}")
        clauses.append(dataclasses.replace(clause, tolerance=tolerance))
    return Condition(tuple(clauses))
