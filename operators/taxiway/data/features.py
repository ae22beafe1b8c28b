"""The Schema record: what a team expects of every column, and of the table as a whole.

Reading it from YAML is in `schema`, comparing data with it in `validate`.
"""

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from taxiway.data.distance import RESOLUTION
from taxiway.data.profile import TEXT_KEPT
from taxiway.records import Record, Severity, Waiver

FeatureType = Literal["boolean", "date", "datetime", "integer", "number", "string"]
TYPES: tuple[str, ...] = get_args(FeatureType)
NUMERIC_TYPES = ("integer", "number")
CATEGORICAL_TYPES = ("boolean", "string")

KINDS = (
    "domain", "drift", "drift_unmeasured", "duplicate_key", "infinite", "label_constant", "label_missing", "min_rows",
    "missing_column", "new_column", "presence", "range", "type",
)  # fmt: skip
"""The kinds of anomaly that the schema's checks find; those of a suite are called `gx:` and the expectation's type."""


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

    @property
    def words(self) -> str:
        """`0 to 75`, `at least 0`, `at most 75`."""
        if self.min is not None and self.max is not None:
            return f"{self.min:g} to {self.max:g}"
        return f"at least {self.min:g}" if self.min is not None else f"at most {self.max:g}"


class Drift(Record):
    """How far the newest span may be from the training spans.

    The distance is L-infinity for strings and booleans (the largest change of one value's share of the rows) and the
    Jensen-Shannon divergence, base 2, for numbers; both lie in [0, 1], and a distance equal to `limit` passes.
    """

    limit: float = Field(gt=0, le=1)
    severity: Severity = Severity.ERROR


def _presence(value: Any) -> Any:
    if value in ("required", "optional") and isinstance(value, str):
        return 1.0 if value == "required" else 0.0
    if isinstance(value, dict) and list(value) == ["min_fraction"]:
        value = value["min_fraction"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("allowed: required, optional, or {min_fraction: F} with F from 0 to 1")
    return float(value)


def _domain(value: Any) -> Any:
    if value is None or value == "open":
        return None
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("allowed: open, or a list of at least one value")
    return tuple(value)


class Feature(Record):
    """What is expected of one column.

    `presence` is the smallest share of rows with a value (neither null nor NaN); at 0 the column itself may be missing.
    `domain` are the only values that may be, None for any. `severity` is that of every finding in the column but drift.
    """

    name: str
    type: FeatureType
    description: str = ""
    unit: str = ""
    presence: Annotated[float, BeforeValidator(_presence)] = 1.0
    domain: Annotated[tuple[str | int, ...] | None, BeforeValidator(_domain)] = None
    range: Range | None = None
    drift: Drift | None = None
    severity: Severity = Severity.ERROR

    @field_validator("domain", mode="before")
    @classmethod
    def _no_yaml_surprise(cls, domain: Any) -> Any:
        # YAML reads a bare NO as false and 1.0 as a float: pydantic would turn either into something plausible.
        for value in domain if isinstance(domain, list | tuple) else ():
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise ValueError(f"YAML reads one of the values as {value!r}; put text in quotes")  # noqa: TRY004 pydantic's
        return domain

    @model_validator(mode="after")
    def _fits_the_type(self) -> "Feature":
        if self.range is not None and self.type not in NUMERIC_TYPES:
            raise ValueError(f"a {self.type} has no range; range is for {' and '.join(NUMERIC_TYPES)}")
        if self.drift is not None and self.type not in (*NUMERIC_TYPES, *CATEGORICAL_TYPES):
            raise ValueError(f"drift of a {self.type} is not measured; leave drift out")
        if self.drift is not None and self.type in NUMERIC_TYPES and self.drift.limit < RESOLUTION:
            raise ValueError(
                f"drift.limit is {self.drift.limit:g}; divergences below {RESOLUTION:g} are too fine for 101 quantiles"
            )
        if self.domain is not None:
            self._check_domain(self.domain)
        return self

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

    `key` are the columns whose values together tell any two rows apart, in one span and across the spans of a snapshot.
    `min_rows` is for each span. `features` are in the order of the file.
    """

    label: str
    key: Annotated[tuple[str, ...], BeforeValidator(_one_or_more)] = ()
    min_rows: int = Field(default=1, ge=1)
    features: tuple[Feature, ...] = Field(min_length=1)
    waivers: tuple[Waiver, ...] = ()

    def feature(self, name: str) -> Feature | None:
        """The feature of this name, or None."""
        return next((feature for feature in self.features if feature.name == name), None)

    def numeric(self, label: str) -> tuple[str, ...]:
        """The columns of integers and numbers, without label and key."""
        return self._named(NUMERIC_TYPES, label)

    def categorical(self, label: str) -> tuple[str, ...]:
        """The columns of strings and booleans, without label and key."""
        return self._named(CATEGORICAL_TYPES, label)

    def _named(self, types: tuple[str, ...], label: str) -> tuple[str, ...]:
        return tuple(f.name for f in self.features if f.type in types and f.name not in (label, self.label, *self.key))
