"""The Schema record: what is expected of every column, and of the table as a whole.

It is read from YAML in `file`; data is checked against it in `taxiway.data.validation`.
"""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, model_validator

from taxiway.data.schema.constraints import (
    FeatureSkew,
    Range,
    Rule,
)
from taxiway.data.schema.feature import CATEGORICAL_TYPES, DATE_TYPES, LIST_TYPES, NUMERIC_TYPES, Feature
from taxiway.data.schema.watch import MetricMonitor
from taxiway.records import Record, Waiver
from taxiway.records.base import Migration, renamed, without

TRAINING, SERVING = "TRAINING", "SERVING"

KINDS = (
    "distinct", "domain", "drift", "drift_unmeasured", "duplicate_key", "history", "infinite", "join_match", "label_constant",
    "label_missing", "max_rows", "min_rows", "missing_column", "new_column", "not_unique", "pattern", "presence", "range",
    "feature_skew", "rows_ratio", "rule", "skew", "skew_unmeasured", "stage", "type", "valency",
)  # fmt: skip
"""The kinds of anomaly that the checks report; failed expectations of a suite are reported as `gx:TYPE`."""


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Schema(Record):
    """What is expected of the data of one pipeline. Its digest is the schema version that reports and models refer to.

    Attributes:
        label: The column to predict; None for data that no pipeline trains on.
        key: The columns whose values together are unique for every row, in a span and across the spans of a snapshot.
        environments: The environments that features may be limited to.
        min_rows: The smallest number of rows of a span.
        max_rows: The largest number of rows of a span; None for no limit.
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
        """The schema for rows that have only some of the columns and are not a span, such as requests; None if it has none of these.

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
