"""Divide the rows of a Parquet file into periods by a column of dates or times."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from taxiway.data.engine.columns import Column, moment_sql
from taxiway.data.engine.duckdb_table import Table, open_table
from taxiway.data.engine.writing import RowWriter
from taxiway.errors import ConfigError, allowed_values
from taxiway.spec.source.periods import Every, Period, period_at

_VERSIONS = 10**12
_KNOWN = "moment BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9998-12-31'"
"""Not infinite, and in a period that has a name."""


class RowPeriod(NamedTuple):
    """The rows of a period.

    Attributes:
        period: The period.
        rows: How many there are.
        version: A number from 1 to 10^12 that depends on the rows, but not on their order.
    """

    period: Period
    rows: int
    version: int


def row_periods(path: Path, time: str, every: Every, what: str) -> tuple[tuple[RowPeriod, ...], int]:
    """The periods of the rows, oldest first, and the number of rows without a time.

    Args:
        path: The file.
        time: The column.
        every: The length of the periods, in UTC.
        what: The name of the data in errors.

    Raises:
        ConfigError: There is no such column, or it has no dates or times.
        DataError: The file cannot be read.
    """
    with open_table(path, what) as table:
        moment = _moment(table, time, what)
        rows = ", ".join(_text(column) for column in table.columns)
        found = table.rows(
            f"SELECT epoch(date_trunc('{every}', moment))::BIGINT, count(*), sum(md5_number_lower(rows)::HUGEINT) % {_VERSIONS} "
            f"FROM (SELECT {moment} AS moment, ROW({rows})::VARCHAR AS rows FROM span) WHERE {_KNOWN} GROUP BY 1 ORDER BY 1"
        )
        without = table.row_count - sum(count for _, count, _ in found)
    return tuple(
        RowPeriod(period_at(datetime.fromtimestamp(begins, UTC), every), count, 1 + int(version))
        for begins, count, version in found
    ), without


def write_period(path: Path, time: str, period: Period, copy: Path, what: str) -> None:
    """Write the rows of a period to a Parquet file, in their order.

    Args:
        path: The file with all rows.
        time: The column.
        period: The period.
        copy: The file to write.
        what: The name of the data in errors.
    """
    with open_table(path, what) as table:
        moment = _moment(table, time, what)
        between = f"epoch_us({moment}) >= {_micros(period.begins)} AND epoch_us({moment}) < {_micros(period.ends)}"
        rows = table.in_order([column.name for column in table.columns], f"isfinite({moment}) AND {between}")
    with RowWriter(copy, rows.schema) as writer:
        writer.add(rows)


def _moment(table: Table, time: str, what: str) -> str:
    column = next((column for column in table.columns if column.name == time), None)
    if column is None:
        names = [column.name for column in table.columns]
        raise ConfigError(
            f'source.time is "{time}", which is not a column of {what}; {allowed_values(time, names)}', key="source.time"
        )
    if column.type not in ("date", "datetime"):
        raise ConfigError(
            f'source.time is "{time}", which has the type {column.storage} in {what}; allowed: a column of dates or times in ISO 8601',
            key="source.time",
        )
    return f"{column.sql}::TIMESTAMP" if column.type == "date" else moment_sql(column)


def _text(column: Column) -> str:
    """A value for the version: the same if integers become other numbers because of other rows."""
    return f"{column.sql}::DOUBLE" if column.type in ("integer", "number") else column.sql


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
