"""Parse a condition into clauses. Everything is moved to its place: variables to the left of the comparison, numbers to the right."""

import math
from typing import Literal, NoReturn

from taxiway.spec.conditions.model import VARIABLES, Clause, Condition, Variable
from taxiway.spec.conditions.tokens import ConditionError, Token, tokens_of

__all__ = ["ConditionError", "parse_condition"]

_Sum = dict[Variable | Literal[1], float]
"""The factor of each variable, and the number that is added."""
_VALUE = "n (new model), o (old model), d (share of rows on which their predictions differ), a number, - or ("
_HINTS = {
    "or": "and; a condition has no alternatives, so write each as an entry of its own",
    "||": "and; a condition has no alternatives, so write each as an entry of its own",
    "&&": "and, or /\\",
    "/": "+ - *; instead of dividing by 2, multiply by 0.5",
    ">=": ">; with a tolerance, > and >= are the same",
    "<=": "<; with a tolerance, < and <= are the same",
    "=": "> or <; with a tolerance, two values are never equal",
    "%": "a number such as 0.02 instead of 2%",
}
_DEEPEST = 20


def parse_condition(text: str) -> Condition:
    """Parse a condition, such as `n - o > 0.02 +/- 0.01 and d < 0.1 +/- 0.01`.

    `n` and `o` are the metric of the new and the old model, `d` is the share of rows on which their predictions differ. Allowed are
    `+`, `-`, multiplication by a number, parentheses, comparisons by `>` and `<` with a tolerance after `+/-`, and `and` (or `/\\`)
    between comparisons.

    Args:
        text: The condition.

    Raises:
        ConditionError: It is not valid; the message points at the place and says what is allowed there.
    """
    return _Parser(text).condition()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._at, self._depth = text, tokens_of(text), 0, 0

    def condition(self) -> Condition:
        clauses = [self._clause()]
        while self._next.text == "and":
            self._take()
            clauses.append(self._clause())
        if self._next.kind != "end":
            self._fail(f"{self._next.shown} is not expected here", "and, or the end of the condition")
        return Condition(tuple(clauses))

    def _clause(self) -> Clause:
        start = self._next
        left = self._sum()
        if self._next.text not in (">", "<"):
            self._fail(f"a comparison is expected instead of {self._next.shown}", "> or <, after + - * as needed")
        comparison: Literal[">", "<"] = ">" if self._take().text == ">" else "<"
        right = self._sum()
        if self._next.text != "+/-":
            self._fail(
                f"the tolerance is expected instead of {self._next.shown}",
                "+/- and a number above 0, such as +/- 0.01; an estimate so near to the bound does not count as on either side",
            )
        self._take()
        tolerance = self._tolerance()
        return self._made(start, left, comparison, right, tolerance)

    def _made(self, start: Token, left: _Sum, comparison: Literal[">", "<"], right: _Sum, tolerance: float) -> Clause:
        moved = _plus(left, right, -1)
        factors = tuple((name, moved.get(name, 0.0)) for name in VARIABLES if moved.get(name, 0.0) != 0)
        bound = 0.0 - moved.get(1, 0.0)
        if not factors:
            self._fail_at(start, "the comparison does not depend on any variable", _VALUE)
        if not all(map(math.isfinite, (bound, *(factor for _, factor in factors)))):
            self._fail_at(start, "the numbers of the comparison are too large", "numbers up to 1e+300")
        return Clause(factors, comparison, bound, tolerance)

    def _tolerance(self) -> float:
        token = self._next
        if token.kind != "number":
            self._fail(f"the tolerance is expected instead of {token.shown}", "a number above 0, such as 0.01")
        value = self._number()
        if value == 0:
            self._fail_at(token, "a tolerance of 0 would need infinitely many rows", "a number above 0, such as 0.01")
        return value

    def _sum(self) -> _Sum:
        found = self._term()
        while self._next.text in ("+", "-"):
            sign = 1 if self._take().text == "+" else -1
            found = _plus(found, self._term(), sign)
        return found

    def _term(self) -> _Sum:
        found = self._factor()
        while self._next.text == "*":
            times = self._take()
            other = self._factor()
            if not _is_number(found) and not _is_number(other):
                self._fail_at(times, "a variable can only be multiplied by a number", "a number on one side of *")
            number, rest = (found, other) if _is_number(found) else (other, found)
            found = {name: number.get(1, 0.0) * factor for name, factor in rest.items()}
        return found

    def _factor(self) -> _Sum:
        token = self._next
        if token.kind == "number":
            return {1: self._number()}
        if token.text == "-":
            self._deeper()
            self._take()
            negative = {name: -factor for name, factor in self._factor().items()}
            self._depth -= 1
            return negative
        if token.text == "(":
            return self._parenthesis()
        name = next((name for name in VARIABLES if name == token.text), None)
        if name is None:
            self._fail(f"a value is expected instead of {token.shown}", _VALUE)
        self._take()
        return {name: 1.0}

    def _parenthesis(self) -> _Sum:
        opening = self._next
        self._deeper()
        self._take()
        found = self._sum()
        if self._next.text != ")":
            place = opening.column + 1
            self._fail(f"the parenthesis at character {place} is not closed before {self._next.shown}", ") or + - *")
        self._take()
        self._depth -= 1
        return found

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail("the condition is nested too deeply", f"{_DEEPEST} levels of parentheses and signs")

    def _number(self) -> float:
        token = self._take()
        value = float(token.text)
        if not math.isfinite(value):
            self._fail_at(token, f"{token.text} is too large", "numbers up to 1e+300")
        return value

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _fail(self, problem: str, allowed: str) -> NoReturn:
        self._fail_at(self._next, problem, allowed)

    def _fail_at(self, token: Token, problem: str, allowed: str) -> NoReturn:
        raise ConditionError(problem, self._text, token.column, _HINTS.get(token.text, allowed))


def _is_number(found: _Sum) -> bool:
    return set(found) <= {1}


def _plus(first: _Sum, second: _Sum, sign: int) -> _Sum:
    return {
        name: first.get(name, 0.0) + sign * second.get(name, 0.0) for name in (*VARIABLES, 1) if name in first or name in second
    }
