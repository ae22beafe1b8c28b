"""The profile of a table: statistics of each column, small enough to keep for every span, which can be merged.

Profiles are computed in `profiler`, merged in `merge` and compared in `distance`.
"""

import math
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, NamedTuple

from taxiway.data.profiling.distinct_sketch import DistinctSample, Estimate
from taxiway.records import Record
from taxiway.records.base import Migration, renamed, without

PROFILE_VERSION = 4
"""The version of the computation; profiles of other versions are not reused."""
QUANTILE_COUNT = 101
"""The number of quantiles of a column, from the 0th to the 100th percentile."""
VALUES_KEPT = 1000
"""The largest number of values of which all are kept; of more values, only the `FREQUENT_KEPT` most frequent."""
FREQUENT_KEPT = 200
"""The number of values that are kept of a column with more than `VALUES_KEPT`."""
PAIRED_VALUES = 100
"""The largest number of values of a column, and after a merge of the label, for which rows are counted by value and label."""
TEXT_KEPT = 256
"""The number of characters that are kept of a text value."""
_SMALLEST_SQUARES = sys.float_info.min / sys.float_info.epsilon


class ValueCount(NamedTuple):
    """The number of rows with a value.

    Attributes:
        value: The value as text, at most its first 256 characters.
        rows: The number of rows.
    """

    value: str
    rows: int


class PairCount(NamedTuple):
    """The number of rows with a value and a label.

    Attributes:
        value: The value as text, at most its first 256 characters.
        label: The value of the label as text, at most its first 256 characters.
        rows: The number of rows.
    """

    value: str
    label: str
    rows: int


class Lengths(Record):
    """The lengths of the values of a column, in characters for text and in items for lists.

    Attributes:
        minimum: The smallest length.
        maximum: The largest length.
        mean: The mean length of the rows with a value.
    """

    minimum: int
    maximum: int
    mean: float


class WithLabel(Record):
    """The joint moments of a numeric column and a numeric or boolean label, over the rows with finite values of both.

    Attributes:
        rows: The number of these rows.
        mean_value: The mean of the column.
        mean_label: The mean of the label.
        m2_value: The sum of the squared deviations of the column from its mean.
        m2_label: The sum of the squared deviations of the label from its mean.
        comoment: The sum of the products of the two deviations.
    """

    rows: int
    mean_value: float
    mean_label: float
    m2_value: float
    m2_label: float
    comoment: float

    @property
    def correlation(self) -> float | None:
        """Pearson's correlation; None if a column is constant, or varies so little (1e-145) that its squares lose their digits."""
        if min(self.m2_value, self.m2_label) < _SMALLEST_SQUARES:
            return None
        return max(-1.0, min(1.0, self.comoment / (math.sqrt(self.m2_value) * math.sqrt(self.m2_label))))


