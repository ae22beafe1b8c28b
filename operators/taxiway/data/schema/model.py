"""The Schema record: what a team expects of every column, and of the table as a whole.

Reading it from YAML is in `schema`, comparing data with it in `validate`.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from taxiway.data.profiling.distance import RESOLUTION
from taxiway.data.profiling.profile import TEXT_KEPT
from taxiway.data.schema.constraints import (
    Counts,
    Drift,
    FeatureSkew,
    LifecycleStage,
    Range,
    Rule,
    Semantic,
    domain_of,
    presence_of,
)
from taxiway.data.schema.watch import MetricMonitor
from taxiway.records import Record, Severity, Waiver
from taxiway.records.base import Migration, renamed, without

FeatureType = Literal["boolean", "date", "datetime", "integer", "list", "number", "string"]
TYPES: tuple[str, ...] = get_args(FeatureType)
NUMERIC_TYPES = ("integer", "number")
CATEGORICAL_TYPES = ("boolean", "string")
TRAINING, SERVING = "TRAINING", "SERVING"

KINDS = (
    "distinct", "domain", "drift", "drift_unmeasured", "duplicate_key", "history", "infinite", "join_match", "label_constant",
    "label_missing", "max_rows", "min_rows", "missing_column", "new_column", "not_unique", "pattern", "presence", "range",
    "feature_skew", "rows_ratio", "rule", "skew", "skew_unmeasured", "stage", "type", "valency",
)  # fmt: skip
"""The kinds of anomaly that the schema's checks find; those of a suite are called `gx:` and the expectation's type."""


class Feature(Record):
    """What is expected of one column.

    `presence` is the smallest share of rows with a value (neither null nor NaN); at 0 the column itself may be missing.
    `domain` are the only values that may be, None for any; `min_in_domain` is the share of rows with a value that must be one of
    them. All of a text must match `pattern` (a regular expression of DuckDB), or that of `semantic`. `valency` is how many items
    a list may have, `distinct` how many distinct values the column, and `unique` that no two rows share one.
    `drift` limits the distance of the newest span from the training spans, `skew` that of serving data from training data.
    `environments` are those in which the column is expected, None for all. `severity` is that of every finding in the column but
    drift and skew, where the stage does not lower it.
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
        """What an anomaly in the column weighs: its stage may lower the severity to a warning."""
        return Severity.WARNING if self.stage.warns else self.severity

    def expected_in(self, environment: str) -> bool:
        """Whether data of `environment` should have the column."""
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
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return pattern

    @model_validator(mode="after")
    def _fits_the_type(self) -> "Feature":
        if self.range is not None and self.type not in NUMERIC_TYPES:
            raise ValueError(f"a {self.type} has no range; range is for {' and '.join(NUMERIC_TYPES)}")
        if (self.pattern is not None or self.semantic is not None) and self.type != "string":
            raise ValueError(f"a {self.type} has no pattern; pattern and semantic are for string")
        if (self.valency is not None) and self.type != "list":
            raise ValueError(f"a {self.type} has one value a row; valency is for list")
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
            raise ValueError(f"{name} of a {self.type} is not measured; leave {name} out")
        numeric = self.type in NUMERIC_TYPES
        if numeric and limit.limit < RESOLUTION:
            raise ValueError(
                f"{name}.limit is {limit.limit:g}; divergences below {RESOLUTION:g} are too fine for 101 quantiles"
            )
        if limit.distance is not None and numeric != (limit.distance == "jensen_shannon"):
            allowed = "jensen_shannon" if numeric else "l_infinity, normalized_difference"
            raise ValueError(f"{name}.distance is {limit.distance}; allowed for a {self.type}: {allowed}")

    def _check_domain(self, domain: tuple[str | int, ...]) -> None:
        if self.type not in ("string", "integer"):
            raise ValueError(f"a {self.type} has no domain; domain is for string and integer")
        wanted: type[str] | type[int] = str if self.type == "string" else int
        wrong = [value for value in domain if not isinstance(value, wanted)]
        if wrong:
            hint = "put it in quotes" if wanted is str else "take it out of its quotes"
            raise ValueError(f"domain holds {wrong[0]!r}, which is not of type {self.type}; {hint}")
        if len(set(domain)) != len(domain):
            twice = next(value for value in domain if domain.count(value) > 1)
            raise ValueError(f"domain holds {twice!r} more than once")
        if any(isinstance(value, str) and len(value) > TEXT_KEPT for value in domain):
            raise ValueError(f"domain holds a value of more than {TEXT_KEPT} characters; text is compared up to there")


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Schema(Record):
    """What is expected of the data of one pipeline. Its digest is the schema version that reports and models name.

    `label` is the column that is predicted; a schema of data from which nothing is learned has none, and no pipeline takes it.
    `key` are the columns whose values together tell any two rows apart, in one span and across the spans of a snapshot.
    `min_rows` and `max_rows` are for each span, `rows_ratio` for the newest span's rows by the mean of those before it.
    `environments` are the kinds of data that features may be limited to. `features` are in the order of the file.
    """

    record_version: ClassVar[int] = 3
    migrations: ClassVar[Mapping[int, Migration]] = {
        1: without("history.column", "waivers.column"),
        2: renamed(history="metric_checks", row_skew="feature_skew"),
    }

    label: str | None = None
    key: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)] = ()
    environments: tuple[str, ...] = (TRAINING, SERVING)
    min_rows: int = Field(default=1, ge=1)
    max_rows: int | None = Field(default=None, ge=1)
    rows_ratio: Range | None = None
    features: tuple[Feature, ...] = Field(min_length=1)
    rules: tuple[Rule, ...] = ()
    metric_checks: tuple[MetricMonitor, ...] = ()
    feature_skew: FeatureSkew | None = None
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> "Schema":
        if self.max_rows is not None and self.max_rows < self.min_rows:
            raise ValueError(f"max_rows is {self.max_rows} and min_rows {self.min_rows}; allowed: min_rows at most max_rows")
        for feature in self.features:
            for name in feature.environments or ():
                if name not in self.environments:
                    raise ValueError(
                        f"{feature.name} names the environment {name}; allowed: {', '.join(self.environments)} (environments)"
                    )
        return self

    def feature(self, name: str) -> Feature | None:
        """The feature of this name, or None."""
        return next((feature for feature in self.features if feature.name == name), None)

    def numeric(self, label: str) -> tuple[str, ...]:
        """The columns of integers and numbers that a model takes where its pipeline names none; see `offered`."""
        return self._taken(NUMERIC_TYPES, label)

    def categorical(self, label: str) -> tuple[str, ...]:
        """The columns of strings and booleans that a model takes where its pipeline names none; see `offered`."""
        return self._taken(CATEGORICAL_TYPES, label)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of text: in CSV they are text even where they hold nothing but digits."""
        return tuple(feature.name for feature in self.features if feature.type == "string")

    def offered(self, label: str) -> tuple[str, ...]:
        """The columns that a model can take: neither label nor key, and there when it serves. Those taken unasked are past alpha."""
        kept = [f for f in self.features if f.type in (*NUMERIC_TYPES, *CATEGORICAL_TYPES) and f.expected_in(SERVING)]
        return tuple(feature.name for feature in kept if feature.name not in (label, self.label, *self.key))

    def _taken(self, types: tuple[str, ...], label: str) -> tuple[str, ...]:
        offered = self.offered(label)
        return tuple(f.name for f in self.features if f.type in types and f.name in offered and f.stage.usable)
