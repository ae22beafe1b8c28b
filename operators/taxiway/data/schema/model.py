"""The Schema record: what is expected of every column, and of the table as a whole.

It is read from YAML in `file`; data is checked against it in `taxiway.data.validation`.
"""

import re
from collections.abc import Collection, Mapping
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
from taxiway.messages import number_text
from taxiway.records import Record, Severity, Waiver
from taxiway.records.base import Migration, renamed, without

FeatureType = Literal["boolean", "date", "datetime", "integer", "list", "number", "string"]
TYPES: tuple[str, ...] = get_args(FeatureType)
NUMERIC_TYPES = ("integer", "number")
CATEGORICAL_TYPES = ("boolean", "string")
DATE_TYPES = ("date", "datetime")
LIST_TYPES = ("list",)
TRAINING, SERVING = "TRAINING", "SERVING"

KINDS = (
    "distinct", "domain", "drift", "drift_unmeasured", "duplicate_key", "history", "infinite", "join_match", "label_constant",
    "label_missing", "max_rows", "min_rows", "missing_column", "new_column", "not_unique", "pattern", "presence", "range",
    "feature_skew", "rows_ratio", "rule", "skew", "skew_unmeasured", "stage", "type", "valency",
)  # fmt: skip
"""The kinds of anomaly that the checks report; failed expectations of a suite are reported as `gx:TYPE`."""


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
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"it is not a regular expression: {error}") from None
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


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Schema(Record):
    """What is expected of the data of one pipeline. Its digest is the schema version that reports and models refer to.

    Attributes:
        label: The column to predict; None for data that no pipeline trains on.
        key: The columns whose values together are unique for every row, in a span and across the spans of a snapshot.
        environments: The environments that features may be limited to.
        min_rows: The smallest number of rows of a span.
        max_rows: The largest number of rows of a span; None is no limit.
        rows_ratio: The allowed ratio of the newest span's rows to the mean of the spans before it.
        features: The columns, in the order of the file.
        rules: Conditions on each row.
        metric_checks: Limits for metrics over time.
        feature_skew: The limit on differences between training and serving rows with the same key.
        waivers: Anomalies that are excused until a date.
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
            raise ValueError(f"max_rows is {self.max_rows} and min_rows is {self.min_rows}; allowed: min_rows at most max_rows")
        for feature in self.features:
            for name in feature.environments or ():
                if name not in self.environments:
                    raise ValueError(
                        f"{feature.name} has the environment {name}; allowed: {', '.join(self.environments)} (see environments)"
                    )
        return self

    def feature(self, name: str) -> Feature | None:
        """The feature of this name, or None."""
        return next((feature for feature in self.features if feature.name == name), None)

    def without_label(self) -> "Schema":
        """The schema for rows whose labels are not known yet: nothing is expected of the label, and no rule names it."""
        if self.label is None:
            return self
        named = re.compile(rf"(?<!\w){re.escape(self.label)}(?!\w)", re.IGNORECASE)
        features = tuple(
            f.model_copy(update={"environments": (), "drift": None, "skew": None}) if f.name == self.label else f
            for f in self.features
        )
        rules = tuple(rule for rule in self.rules if not named.search(rule.sql))
        checks = tuple(monitor for monitor in self.metric_checks if monitor.column != self.label)
        return self.model_copy(update={"features": features, "rules": rules, "metric_checks": checks})

    def of_columns(self, names: Collection[str]) -> "Schema | None":
        """The schema for rows that have only some of the columns and are no span, such as requests; None if it has none of these.

        There are no limits for the table as a whole, and no key, whose values requests may repeat. A rule is left out that names another
        column of the schema.
        """
        kept = tuple(feature for feature in self.features if feature.name in names)
        if not kept:
            return None
        others = "|".join(re.escape(feature.name) for feature in self.features if feature.name not in names)
        named = re.compile(rf"(?<!\w)(?:{others})(?!\w)", re.IGNORECASE) if others else None
        return self.model_copy(
            update={
                "label": self.label if self.label in names else None,
                "key": (),
                "min_rows": 1,
                "max_rows": None,
                "rows_ratio": None,
                "features": kept,
                "rules": tuple(rule for rule in self.rules if named is None or not named.search(rule.sql)),
                "metric_checks": (),
                "feature_skew": None,
            }
        )

    def with_former_names(self, former: Mapping[str, str]) -> "Schema":
        """The schema for rows that were stored before the source renamed columns; `former` has the former name of each of them."""

        def named(name: str | None) -> str | None:
            return former.get(name, name) if name is not None else None

        return self.model_copy(
            update={
                "label": named(self.label),
                "key": tuple(former.get(name, name) for name in self.key),
                "features": tuple(f.model_copy(update={"name": former.get(f.name, f.name)}) for f in self.features),
                "metric_checks": tuple(m.model_copy(update={"column": named(m.column)}) for m in self.metric_checks),
            }
        )

    def numeric(self, label: str) -> tuple[str, ...]:
        """The integer and number columns that a model uses by default; see `offered`."""
        return self._taken(NUMERIC_TYPES, label)

    def categorical(self, label: str) -> tuple[str, ...]:
        """The string and boolean columns that a model uses by default; see `offered`."""
        return self._taken(CATEGORICAL_TYPES, label)

    def lists(self, label: str) -> tuple[str, ...]:
        """The columns of lists that a model uses by default; see `offered`."""
        return self._taken(LIST_TYPES, label)

    def dates(self, label: str) -> tuple[str, ...]:
        """The date and datetime columns that a model uses by default; see `offered`."""
        return self._taken(DATE_TYPES, label)

    @property
    def types(self) -> dict[str, str]:
        """The type of each column: text is read from text files as text even if all values are digits."""
        return {feature.name: feature.type for feature in self.features}

    def offered(self, label: str) -> tuple[str, ...]:
        """The columns that a model can use: expected in serving, and neither label nor key.

        Defaults (`numeric`, `categorical`, `dates`, `lists`) also leave out planned and alpha features.
        """
        kept = [f for f in self.features if f.expected_in(SERVING)]
        return tuple(feature.name for feature in kept if feature.name not in (label, self.label, *self.key))

    def _taken(self, types: tuple[str, ...], label: str) -> tuple[str, ...]:
        offered = self.offered(label)
        return tuple(f.name for f in self.features if f.type in types and f.name in offered and f.stage.usable)
