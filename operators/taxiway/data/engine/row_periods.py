"""Divide the rows of a Parquet file into periods by a column of dates or times."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from taxiway.data.engine.columns import Column, moment_sql
from taxiway.data.engine.duckdb_table import Table, open_table
from taxiway.data.engine.writing import RowWriter
from taxiway.errors import ConfigError, allowed_values
from taxiway.records.digests import digest_of_bytes
from taxiway.spec.source.periods import Every, Period, period_at

_VERSIONS = 10**12
_KNOWN = "moment BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9998-12-31 23:59:59'"
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


def row_periods(path: Path, time: str, every: Every, data_name: str) -> tuple[tuple[RowPeriod, ...], int]:
    """The periods of the rows, oldest first, and the number of rows without a time that is in a year from 1 to 9998.

    Args:
        path: The file.
        time: The column.
        every: The length of the periods, in UTC.
        data_name: The name of the data in errors.

    Raises:
        ConfigError: There is no such column, or it has no dates or times.
        DataError: The file cannot be read.
    """
    with open_table(path, data_name) as table:
        moment = _moment(table, time, data_name)
        found = table.rows(
            f"SELECT epoch(date_trunc('{every}', moment))::BIGINT, count(*), sum(digest::HUGEINT) % {_VERSIONS} "
            f"FROM (SELECT {moment} AS moment, {_digest(table)} AS digest FROM span) WHERE {_KNOWN} GROUP BY 1 ORDER BY 1"
        )
        without = table.row_count - sum(count for _, count, _ in found)
    return tuple(
        RowPeriod(period_at(datetime.fromtimestamp(begins, UTC), every), count, 1 + int(version))
        for begins, count, version in found
    ), without


def write_period(path: Path, time: str, period: Period, copy: Path, data_name: str) -> None:
    """Write the rows of a period to a Parquet file, whose content does not depend on their order: ordered by time.

    Args:
        path: The file with all rows.
        time: The column.
        period: The period.
        copy: The file to write.
        data_name: The name of the data in errors.
    """
    with open_table(path, data_name) as table:
        moment = _moment(table, time, data_name)
        between = f"epoch_us({moment}) >= {_micros(period.begins)} AND epoch_us({moment}) < {_micros(period.ends)}"
        names = [column.name for column in table.columns]
        rows = table.in_order(names, f"isfinite({moment}) AND {between}", f"{moment}, {_digest(table)}")
    with RowWriter(copy, rows.schema) as writer:
        writer.add(rows)


def _moment(table: Table, time: str, data_name: str) -> str:
    column = next((column for column in table.columns if column.name == time), None)
    if column is None:
        names = [column.name for column in table.columns]
        raise ConfigError(
            f'source.time is "{time}", which is not a column of {data_name}; {allowed_values(time, names)}', key="source.time"
        )
    if column.type not in ("date", "datetime"):
        raise ConfigError(
            f'source.time is "{time}", which has the type {column.storage} in {data_name}; allowed: a column of dates or times in ISO 8601',
            key="source.time",
        )
    return f"{column.sql}::TIMESTAMP" if column.type == "date" else moment_sql(column)


def _digest(table: Table) -> str:
    """The SQL of a number for a row: the same if other rows give a column another type, or the table another column.

    A cell counts by the name of its column and by its text, and a missing one not at all.
    """
    cells = [
        f"'{digest_of_bytes(column.name.encode())}=' || {_text(column)}"
        for column in sorted(table.columns, key=lambda c: c.name)
    ]
    return f"md5_number_lower(concat_ws(chr(31), {', '.join(cells)}))"


def _text(column: Column) -> str:
    """The text of a cell, as a text column would have it: `7` also for 7.0, a date also for its midnight."""
    name = column.sql
    if column.type == "integer":
        return f"{name}::VARCHAR"
    if column.type == "number":
        return _number_text(name)
    if column.type in ("date", "datetime"):
        return f"regexp_replace({name}::TIMESTAMP::VARCHAR, ' 00:00:00$', '')"
    if column.type == "string":
        plain = f"regexp_replace(regexp_replace({name}::VARCHAR, '^({_DAY})T', '\\1 '), '^({_DAY}) 00:00:00(\\.0+)?$', '\\1')"
        return (
            f"CASE WHEN regexp_full_match({name}::VARCHAR, '{_NUMBER}') THEN {_number_text(f'TRY_CAST({name} AS DOUBLE)')} "
            f"WHEN lower({name}::VARCHAR) IN ('true', 'false') THEN lower({name}::VARCHAR) ELSE {plain} END"
        )
    return f"{name}::VARCHAR"


_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_NUMBER = r"-?(0|[1-9][0-9]{0,14})([.][0-9]{1,15})?"


def _number_text(sql: str) -> str:
    whole = f"{sql}::DOUBLE = floor({sql}::DOUBLE) AND abs({sql}::DOUBLE) < {1 << 53}"
    return f"CASE WHEN {whole} THEN {sql}::DOUBLE::BIGINT::VARCHAR ELSE {sql}::DOUBLE::VARCHAR END"


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
