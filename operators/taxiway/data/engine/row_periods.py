"""Divide the rows of a Parquet file into periods by a column of dates or times."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from taxiway.data.engine.columns import Column, micros_sql
from taxiway.data.engine.duckdb_table import Table, open_table
from taxiway.data.engine.writing import RowWriter
from taxiway.errors import ConfigError, allowed_values
from taxiway.records.digests import digest_of_bytes
from taxiway.spec.source.periods import Every, Period, period_at

_VERSIONS = 10**12
_EXPONENTS = 1e16
"""Doubles from here on are written with an exponent."""
_FIRST, _END = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""Only the periods between them have names."""


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


def row_periods(
    path: Path, time: str, every: Every, data_name: str, *, decimal: str = "."
) -> tuple[tuple[RowPeriod, ...], int]:
    """The periods of the rows, oldest first, and the number of rows without a time that is in a year from 1 to 9998.

    Args:
        path: The file. If it was made of a text file, its cells but those of `time` should be the texts as they were written: then
            the version of a period does not depend on the rows of others.
        time: The column.
        every: The length of the periods, in UTC.
        data_name: The name of the data in errors.
        decimal: The decimal sign of numbers in texts.

    Raises:
        ConfigError: There is no such column, or it has no dates or times.
        DataError: The file cannot be read.
    """
    with open_table(path, data_name) as table:
        micros = micros_sql(_time_column(table, time, data_name))
        found = table.rows(
            f"SELECT epoch(date_trunc('{every}', make_timestamp(micros)))::BIGINT, count(*), sum(digest::HUGEINT) % {_VERSIONS} "
            f"FROM (SELECT {micros} AS micros, {_digest(table, decimal)} AS digest FROM span) "
            f"WHERE micros >= {_micros(_FIRST)} AND micros < {_micros(_END)} GROUP BY 1 ORDER BY 1"
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
        column = _time_column(table, time, data_name)
        micros = micros_sql(column)
        within = f"{micros} >= {_micros(period.begins)} AND {micros} < {_micros(period.ends)}"
        moment = f"epoch_ns({column.sql})" if column.storage.endswith("_NS") else micros
        rows = table.in_order([column.name for column in table.columns], within, f"{moment}, {_digest(table)}")
    with RowWriter(copy, rows.schema) as writer:
        writer.add(rows)


def _time_column(table: Table, time: str, data_name: str) -> Column:
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
    return column


def _digest(table: Table, decimal: str = ".") -> str:
    """The SQL of a number for a row: the same if other rows give a column another type, or the table another column.

    A cell counts by the name of its column and by its text, and a missing one not at all.
    """
    cells = [
        f"'{digest_of_bytes(column.name.encode())}=' || {_text(column, decimal)}"
        for column in sorted(table.columns, key=lambda c: c.name)
    ]
    return f"md5_number_lower(concat_ws(chr(31), {', '.join(cells)}))"


def _text(column: Column, decimal: str) -> str:
    """The text of a cell, as a text column would have it: `7` also for 7.0, a date also for its midnight."""
    name = column.sql
    if column.type == "number":
        number = f"{name}::DOUBLE"
        is_whole = f"{number} = floor({number}) AND abs({number}) < {_EXPONENTS}"
        return f"CASE WHEN {is_whole} THEN {number}::BIGINT::VARCHAR ELSE {number}::VARCHAR END"
    if column.type == "datetime":
        return _moment_text(column)
    if column.type == "string":
        return _plain_text(name if column.storage == "VARCHAR" else f"{name}::VARCHAR", decimal)
    return f"{name}::VARCHAR"


def _moment_text(column: Column) -> str:
    if not column.storage.endswith("_NS"):
        return _without_midnight(f"{column.sql}::TIMESTAMP::VARCHAR")
    micros = micros_sql(column)
    nanos = f"coalesce('+' || nullif(epoch_ns({column.sql}) - 1000::HUGEINT * {micros}, 0) || ' ns', '')"
    text = f"{_without_midnight(f'make_timestamp({micros})::VARCHAR')} || {nanos}"
    return f"coalesce({text}, {column.sql}::VARCHAR)"  # the text of an infinite one


def _without_midnight(moment: str) -> str:
    return f"regexp_replace({moment}, ' 00:00:00$', '')"


def _plain_text(text: str, decimal: str) -> str:
    """A text as it is written, but in one form for 7 and 7.0, for a date and its midnight, and for True and true.

    So a program that reads a table and writes it again, with rows that give a column another type, changes no other row.
    """
    trimmed = f"rtrim(rtrim({text}, '0'), '{decimal}')"
    moment = _without_midnight(f"TRY_CAST({text} AS TIMESTAMP)::VARCHAR")
    # What is cheap to look at comes first.
    return (
        f"CASE WHEN ends_with({text}, '0') AND contains({text}, '{decimal}') AND regexp_full_match({text}, '-?{_WHOLE}[{decimal}][0-9]+') "
        f"THEN coalesce(nullif({trimmed}, '-0'), '0') "
        f"WHEN strlen({text}) >= {len('2024-01-31 23:59')} AND regexp_full_match({text}, '{_MOMENT}') THEN coalesce({moment}, {text}) "
        f"WHEN strlen({text}) <= {len('-infinity')} AND lower({text}) IN ('true', 'false', 'nan', 'infinity', '-infinity') "
        f"THEN replace(lower({text}), 'infinity', 'inf') ELSE {text} END"
    )


_WHOLE = "(0|[1-9][0-9]*)"
_MOMENT = "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?(Z|[+]00(:00)?)?"


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
