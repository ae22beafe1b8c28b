"""The parts of what is expected of a column: ranges, distances, presence, domains, stages; and of a whole table: rules, history."""

import math
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from taxiway.records import Record, Severity

SEMANTICS = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "ipv4": r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)",
    "iso_date": r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])",
    "url": r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#]+[^\s]*",
    "uuid": r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
}
"""What text may mean, each as the regular expression that all of the text has to match."""
Semantic = Literal["email", "ipv4", "iso_date", "url", "uuid"]
Distance = Literal["l_infinity", "jensen_shannon", "normalized_difference"]


class LifecycleStage(StrEnum):
    """How far a feature has come: what an anomaly in it does, and which models may use it, depends on that.

    planned: may not be there yet. alpha: tried out; anomalies warn, and no production model may use it. beta: may be used, and
    blocks. production: the same, and was clean for some time. deprecated: should no longer be used; it may be missing, and warns.
    """

    PLANNED = "planned"
    ALPHA = "alpha"
    BETA = "beta"
    PRODUCTION = "production"
    DEPRECATED = "deprecated"

    @property
    def warns(self) -> bool:
        """Whether anomalies in such a feature are reported and do not block."""
        return self in (LifecycleStage.PLANNED, LifecycleStage.ALPHA, LifecycleStage.DEPRECATED)

    @property
    def may_be_missing(self) -> bool:
        """Whether the column need not be there."""
        return self in (LifecycleStage.PLANNED, LifecycleStage.DEPRECATED)

    @property
    def usable(self) -> bool:
        """Whether a production model may use it."""
        return self not in (LifecycleStage.PLANNED, LifecycleStage.ALPHA)


class Range(Record):
    """The smallest and the largest number that may be, both included; a side left out is open."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        given = [side for side in (self.min, self.max) if side is not None]
        if not given or not all(math.isfinite(side) for side in given) or given != sorted(given):
            raise ValueError("allowed: min and max, finite numbers, at least one of them, min not above max")
        return self

    def describe(self) -> str:
        """`0 to 75`, `at least 0`, `at most 75`."""
        if self.min is not None and self.max is not None:
            return f"{self.min:g}" if self.min == self.max else f"{self.min:g} to {self.max:g}"
        return f"at least {self.min:g}" if self.min is not None else f"at most {self.max:g}"

    def holds(self, number: float) -> bool:
        """Whether `number` is within."""
        return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)


class Counts(Range):
    """A range of whole numbers from 0 up: of items in a list, of distinct values, of rows."""

    @model_validator(mode="after")
    def _whole(self) -> "Counts":
        for side in (self.min, self.max):
            if side is not None and (side < 0 or side != int(side)):
                raise ValueError(f"got {side:g}; allowed: whole numbers from 0 up")
        return self


class Drift(Record):
    """How far one set of rows may be from another: the newest span from the training spans, or training from serving data.

    `distance` is, for strings and booleans, l_infinity (the largest change of one value's share of the rows) or
    normalized_difference (the largest change of one value's rows, as a share of all rows of both); for numbers jensen_shannon (the
    divergence, base 2). All lie in [0, 1], and a distance equal to `limit` passes.
    """

    limit: float = Field(gt=0, le=1)
    severity: Severity = Severity.ERROR
    distance: Distance | None = None


class FeatureSkew(Record):
    """In which share of the rows of the same key a feature may differ between training and serving.

    Numbers are compared as they are, or rounded to `digits` decimal places.
    """

    max_fraction: float = Field(default=0.0, ge=0, lt=1)
    digits: int | None = Field(default=None, ge=0, le=15)
    severity: Severity = Severity.ERROR


class Rule(Record):
    """A condition on each row, in DuckDB's SQL over the columns' own names: `arr_time > dep_time`.

    At least `min_fraction` of the rows for which it is not null must fulfil it.
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

        # Alone it has to be balanced, and in parentheses an expression: together no more than one. The line ends for comments.
        with duckdb.connect() as connection:
            for text in (f"SELECT {sql}\n", f"SELECT ({sql}\n)"):
                try:
                    statements = connection.extract_statements(text)
                except duckdb.Error as error:
                    problem = str(error).splitlines()[0]
                    raise ValueError(
                        f"DuckDB cannot read it ({problem}); allowed: one condition, without a semicolon"
                    ) from None
                if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                    raise ValueError("allowed: one condition, without a semicolon")
        return sql


def presence_of(value: Any) -> Any:
    """The smallest share of rows with a value, from `required`, `optional` or `{min_fraction: F}`."""
    if value in ("required", "optional") and isinstance(value, str):
        return 1.0 if value == "required" else 0.0
    if isinstance(value, dict) and list(value) == ["min_fraction"]:
        value = value["min_fraction"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("allowed: required, optional, or {min_fraction: F} with F from 0 to 1")
    return float(value)


def domain_of(value: Any) -> Any:
    """The only values that may be, or None for `open`."""
    if value is None or value == "open":
        return None
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("allowed: open, or a list of at least one value")
    return tuple(value)
