"""The spans of a source of any kind: their names and versions, and the reader of their rows."""

from collections.abc import Callable, Collection, Hashable, Mapping
from datetime import datetime
from typing import assert_never

from taxiway.data.sources.files import FileReader
from taxiway.data.sources.function import FunctionReader
from taxiway.data.sources.reader import Connect, FoundSpan, Note, Read, SourceReader, ignore
from taxiway.data.sources.sql import SqlReader
from taxiway.data.sources.table import TableReader
from taxiway.errors import ConfigError
from taxiway.spec.source import FileSource, FunctionSource, Source, SqlSource, TableSource
from taxiway.spec.source.span_pattern import DATA
from taxiway.store import SpanKey


def _reader(source: Source) -> SourceReader:
    match source:
        case FileSource():
            return FileReader(source)
        case TableSource():
            return TableReader(source)
        case SqlSource():
            return SqlReader(source)
        case FunctionSource():
            return FunctionReader(source)
        case _:
            assert_never(source)


def needs_data(source: Source) -> bool:
    """Whether a path of the source, or of a joined table, begins at `{data}`."""
    return any(DATA in path for path in source.paths)


def located(source: Source, data: str | None) -> Source:
    """The source with `{data}` filled in, in its own paths and in those of joined tables.

    Raises:
        ConfigError: A path begins at `{data}`, and `data` is None.
    """
    if data is None:
        for path in source.paths:
            if DATA in path:
                raise ConfigError(
                    f"{path} needs the folder or URL of the data; pass it with --data URL", key="source", got=path
                )
        return source
    return source.with_data(data)


def spans_of(source: Source, *, processed: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:
    """The spans at the source, oldest first: matching files, or periods that had ended at `now - delay`.

    No database or function is called; a table by `file` is read if it has changed. A period gets the newest version that already has a decision; see `with_versions`.

    Args:
        source: The source, with `{data}` filled in.
        processed: Name and version of each span that already has a decision.
        now: The current time.
    """
    return _reader(source).spans(processed=processed, now=now)


def source_state(source: Source, *, now: datetime) -> Hashable:
    """A value that changes if `spans_of` may have changed. It is cheap: one listing of files, or a computation for periods."""
    return _reader(source).state(now=now)


def with_versions(source: Source, spans: tuple[FoundSpan, ...], connect: Connect) -> tuple[FoundSpan, ...]:
    """The same spans with their current versions by the query `source.version`; unchanged if the source has none."""
    return _reader(source).with_versions(spans, connect)


def reader_of(source: Source, connect: Connect, types: Callable[[], Mapping[str, str]] = dict, *, note: Note = ignore) -> Read:
    """The function that writes the Parquet file of a span of this source.

    Args:
        source: The source, with `{data}` filled in.
        connect: Opens the source's database.
        types: Returns the known types of columns; called only for text files.
        note: Called with each note on what is doubtful about a file.
    """
    return _reader(source).read(connect, lambda: source.with_former_names(types()), note)


def check_source(source: Source) -> None:
    """Check a source without its files, its database, or Airflow.

    Raises:
        ConfigError: The format of the files is unknown, or the function does not exist.
    """
    _reader(source).check()
