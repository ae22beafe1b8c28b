"""The spans of a source of any kind: which are there, in which version, and what reads their rows."""

from collections.abc import Callable, Collection, Hashable
from datetime import datetime
from typing import assert_never

from taxiway.data.sources.files import FileReader
from taxiway.data.sources.function import FunctionReader
from taxiway.data.sources.reader import Connect, FoundSpan, Read, SourceReader
from taxiway.data.sources.sql import SqlReader
from taxiway.errors import ConfigError
from taxiway.spec.source import FileSource, FunctionSource, Source, SqlSource
from taxiway.spec.span_pattern import DATA
from taxiway.store import SpanKey


def _reader(source: Source) -> SourceReader:
    match source:
        case FileSource():
            return FileReader(source)
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
                raise ConfigError(f"{path} needs the folder or URL of the data; give it: --data URL", key="source", got=path)
        return source
    return source.with_data(data)


def spans_of(source: Source, *, decided: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:
    """The spans that are there, oldest first: files that match, or periods that had ended, `delay` ago, by `now`.

    No database and no function is asked: a period has the newest version in which it was decided, see `with_versions`.
    """
    return _reader(source).spans(decided=decided, now=now)


def source_state(source: Source, *, now: datetime) -> Hashable:
    """What `spans_of` hangs on at the source: as long as this is the same, so are its spans.

    Files are listed and not looked at; for periods it costs the same however many have ended.
    """
    return _reader(source).state(now=now)


def with_versions(source: Source, spans: tuple[FoundSpan, ...], connect: Connect) -> tuple[FoundSpan, ...]:
    """The same spans in the versions that `source.version` gives for them now; as they are if the source has none."""
    return _reader(source).with_versions(spans, connect)


def reader_of(source: Source, connect: Connect, text_columns: Callable[[], Collection[str]] = tuple) -> Read:
    """What makes the Parquet file of a span of this source.

    Args:
        source: The source, with `{data}` filled in.
        connect: Opens the source's database.
        text_columns: Gives the columns that are text whatever they hold; called only if the source does not tell types.
    """
    return _reader(source).read(connect, text_columns)


def check_source(source: Source) -> None:
    """Look for mistakes in a source that can be found without its files, its database, or Airflow.

    Raises:
        ConfigError: The format of the files is unknown, or there is no such function.
    """
    _reader(source).check()
