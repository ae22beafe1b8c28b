"""The constraints of a schema: ranges, counts, drift and skew limits, rules, and the lifecycle stages of features."""

import math
from datetime import date
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from taxiway.messages import number_text
from taxiway.records import Record, Severity

if TYPE_CHECKING:
    import duckdb

_YEAR = r"(?:[1-9]\d{3}|0[1-9]\d\d|00[1-9]\d|000[1-9])"
_LEAP_YEAR = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
SEMANTICS = {
    "email": r"[^@\s.]+(?:\.[^@\s.]+)*@(?:[^@\s.]+\.)+[^@\s.]+",
    "ipv4": rf"(?:{_BYTE}\.){{3}}{_BYTE}",
    "iso_date": rf"(?:{_YEAR}-{_DAY}|{_LEAP_YEAR}-02-29)",
    "url": r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@][^\s/?#]*(?:[/?#]\S*)?",
    "uuid": r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
}
"""The forms that text can be required to have, each with the regular expression that the whole text must match."""
Semantic = Literal["email", "ipv4", "iso_date", "url", "uuid"]
Distance = Literal["l_infinity", "jensen_shannon", "normalized_difference"]


class LifecycleStage(StrEnum):
    """The lifecycle stage of a feature, which decides whether its anomalies block and whether production models may use it.

    Attributes:
        PLANNED: The column may be missing; anomalies are warnings; models must not use it.
        ALPHA: On trial: anomalies are warnings; models must not use it.
        BETA: Anomalies block; models may use it.
        PRODUCTION: As beta, and without anomalies for some time.
        DEPRECATED: The column may be missing; anomalies are warnings; models may use it, with a warning.
    """

    PLANNED = "planned"
    ALPHA = "alpha"
    BETA = "beta"
    PRODUCTION = "production"
    DEPRECATED = "deprecated"

    @property
    def warns(self) -> bool:
        """Whether anomalies in the feature are only warnings."""
        return self in (LifecycleStage.PLANNED, LifecycleStage.ALPHA, LifecycleStage.DEPRECATED)

    @property
    def may_be_missing(self) -> bool:
        """Whether the column may be missing."""
        return self in (LifecycleStage.PLANNED, LifecycleStage.DEPRECATED)

    @property
    def usable(self) -> bool:
        """Whether a production model may use it."""
        return self not in (LifecycleStage.PLANNED, LifecycleStage.ALPHA)


class Range(Record):
    """The smallest and the largest allowed number, both inclusive; None for no limit."""

    min: int | float | None = None
    max: int | float | None = None

    @field_validator("min", "max", mode="before")
    @classmethod
    def _is_no_date(cls, side: Any) -> Any:
        if isinstance(side, date):
            raise ValueError(f"only numbers have a range; write a rule instead, such as sql: COLUMN >= DATE '{side:%Y-%m-%d}'")  # noqa: TRY004 pydantic's
        return side

    @field_validator("min", "max")
    @classmethod
    def _as_float(cls, side: int | float | None) -> int | float | None:
        # An integer stays one only if no float is equal to it, so that 1 and 1.0 are the same schema.
        return float(side) if isinstance(side, int) and float(side) == side else side

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        given = [side for side in (self.min, self.max) if side is not None]
        if not given or not all(math.isfinite(side) for side in given) or given != sorted(given):
            raise ValueError("allowed: min, max or both, finite numbers with min not above max")
        return self

    def describe(self) -> str:
        """`0 to 75`, `at least 0`, `at most 75`."""
        if self.min is not None and self.max is not None:
            return number_text(self.min) if self.min == self.max else f"{number_text(self.min)} to {number_text(self.max)}"
        return f"at least {number_text(self.min)}" if self.min is not None else f"at most {number_text(self.max or 0)}"

    def holds(self, number: float) -> bool:
        """Whether `number` is within the range."""
        return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)


