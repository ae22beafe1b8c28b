"""Profiles: what one column's values look like, span by span, small enough to keep and to compare for ever.

How profiles are merged is in `merge`, how they are compared in `distance`.
"""

from typing import TYPE_CHECKING, Any

from taxiway.errors import TerminalError
from taxiway.records import Record, Span
from taxiway.store.store import Store

if TYPE_CHECKING:
    from taxiway.data.table import Column, Table

PROFILE_VERSION = 1
QUANTILES = 101
VALUES_KEPT = 1000
TEXT_KEPT = 256
LARGEST = 1e100
"""Numbers beyond this count as infinite: the squares of what is beyond overflow."""
_ON_A_LINE = ("integer", "number", "date", "datetime")
_ROWS_FOR_QUANTILES = 1_000_000
_STEPS = [step / (QUANTILES - 1) for step in range(QUANTILES)]


class ValueCount(Record):
    """How many rows hold one value; text by its first 256 characters."""

    value: str
    count: int


class ColumnProfile(Record):
    """One column of some rows.

    `type` is integer, number, boolean, string, date, datetime or other; `storage` is DuckDB's name of the type in the file.
    `missing` are nulls, `nan` floats that are no number; `above` and `below` count infinities and what is beyond 1e100.
    The moments, `minimum`, `maximum` and `quantiles` (101 values that occur, from the 0th to the 100th percentile) are of the
    finite numbers, empty where there are none; dates and times count in seconds since 1970, UTC. `std` is the population's.
    `fractional` counts numbers that are not whole. `distinct` is approximate (a lower bound after a merge).
    `values` are counted for text and booleans, most frequent first: all of them if `values_complete`, else those among the
    first 1,000 that occur more than once.
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
    distinct: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[float, ...] = ()
    values: tuple[ValueCount, ...] = ()
    values_complete: bool = True

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


class Profile(Record):
    """All columns of some rows, in the order of the file."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        """The column of this name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def profile_span(span: Span, store: Store) -> Profile:
    """The profile of a span: computed once for each content and kept in the store.

    Raises BadData if the span's file cannot be read.
    """
    pointer = f"profiles/{span.content}-v{PROFILE_VERSION}"
    known = store.pointer(pointer)
    if known is not None:
        try:
            return store.get(Profile, known)
        except TerminalError:
            pass  # lost or altered: made again below
    from taxiway.data.table import open_table

    with store.local_file(span.content) as path, open_table(path, f"span {span.label}") as table:
        profile = profile_table(table)
    store.point(pointer, store.put(profile).digest)
    return profile


def profile_table(table: "Table") -> Profile:
    """Profile all columns in one aggregate query, and count the values of text and booleans.

    Quantiles are exact up to a million rows, beyond that of a million rows taken evenly; everything else is of all rows.
    """
    rows = int(table.rows("SELECT count(*) FROM span")[0][0])  # from the file's footer: reads no data
    every = -(-rows // _ROWS_FOR_QUANTILES) or 1
    summaries = ", ".join(f"{_summary(column, every)} AS {column.sql}" for column in table.columns)
    numbers = "".join(f", {_finite(column)} AS f{column.sql}" for column in table.columns if column.type in _ON_A_LINE)
    place = "" if every == 1 else ", row_number() OVER () AS place"
    found = table.rows(f"SELECT {summaries} FROM (SELECT *{numbers}{place} FROM span)")[0]  # noqa: S608 our own names
    return Profile(
        rows=rows,
        columns=tuple(_column(column, stats, rows, table) for column, stats in zip(table.columns, found, strict=True)),
    )


def _number(column: "Column") -> str:
    return f"epoch({column.sql})" if column.type in ("date", "datetime") else f"{column.sql}::DOUBLE"


def _finite(column: "Column") -> str:
    """A column's finite numbers, null where it has none; made once for all aggregates over it."""
    number = _number(column)
    return f"CASE WHEN {number} BETWEEN -{LARGEST} AND {LARGEST} THEN {number} END"


def _summary(column: "Column", every: int) -> str:
    """The aggregates of one column, as one struct."""
    sql, finite = column.sql, f"f{column.sql}"
    if column.type not in _ON_A_LINE:
        distinct = "" if column.type == "other" else f", 'distinct': approx_count_distinct({sql})"
        return f"{{'present': count({sql}){distinct}}}"
    number = _number(column)
    sampled = "" if every == 1 else f" FILTER (place % {every} = 0)"
    return f"""{{
        'present': count({sql}), 'distinct': approx_count_distinct({sql}), 'nan': coalesce(count_if(isnan({number})), 0),
        'above': coalesce(count_if({number} > {LARGEST} AND NOT isnan({number})), 0), 'below': coalesce(count_if({number} < -{LARGEST}), 0),
        'zeros': coalesce(count_if({finite} = 0), 0), 'fractional': coalesce(count_if({finite} <> floor({finite})), 0),
        'minimum': min({finite}), 'maximum': max({finite}), 'mean': avg({finite}), 'std': stddev_pop({finite}),
        'quantiles': quantile_disc({finite}, {_STEPS}){sampled}}}"""


def _column(column: "Column", stats: dict[str, Any], rows: int, table: "Table") -> ColumnProfile:
    missing = rows - stats.pop("present")
    values: tuple[ValueCount, ...] = ()
    complete = True
    if column.type in ("string", "boolean"):
        values, complete = _values(column, table)
        stats["distinct"] = len(values) if complete else stats["distinct"]
    quantiles = tuple(stats.pop("quantiles", None) or ())
    if quantiles:
        # The extremes are of all rows, whatever the quantiles were taken of.
        quantiles = (stats["minimum"], *quantiles[1:-1], stats["maximum"])
    return ColumnProfile(
        name=column.name,
        type=column.type,
        storage=column.storage,
        rows=rows,
        missing=missing,
        quantiles=quantiles,
        values=values,
        values_complete=complete,
        **stats,
    )


def _values(column: "Column", table: "Table") -> tuple[tuple[ValueCount, ...], bool]:
    """The values of a column with their counts, and whether these are all."""
    # A hash aggregate of its own: histogram() beside the other aggregates takes ten times as long on text.
    found = table.rows(
        f"""SELECT left({column.sql}::VARCHAR, {TEXT_KEPT}) AS value, count(*) AS rows FROM span
        WHERE {column.sql} IS NOT NULL GROUP BY value ORDER BY rows DESC, value LIMIT {VALUES_KEPT + 1}"""  # noqa: S608
    )
    return kept_values({str(value): int(count) for value, count in found}, complete=len(found) <= VALUES_KEPT)


def kept_values(counts: dict[str, int], *, complete: bool) -> tuple[tuple[ValueCount, ...], bool]:
    """The part of `counts` that a profile keeps, most frequent first, and whether that is all of a complete list."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if complete and len(ordered) <= VALUES_KEPT:
        return tuple(ValueCount(value=value, count=count) for value, count in ordered), True
    # Values that occur once say nothing of a distribution, and would fill profiles with people's ids.
    kept = [ValueCount(value=value, count=count) for value, count in ordered[:VALUES_KEPT] if count > 1]
    return tuple(kept), False


def merge_profiles(profiles: tuple[Profile, ...]) -> Profile:
    """The profile of all rows together; see `merge`."""
    from taxiway.data.merge import merged

    return merged(profiles)
