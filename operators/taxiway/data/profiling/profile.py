"""Profiles: what the values of each column look like, small enough to keep and to compare for ever, and mergeable.

They are computed in `aggregates`, merged in `merge`, compared in `distance`.
"""

import math
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from taxiway.data.profiling.distinct_sketch import DistinctSample, Estimate
from taxiway.records import Record
from taxiway.records.base import Migration, without

if TYPE_CHECKING:
    pass

PROFILE_VERSION = 2
QUANTILES = 101
VALUES_KEPT = 1000
"""A list of values is complete up to here; of more values, the `FREQUENT_KEPT` most frequent are kept."""
FREQUENT_KEPT = 200
PAIRED_VALUES = 100
"""With how many values a column, or a label, is counted value by label."""
TEXT_KEPT = 256
_SMALLEST_SQUARES = sys.float_info.min / sys.float_info.epsilon


class ValueCount(NamedTuple):
    """How many rows hold one value; text by its first 256 characters."""

    value: str
    rows: int


class PairCount(NamedTuple):
    """How many rows hold one value together with one value of the label."""

    value: str
    label: str
    rows: int


class Lengths(Record):
    """The lengths of text in characters, or of lists in items, over the rows that have a value."""

    minimum: int
    maximum: int
    mean: float


class WithLabel(Record):
    """A numeric column beside a numeric (or boolean) label, over the `rows` that have both.

    `m2_value`, `m2_label` and `comoment` are sums of squared deviations from the means and of their products.
    """

    rows: int
    mean_value: float
    mean_label: float
    m2_value: float
    m2_label: float
    comoment: float

    @property
    def correlation(self) -> float | None:
        """Pearson's correlation; None if a side is constant, or varies by so little (1e-145) that its squares lose their digits."""
        if min(self.m2_value, self.m2_label) < _SMALLEST_SQUARES:
            return None
        return max(-1.0, min(1.0, self.comoment / (math.sqrt(self.m2_value) * math.sqrt(self.m2_label))))


class ColumnProfile(Record):
    """One column of some rows.

    `type` is integer, number, boolean, string, date, datetime, list or other; `storage` is DuckDB's name of the type in the file.
    `missing` are nulls, `nan` floats that are no number; `above` and `below` count infinities and what is beyond 1e100.
    The moments, `minimum`, `maximum` and `quantiles` (101 values that occur, from the 0th to the 100th percentile) are of the
    finite numbers, empty where there are none; dates and times count in seconds since 1970, UTC. `std` is the population's,
    `skewness` and `kurtosis` (excess) are its third and fourth standardized moments: all 0 for a constant, None if they overflow.
    `fractional` counts numbers that are not whole. `frequencies` knows the distinct values.
    `values` are counted for text, booleans and, where they have few values, integers, most frequent first: all of them if
    `values_complete`, else the most frequent of those that occur more than once; their rows are exact if `values_exact`, and at
    least so many after a merge.
    """

    name: str
    type: str
    storage: str
    rows: int
    missing: int
    nan: int = 0
    above: int = 0
    below: int = 0
    zeros: int = 0
    fractional: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None
    quantiles: tuple[float, ...] = ()
    lengths: Lengths | None = None
    frequencies: DistinctSample = DistinctSample()
    values: tuple[ValueCount, ...] = ()
    values_complete: bool = True
    values_exact: bool = True
    with_label: WithLabel | None = None
    label_pairs: tuple[PairCount, ...] | None = None

    @property
    def present(self) -> int:
        """Rows with a value: neither null nor NaN."""
        return self.rows - self.missing - self.nan

    @property
    def finite(self) -> int:
        """Rows with a value that is not infinite."""
        return self.present - self.above - self.below

    @property
    def present_fraction(self) -> float:
        """The share of rows with a value; 1 where there are no rows."""
        return self.present / self.rows if self.rows else 1.0

    @property
    def distinct(self) -> Estimate:
        """The number of distinct values: exact up to 1,024, with a standard error of at most 3.1 % beyond."""
        return self.frequencies.distinct(self.present, self._known)

    @property
    def uniqueness(self) -> Estimate:
        """The share of the rows with a value whose value no other row has (Deequ's): 1 for a key, 0 without values."""
        return self.frequencies.uniqueness(self.present, self._known)

    @property
    def entropy(self) -> Estimate:
        """In nats, over the rows with a value: 0 for a constant, ln(rows) for a key."""
        return self.frequencies.entropy(self.present, self._known)

    @property
    def _known(self) -> tuple[int, ...]:
        return () if self.values_complete or not self.values_exact else tuple(item.rows for item in self.values)

    @property
    def correlation(self) -> float | None:
        """Pearson's correlation with the label; None where one of the two is not numeric, or constant."""
        return self.with_label.correlation if self.with_label else None

    @property
    def label_information(self) -> float | None:
        """The mutual information with the label in nats: sum p(x, y) ln(p(x, y) / p(x) p(y)); None where there are many values."""
        if not self.label_pairs:
            return None
        total = sum(pair.rows for pair in self.label_pairs)
        values: dict[str, int] = {}
        labels: dict[str, int] = {}
        for pair in self.label_pairs:
            values[pair.value] = values.get(pair.value, 0) + pair.rows
            labels[pair.label] = labels.get(pair.label, 0) + pair.rows
        return math.fsum(
            pair.rows / total * math.log(pair.rows * total / (values[pair.value] * labels[pair.label]))
            for pair in self.label_pairs
        )


class Profile(Record):
    """All columns of some rows, in the order of the file. `label` is the column that the others were compared with, if any."""

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("label")}

    rows: int
    columns: tuple[ColumnProfile, ...]
    label: str | None = None

    @cached_property
    def _by_name(self) -> dict[str, ColumnProfile]:
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> ColumnProfile | None:
        """The column of this name, or None."""
        return self._by_name.get(name)


def kept_values(counts: dict[str, int], *, complete: bool) -> tuple[tuple[ValueCount, ...], bool]:
    """The part of `counts` that a profile keeps, most frequent first, and whether that is all of a complete list."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if complete and len(ordered) <= VALUES_KEPT:
        return tuple(ValueCount(value=value, rows=count) for value, count in ordered), True
    # Values that occur once say nothing of a distribution, and would fill profiles with people's ids.
    kept = [ValueCount(value=value, rows=count) for value, count in ordered[:FREQUENT_KEPT] if count > 1]
    return tuple(kept), False
