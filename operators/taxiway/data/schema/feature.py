"""The Feature record: what is expected of one column."""

import re
from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from taxiway.data.profiling.distance import RESOLUTION
from taxiway.data.profiling.profile import TEXT_KEPT
from taxiway.data.schema.constraints import (
    Counts,
    Drift,
    LifecycleStage,
    Range,
    Semantic,
    check_pattern,
    domain_of,
    presence_of,
)
from taxiway.messages import number_text
from taxiway.records import Record, Severity

FeatureType = Literal["boolean", "date", "datetime", "integer", "list", "number", "string"]
TYPES: tuple[str, ...] = get_args(FeatureType)
NUMERIC_TYPES = ("integer", "number")
CATEGORICAL_TYPES = ("boolean", "string")
DATE_TYPES = ("date", "datetime")
LIST_TYPES = ("list",)


class Feature(Record):
    """What is expected of one column.

    Attributes:
        name: The name of the column.
        type: The type of its values.
        description: What it means.
        unit: The unit of its numbers.
        missing_means: What a missing value means.
        collected: How the values are collected.
        stage: The lifecycle stage.
        owner: Who is responsible for it.
        since: The day from which it has its stage.
        presence: The smallest fraction of rows with a value (neither null nor NaN); at 0 the column itself may be missing.
        valency: How many items a list may have.
        unique: Whether every value must be unique.
        distinct: How many distinct values the column may have.
        domain: The allowed values; None allows any.
        min_in_domain: The fraction of rows with a value that must be in the domain.
        pattern: A regular expression (RE2) that the whole text must match.
        semantic: The name of a form that the whole text must have; see `SEMANTICS`.
        range: The allowed range of numbers.
        drift: The limit on the distance of the newest span from earlier spans.
        skew: The limit on the distance of serving data from training data.
        environments: The environments in which the column is expected; None for all.
        severity: The severity of anomalies, except drift and skew; the stage may lower it.
    """

    name: str
    type: FeatureType
    description: str = ""
    unit: str = ""
    missing_means: str = ""
    collected: str = ""
    stage: LifecycleStage = LifecycleStage.PRODUCTION
    owner: str = ""
    since: date | None = None
    presence: Annotated[float, BeforeValidator(presence_of)] = 1.0
    valency: Counts | None = None
    unique: bool = False
    distinct: Counts | None = None
    domain: Annotated[tuple[str | int, ...] | None, BeforeValidator(domain_of)] = None
    min_in_domain: float = Field(default=1.0, gt=0, le=1)
    pattern: str | None = None
    semantic: Semantic | None = None
    range: Range | None = None
    drift: Drift | None = None
    skew: Drift | None = None
    environments: tuple[str, ...] | None = None
    severity: Severity = Severity.ERROR

    @property
    def found_severity(self) -> Severity:
        """The severity of anomalies in the column: `severity`, or a warning if the stage lowers it."""
        return self.lowered_severity(self.severity)

    def lowered_severity(self, severity: Severity) -> Severity:
        """The severity of an anomaly in the column: the given one, or a warning if the stage lowers it."""
        return Severity.WARNING if self.stage.warns else severity

    def expected_in(self, environment: str) -> bool:
        """Whether the column is expected in data of `environment`."""
        return self.environments is None or environment in self.environments

    @field_validator("domain", mode="before")
    @classmethod
    def _no_yaml_surprise(cls, domain: Any) -> Any:
        # YAML reads a bare NO as false and 1.0 as a float: pydantic would turn either into something plausible.
        for value in domain if isinstance(domain, list | tuple) else ():
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise ValueError(f"YAML reads one of the values as {value!r}; put text in quotes")  # noqa: TRY004 pydantic's
        return domain

    @field_validator("pattern")
    @classmethod
    def _is_an_expression(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"it is not a regular expression: {error}") from None
        check_pattern(pattern)
        return pattern

    @model_validator(mode="after")
    def _fits_the_type(self) -> "Feature":
        if self.range is not None and self.type not in NUMERIC_TYPES:
            raise ValueError(f"a feature of type {self.type} cannot have a range; allowed for {' and '.join(NUMERIC_TYPES)}")
        if (self.pattern is not None or self.semantic is not None) and self.type != "string":
            raise ValueError(f"a feature of type {self.type} cannot have a pattern or semantic; allowed for string")
        if (self.valency is not None) and self.type != "list":
            raise ValueError(f"a feature of type {self.type} cannot have a valency; allowed for list")
        for name, limit in (("drift", self.drift), ("skew", self.skew)):
            if limit is not None:
                self._check_distance(name, limit)
        if self.domain is not None:
            self._check_domain(self.domain)
        elif self.min_in_domain < 1:
            raise ValueError("min_in_domain needs a domain: a list of values")
        return self

    def _check_distance(self, name: str, limit: Drift) -> None:
        if self.type not in (*NUMERIC_TYPES, *CATEGORICAL_TYPES):
            raise ValueError(f"{name} is not measured for the type {self.type}; remove {name}")
        numeric = self.type in NUMERIC_TYPES
        if numeric and limit.limit < RESOLUTION:
            raise ValueError(
                f"{name}.limit is {number_text(limit.limit)}; allowed: {RESOLUTION:g} or more, the resolution of 101 quantiles"
            )
        if numeric and limit.distance not in (None, "jensen_shannon"):
            raise ValueError(f"{name}.distance is {limit.distance}; allowed for type {self.type}: jensen_shannon")

    def _check_domain(self, domain: tuple[str | int, ...]) -> None:
        if self.type not in ("string", "integer"):
            raise ValueError(f"a feature of type {self.type} cannot have a domain; allowed for string and integer")
        wanted: type[str] | type[int] = str if self.type == "string" else int
        wrong = [value for value in domain if not isinstance(value, wanted)]
        if wrong:
            hint = "put it in quotes" if wanted is str else "remove its quotes"
            raise ValueError(f"domain has {wrong[0]!r}, which is not of type {self.type}; {hint}")
        if len(set(domain)) != len(domain):
            twice = next(value for value in domain if domain.count(value) > 1)
            raise ValueError(f"domain has {twice!r} more than once")
        if any(isinstance(value, str) and len(value) > TEXT_KEPT for value in domain):
            raise ValueError(f"domain has a value of more than {TEXT_KEPT} characters; only these are compared")
