"""The first scan of a profile: quantiles, scale and frequent numbers of each numeric column, from a sorted sample."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from taxiway.data.engine.duckdb_table import Column, Table
from taxiway.data.engine.ibis_exprs import finite, one_of, plain_rows, query, renumbered, rows_of, sampled_one_of, stand_for_all
from taxiway.data.profiling.profile import QUANTILE_COUNT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUMERIC_LIKE = ("integer", "number", "date", "datetime")
"""The types whose values have moments and quantiles."""
_COLUMNS_AT_ONCE = 16
_ENOUGH = 1000
_FREQUENT_SHARE = 0.001


@dataclass(frozen=True)
class NumericSample:
    """Statistics of a sample of the finite numbers of a column.

    Attributes:
        shift: The mean. Sums of powers of (value - shift) / scale keep the digits that sums of powers of the values would lose.
        scale: The standard deviation; never 0.
        quantiles: The 101 quantiles, all of them values of the sample.
        frequent: The numbers in at least 0.1% of the rows, such as zeros, defaults and codes.
    """

    shift: float
    scale: float
    quantiles: tuple[float, ...] = ()
    frequent: tuple[float, ...] = ()


def sample_numeric_columns(table: Table) -> dict[str, NumericSample]:
    """Sample all numeric columns.

    All values of a column are read if the sampled rows have few of them. One scan reads a few columns, so that memory use does
    not grow with their number.

    Args:
        table: The table.

    Returns:
        The statistics of each column with finite numbers, by its name in the view.

    Raises:
        DataError: A file of the table cannot be read.
    """
    found = {}
    numeric = [column for column in table.columns if column.type in NUMERIC_LIKE]
    for some in _in_parts(numeric):
        alike = renumbered(some)
        arrays = _sorted_values(table, table.plain_query(some, _finite_query(alike, sampled_one_of(table))))
        for column, same in zip(some, alike, strict=True):
            values = arrays[same.sql]
            if len(values) < _ENOUGH and stand_for_all(table):
                values = _all_values(table, column)
            if len(values):
                found[column.sql] = _seen(values)
    return found


def _in_parts(columns: list[Column]) -> list[list[Column]]:
    return [columns[at : at + _COLUMNS_AT_ONCE] for at in range(0, len(columns), _COLUMNS_AT_ONCE)]


@lru_cache(maxsize=64)
def _finite_query(columns: tuple[Column, ...], every: int) -> str:
    rows = one_of(plain_rows(columns), every)
    return query(rows.select([finite(rows[column.sql]).name(column.sql) for column in columns]))


def _all_values(table: Table, column: Column) -> "NDArray[np.float64]":
    rows = rows_of(table, [column])
    numbers = rows.select(finite(rows[column.sql]).name(column.sql))
    return _sorted_values(table, query(numbers.filter(numbers[column.sql].notnull())))[column.sql]


def _sorted_values(table: Table, asked: str) -> "dict[str, NDArray[np.float64]]":
    import numpy as np

    found = {name: np.ma.compressed(values).astype("float64") for name, values in table.arrays(asked).items()}
    for values in found.values():
        values.sort()
    return found


def _seen(values: "NDArray[np.float64]") -> NumericSample:
    import numpy as np

    places = np.ceil(np.linspace(0, 1, QUANTILE_COUNT) * len(values)).astype(int) - 1
    ends = np.flatnonzero(np.concatenate([values[1:] != values[:-1], [True]]))
    runs = np.diff(np.concatenate([[-1], ends]))
    often = values[ends[runs >= max(2, _FREQUENT_SHARE * len(values))]]
    shift = float(values.mean())
    return NumericSample(
        shift=shift,
        # If the deviations are so small that their squares underflow, the standard deviation is 0.
        scale=float(values.std()) or float(np.abs(values - shift).max()) or 1.0,
        quantiles=tuple(values[np.maximum(places, 0)].tolist()),
        frequent=tuple(often.tolist()),
    )
