"""The spans of one table: the periods of a column of dates or times that have ended and have rows.

The version of a span is a number that depends on its rows, so a span is due again if its rows in the table change, and only then.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from weakref import finalize

from taxiway.data.engine.row_periods import RowPeriod, row_periods, write_period
from taxiway.data.formats.convert import ReadOptions, format_of, source_options
from taxiway.data.sources.files import find_spans
from taxiway.data.sources.periods import bounds_of
from taxiway.data.sources.read_file import read_table
from taxiway.data.sources.reader import Connect, FoundSpan, Note, Read, SourceReader, ignore
from taxiway.errors import TransientError
from taxiway.messages import counted
from taxiway.spec.source import TableSource
from taxiway.spec.source.periods import Period, newest_ended
from taxiway.store import SpanKey, temp_folder


@dataclass(frozen=True)
class TableReader(SourceReader):
    """Finds and reads the rows of the periods of a table."""

    source: TableSource

    def spans(self, *, processed: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:  # noqa: ARG002 it does not matter
        """The periods with rows that had ended at `now - delay`, oldest first; none if there is no file."""
        return tuple(
            FoundSpan(period.name, version, f"{table.path}, {period.name}", ends=period.ends, begins=period.begins)
            for table in find_spans(self.source.file)
            for period, _, version in _periods(_Table(self.source, table))[0]
            if period.ends <= now - self.source.delay
        )

    def state(self, *, now: datetime) -> Hashable:
        """The version of the file, and the name of the period that ended last. It costs one listing."""
        return find_spans(self.source.file), newest_ended(self.source.every, now - self.source.delay)

    def read(
        self,
        connect: Connect,  # noqa: ARG002 files need no database
        types: Callable[[], Mapping[str, str]],
        note: Note,
    ) -> Read:
        """A function that writes the rows of a period to Parquet; the table is converted once for all of them."""
        source, folders = self.source, ExitStack()
        options = source_options(source.file, source.format, source.csv, types)

        @cache
        def whole() -> Path:
            found = find_spans(source.file)
            if not found:
                raise TransientError(f"{source.file} was removed after its spans were found; a retry lists the source again")
            table, own = found[0], folders.enter_context(temp_folder("table"))
            converted = read_table(table, own, options, note=note)
            if without := _periods(_Table(source, table))[1]:
                note(
                    f"{table.path}: {counted(without, 'row')} in no span, without {source.time}, or beyond the years 1 to 9998"
                )
            return converted

        def rows_of(span: FoundSpan, to: Path) -> Path:
            copy = to / "rows.parquet"
            begins, ends = bounds_of(span)
            write_period(whole(), source.time, Period(span.name, begins, ends), copy, source.file)
            return copy

        finalize(rows_of, folders.close)
        return rows_of

    def check(self) -> None:
        """Raise ConfigError if the format of the table is unknown."""
        if self.source.format is None:
            format_of(self.source.file)


@dataclass(frozen=True)
class _Table:
    """A state of a table; equal if the file, its version and how it is read are equal."""

    source: TableSource
    found: FoundSpan

    def __hash__(self) -> int:
        return hash(self.found)


def _periods(table: _Table) -> tuple[tuple[RowPeriod, ...], int]:
    """The periods of a table, and its number of rows without a time; read once for a state of its file, if it is known."""
    return _periods_of_state(table) if table.found.version else _read_periods(table)


@lru_cache(maxsize=8)
def _periods_of_state(table: _Table) -> tuple[tuple[RowPeriod, ...], int]:
    return _read_periods(table)


def _read_periods(table: _Table) -> tuple[tuple[RowPeriod, ...], int]:
    source = table.source
    # The cells of text files as they are written: what is read of them may depend on the other rows.
    as_written = ReadOptions(source.format, source.csv, types={source.time: "datetime"}, others="string")
    with temp_folder("table") as folder:
        copy = read_table(table.found, folder, as_written, note=ignore)
        return row_periods(copy, source.time, source.every, table.found.path, decimal=source.csv.decimal)