class ColumnProfile(Record):
    """The statistics of a column.

    The statistics of numbers are over the finite numbers, at most 1e100 in size. Dates and times are seconds since 1970, UTC.

    Attributes:
        name: The name of the column.
        type: integer, number, boolean, string, date, datetime, list or other.
        storage: The DuckDB type in the file; after a merge, all of them, separated by "or".
        rows: The number of rows.
        missing: The rows with a null.
        nan: The rows with NaN.
        above: The rows with infinity (of a date or time too) or a number above 1e100.
        below: The rows with minus infinity or a number below -1e100.
        zeros: The rows with the number 0.
        fractional: The rows with a number that is not an integer.
        minimum: The smallest number, exact for integers of any size; None without finite numbers.
        maximum: The largest number, exact for integers of any size; None without finite numbers.
        mean: The mean; None without finite numbers.
        std: The population standard deviation, 0 for a constant; None without finite numbers, or if it overflows.
        skewness: The third standardized moment, 0 for a constant; None without finite numbers, or if it overflows.
        kurtosis: The excess kurtosis, 0 for a constant; None without finite numbers, or if it overflows.
        quantiles: The 101 quantiles from the 0th to the 100th percentile, all of them values of the column; empty without
            finite numbers.
        lengths: The lengths of text and lists; None for other types, or without values.
        distinct_sample: The sample that the number of distinct values, the uniqueness and the entropy are estimated from.
        values: The values of a string, boolean or integer column, most frequent first: all of them if `values_complete`, else
            the most frequent ones that occur more than once.
        values_complete: Whether `values` has every value.
        values_exact: Whether the row counts in `values` are exact; after a merge of incomplete lists they are lower bounds.
        with_label: The joint moments with the label; None if the column is not numeric, or the label neither numeric nor
            boolean.
        label_pairs: The number of rows by value and label; None without a label, for the label itself, or with too many values.
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
    minimum: int | float | None = None
    maximum: int | float | None = None
    mean: float | None = None
    std: float | None = None
    skewness: float | None = None
    kurtosis: float | None = None
    quantiles: tuple[float, ...] = ()
    lengths: Lengths | None = None
    distinct_sample: DistinctSample = DistinctSample()
    values: tuple[ValueCount, ...] = ()
    values_complete: bool = True
    values_exact: bool = True
    with_label: WithLabel | None = None
    label_pairs: tuple[PairCount, ...] | None = None

    @property
    def present(self) -> int:
        """The rows with a value, neither null nor NaN."""
        return self.rows - self.missing - self.nan

    @property
    def finite(self) -> int:
        """The rows with a value, without those in `above` and `below`."""
        return self.present - self.above - self.below

    @property
    def present_fraction(self) -> float:
        """The fraction of rows with a value; 1 without rows."""
        return self.present / self.rows if self.rows else 1.0

    @property
    def distinct(self) -> Estimate:
        """The number of distinct values: exact up to 1,024, else estimated with a standard error of at most 3.1%."""
        return self.distinct_sample.distinct(self.present, self._known)

    @property
    def uniqueness(self) -> Estimate:
        """The fraction of the rows with a value whose value occurs once (as in Deequ): 1 for a key, 0 without values."""
        return self.distinct_sample.uniqueness(self.present, self._known)

    @property
    def entropy(self) -> Estimate:
        """The entropy over the rows with a value, in nats: 0 for a constant, ln(rows) for a key."""
        return self.distinct_sample.entropy(self.present, self._known)

    @property
    def _known(self) -> tuple[int, ...]:
        return () if self.values_complete or not self.values_exact else tuple(item.rows for item in self.values)

    @property
    def correlation(self) -> float | None:
        """Pearson's correlation with the label; None if the column or the label is not numeric, or constant."""
        return self.with_label.correlation if self.with_label else None

    @property
    def label_information(self) -> float | None:
        """The mutual information with the label, sum p(x, y) ln(p(x, y) / p(x) p(y)), in nats; None without `label_pairs`."""
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
    """The statistics of a table.

    Attributes:
        rows: The number of rows.
        columns: The columns, in the order of the file.
        label: The column that the others were compared with; None for no label.
    """

    record_version: ClassVar[int] = 3
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("label"), 2: renamed(frequencies="distinct_sample")}

    rows: int
    columns: tuple[ColumnProfile, ...]
    label: str | None = None

    @cached_property
    def _by_name(self) -> dict[str, ColumnProfile]:
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> ColumnProfile | None:
        """The column of this name; None if there is none."""
        return self._by_name.get(name)


def kept_values(counts: dict[str, int], *, complete: bool) -> tuple[tuple[ValueCount, ...], bool]:
    """Select the values that a profile keeps.

    Args:
        counts: The number of rows of each value.
        complete: Whether `counts` has every value.

    Returns:
        The values to keep, most frequent first, and whether they are all values of the column.
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if complete and len(ordered) <= VALUES_KEPT:
        return tuple(ValueCount(value=value, rows=count) for value, count in ordered), True
    # Values that occur once do not describe a distribution, and may be personal identifiers.
    kept = [ValueCount(value=value, rows=count) for value, count in ordered[:FREQUENT_KEPT] if count > 1]
    return tuple(kept), False
