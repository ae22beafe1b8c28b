"""The spans of a source of any kind: which are there, in which version, and what reads their rows."""

from collections.abc import Callable, Collection, Hashable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.sources.files import FoundSpan, find_spans, listing
from taxiway.errors import ConfigError
from taxiway.spec.periods import ended_periods, newest_ended
from taxiway.spec.source import Source
from taxiway.store import SpanKey

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from taxiway.data.sources.read_file import Read

_MOST_PERIODS = 200_000
Connect = Callable[[str], "AbstractContextManager[Engine]"]
"""Opens SQLAlchemy's engine for the name of a connection, and disposes of it at the end."""


def located(source: Source, data: str | None) -> Source:
    """The source with `{data}` filled in, in its own paths and in those of joined tables. Raises ConfigError if `data` is None."""
    joins = {
        name: join.model_copy(update={"spans": _filled(join.spans, data), "file": _filled(join.file, data)})
        for name, join in source.join.items()
    }
    return source.model_copy(update={"spans": _filled(source.spans, data), "join": joins})


def needs_data(source: Source) -> bool:
    """Whether a path of the source, or of a joined table, begins at `{data}`."""
    paths = (source.spans, *(path for join in source.join.values() for path in (join.spans, join.file)))
    return any("{data}" in path for path in paths if path)


def _filled(path: str | None, data: str | None) -> str | None:
    if path is None or "{data}" not in path:
        return path
    if data is None:
        raise ConfigError(f"{path} needs the folder or URL of the data; give it: --data URL", key="source.spans", got=path)
    return path.replace("{data}", data.rstrip("/"))


def spans_of(source: Source, *, decided: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:
    """The spans that are there, oldest first: files that match, or periods that had ended, `delay` ago, by `now`.

    No database and no function is asked: a period has the newest version in which it was decided, see `with_versions`.
    """
    if source.spans is not None:
        return find_spans(source.spans)
    assert source.first is not None
    assert source.every is not None
    periods = tuple(islice(ended_periods(source.first, source.every, now - source.delay), _MOST_PERIODS + 1))
    if len(periods) > _MOST_PERIODS:
        raise ConfigError(
            f"source.first is {source.first}: more than {_MOST_PERIODS:,} periods of one {source.every} have ended since; allowed: fewer"
        )
    versions: dict[str, int] = {}
    for name, version in decided:
        versions[name] = max(version, versions.get(name, 0))
    what = source.text.partition(": ")[0] if source.sql is not None else source.text
    return tuple(FoundSpan(p.name, versions.get(p.name, 0), f"{what}, {p.name}", ends=p.ends, begins=p.begins) for p in periods)


def source_state(source: Source, *, now: datetime) -> Hashable:
    """What `spans_of` hangs on at the source: as long as this is the same, so are its spans.

    Files are listed and not looked at; for periods it costs the same however many have ended.
    """
    if source.spans is not None:
        return listing(source.spans)
    assert source.every is not None
    return newest_ended(source.every, now - source.delay)


def with_versions(source: Source, spans: tuple[FoundSpan, ...], connect: Connect) -> tuple[FoundSpan, ...]:
    """The same spans in the versions that `source.version` gives for them now; as they are if the source has none."""
    from taxiway.data.sources.sql import query_number

    query = source.version
    if query is None or not spans:
        return spans
    with connect(str(source.connection)) as engine:
        return tuple(
            replace(span, version=query_number(engine, query, *_period(span), f"source.version of {span.path}"))
            for span in spans
        )


def reader_of(source: Source, connect: Connect, text_columns: Collection[str] = ()) -> "Read":
    """What makes the Parquet file of a span of this source; `text_columns` are those of CSV that are text whatever they hold."""
    from taxiway.data.sources.read_file import read_file

    if source.sql is not None:
        return partial(_read_sql, source, connect)
    if source.function is not None:
        return partial(_read_function, source)
    return partial(read_file, format=source.format, text_columns=text_columns)


def _read_sql(source: Source, connect: Connect, span: FoundSpan, folder: Path) -> Path:
    from taxiway.data.sources.sql import query_to_parquet

    copy = folder / "rows.parquet"
    with connect(str(source.connection)) as engine:
        query_to_parquet(engine, str(source.sql), *_period(span), copy, f"source.sql of {span.path}")
    return copy


def _read_function(source: Source, span: FoundSpan, folder: Path) -> Path:
    from taxiway.data.sources.function import function_to_parquet

    copy = folder / "rows.parquet"
    function_to_parquet(str(source.function), *_period(span), copy, f"source.function {span.path}")
    return copy


def _period(span: FoundSpan) -> tuple[datetime, datetime]:
    if span.begins is None or span.ends is None:
        raise ConfigError(f"span {span.name} is no period")
    return span.begins, span.ends
