"""The language of conditions: it means what arithmetic means, survives printing, and its errors point at the mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import ConfigError
from taxiway.spec.conditions import Clause, Condition, ConditionError, parse_condition
from taxiway.spec.conditions.tokens import MAX_CHARACTERS

NUMBERS = st.floats(0, 1e6).map(repr) | st.sampled_from(["0.02", ".5", "2.", "1e-3", "3E+2"])
VARIABLES = st.sampled_from(["n", "o", "d"])


def sums(depth: int = 3) -> st.SearchStrategy[str]:
    """Sums that are linear in the variables."""
    leaf = NUMBERS | VARIABLES
    if depth == 0:
        return leaf
    inner = sums(depth - 1)
    return (
        leaf
        | st.builds("{} {} {}".format, inner, st.sampled_from("+-"), inner)
        | st.builds("{} * ({})".format, NUMBERS, inner)
        | st.builds("({})*{}".format, inner, NUMBERS)
        | st.builds("-({})".format, inner)
        | st.builds("({})".format, inner)
    )


@examples(200)
@given(
    left=sums(),
    right=sums(),
    comparison=st.sampled_from("<>"),
    tolerance=st.floats(1e-6, 10),
    values=st.tuples(*[st.floats(0, 1)] * 3),
)
def test_a_condition_means_what_arithmetic_means_and_survives_printing(
    left: str, right: str, comparison: str, tolerance: float, values: tuple[float, float, float]
) -> None:
    text = f"{left} {comparison} {right} +/- {tolerance!r}"
    if len(text) > MAX_CHARACTERS:
        return
    try:
        condition = parse_condition(text)
    except ConditionError as error:
        assert "does not depend on any variable" in str(error)
        return
    assert parse_condition(str(condition)) == condition
    (clause,) = condition.clauses
    n, o, d = values
    difference = eval(left) - eval(right)
    scale = 1 + abs(eval(left.replace("-", "+"))) + abs(eval(right.replace("-", "+")))
    assert clause.value({"n": n, "o": o, "d": d}) - clause.bound == pytest.approx(difference, abs=1e-9 * scale * 1e6)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("n - o > 0.02 +/- 0.01", "n - o > 0.02 +/- 0.01"),
        ("n-1.1*o>.01+/-.01/\\d<.1±.01", "n - 1.1 * o > 0.01 +/- 0.01 and d < 0.1 +/- 0.01"),
        ("n > o + 0.02 +/- 0.01 AND 0.1 > d +/- 0.01", "n - o > 0.02 +/- 0.01 and -d > -0.1 +/- 0.01"),
        ("2 * (n - o) - -d > 0 +/- 1e-3", "2 * n + d - 2 * o > 0 +/- 0.001"),
        ("-o + n > 0 +/- 0.1", "n - o > 0 +/- 0.1"),
    ],
)
def test_spellings_of_one_condition_print_alike(text: str, printed: str) -> None:
    assert str(parse_condition(text)) == printed


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("n - p > 0.02 +/- 0.01", 4, 'instead of "p"\n    n - p > 0.02 +/- 0.01\n        ^\n    allowed: n (new model)'),
        ("n > 0.8", 7, "the tolerance is expected instead of the end of the condition"),
        ("n > 0.8 +/- 0", 12, "a tolerance of 0 would need infinitely many rows"),
        ("n > 0.8 +/- -1", 12, "a number above 0"),
        ("n >= 0.8 +/- 0.1", 2, "allowed: >; with a tolerance, > and >= are the same"),
        ("n * o > 0.1 +/- 0.1", 2, "a variable can only be multiplied by a number"),
        ("n / 2 > 0.1 +/- 0.1", 2, "multiply by 0.5"),
        ("n > 80% +/- 1%", 6, "0.02 instead of 2%"),
        ("n - n > 0 +/- 0.1", 0, "does not depend on any variable"),
        ("n > 0.1 +/- 0.1 or d < 1 +/- 0.1", 16, "write each as an entry of its own"),
        ("n > 0.1 +/- 0.1, d < 1 +/- 0.1", 15, '"," has no meaning in a condition'),
        ("(n - o > 0.1 +/- 0.1", 7, 'the parenthesis at character 1 is not closed before ">"'),
        ("", 0, "instead of the end of the condition"),
        ("n > 1e999 +/- 1", 4, "too large"),
        ("1e200 * 1e200 * n > 1 +/- 1", 0, "too large"),
        ("(" * 30 + "n" + ")" * 30 + " > 1 +/- 1", 20, "nested too deeply"),
        ("n > 0.1 +/- 0.1 " + "and n > 0.1 +/- 0.1 " * 20, 299, "at most 300"),
        ("N > 0.1 +/- 0.1", 0, 'instead of "N"'),
    ],
)
def test_an_error_points_at_the_mistake_and_says_what_is_allowed(text: str, column: int, said: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse_condition(text)
    assert error.value.column == column
    lines = str(error.value).split("\n")
    assert (lines[2].index("^") - 4, lines[3][:13]) == (column, "    allowed: ")
    assert said in str(error.value)


@examples(300)
@given(st.text(alphabet="nod+-*/<>±().0 1e&and∧\t", max_size=40))
def test_any_text_is_a_condition_or_an_error_with_its_place(text: str) -> None:
    try:
        condition = parse_condition(text)
    except ConfigError as error:
        assert isinstance(error, ConditionError)
        assert 0 <= error.column <= len(text)
    else:
        assert parse_condition(str(condition)) == condition


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("n > 1.5 +/- 0.1", "n > 1.5 +/- 0.1 is always false: n is from 0 to 1"),
        ("d < 2 +/- 0.1", "is always true: d is from 0 to 1"),
        ("n > 0.98 +/- 0.05", "can never be shown: an estimate would have to be above 1.03"),
        ("d < 0.01 +/- 0.05", "below -0.04"),
        ("n - o > -0.01 +/- 0.005", None),
        ("n - o - d > 0.1 +/- 0.01", "n - o - d is from -2 to 0"),  # a difference is no larger than the disagreement
    ],
)
def test_conditions_that_nothing_can_meet_are_named(text: str, said: str | None) -> None:
    found = parse_condition(text).undecidable_reason()
    assert (found is None) if said is None else (found is not None and said in found)


def test_the_range_of_a_metric_counts() -> None:
    cheaper = Condition((Clause((("n", 1.0), ("o", -1.0)), "<", -2.0, 1.0),))
    assert cheaper.undecidable_reason() is not None
    assert cheaper.undecidable_reason((0.0, 40.0)) is None