class Counts(Range):
    """A range of counts, which are whole numbers from 0 up: of items in a list, of distinct values, of rows."""

    @model_validator(mode="after")
    def _whole(self) -> "Counts":
        for side in (self.min, self.max):
            if side is not None and (side < 0 or side != int(side)):
                raise ValueError(f"got {number_text(side)}; allowed: whole numbers from 0 up")
        return self


class Drift(Record):
    """The limit on a feature's drift or skew.

    Attributes:
        limit: The largest distance that passes, from 0 to 1.
        severity: Whether an anomaly blocks.
        distance: For strings and booleans `l_infinity` (default: the largest change of one value's fraction of the rows with a value),
            `normalized_difference` (the largest change of one value's number of rows, as a fraction of the rows of both sides), or
            `jensen_shannon` (the divergence of all values' shares, base 2); for numbers `jensen_shannon`.
    """

    limit: float = Field(gt=0, le=1)
    severity: Severity = Severity.ERROR
    distance: Distance | None = None


class FeatureSkew(Record):
    """The limit on differences between training and serving rows with the same key.

    Attributes:
        max_fraction: The largest fraction of rows in which a feature may differ.
        digits: The decimal places that numbers are rounded to before they are compared; None compares them exactly.
        severity: Whether an anomaly blocks.
    """

    max_fraction: float = Field(default=0.0, ge=0, lt=1)
    digits: int | None = Field(default=None, ge=0, le=15)
    severity: Severity = Severity.ERROR


class Rule(Record):
    """A condition on each row.

    Attributes:
        name: The name of the rule.
        sql: The condition, in DuckDB's SQL over the column names: `arr_time > dep_time`.
        description: What the rule means, for messages.
        min_fraction: The fraction of rows that must fulfil the condition, of those for which it is not null.
        severity: Whether an anomaly blocks.
    """

    name: str
    sql: str = Field(min_length=1)
    description: str = ""
    min_fraction: float = Field(default=1.0, gt=0, le=1)
    severity: Severity = Severity.ERROR

    @field_validator("sql")
    @classmethod
    def _one_condition(cls, sql: str) -> str:
        import duckdb

        # The text must parse both alone (balanced) and in parentheses (one expression). The line break ends a comment.
        with _parser().cursor() as connection:
            for text in (f"SELECT {sql}\n", f"SELECT ({sql}\n)"):
                try:
                    statements = connection.extract_statements(text)
                except duckdb.Error as error:
                    problem = str(error).splitlines()[0]
                    raise ValueError(
                        f"DuckDB cannot parse it ({problem}); allowed: one condition, without a semicolon"
                    ) from None
                if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                    raise ValueError("allowed: one condition, without a semicolon")
        return sql


def check_pattern(pattern: str) -> None:
    """Raise ValueError if data validation cannot use a regular expression: DuckDB's have no lookaround and no backreferences."""
    import duckdb

    with _parser().cursor() as connection:
        try:
            connection.execute("SELECT regexp_full_match('', $1)", [pattern])
        except duckdb.Error as error:
            problem = str(error).splitlines()[0]
            raise ValueError(
                f"DuckDB cannot compile it ({problem}); allowed: RE2 regular expressions, without lookaround and backreferences"
            ) from None


@cache
def _parser() -> "duckdb.DuckDBPyConnection":
    """A database that only parses: to make one costs a hundred times as much as to parse a rule or a pattern."""
    import duckdb

    return duckdb.connect(config={"threads": 1})  # without threads, which a fork of this process would not have


def presence_of(value: Any) -> Any:
    """The smallest fraction of rows with a value, from `required`, `optional` or `{min_fraction: F}`."""
    if value in ("required", "optional") and isinstance(value, str):
        return 1.0 if value == "required" else 0.0
    if isinstance(value, dict) and list(value) == ["min_fraction"]:
        value = value["min_fraction"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("allowed: required, optional, or {min_fraction: F} with F from 0 to 1")
    return float(value)


def domain_of(value: Any) -> Any:
    """The allowed values, or None for `open`."""
    if value is None or value == "open":
        return None
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("allowed: open, or a list of at least one value")
    return tuple(value)
