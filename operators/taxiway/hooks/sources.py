"""A pipeline's source as the installation knows it: {data} filled in, its spans found, its connection opened, its rows read."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from taxiway.errors import ConfigError
from taxiway.hooks.settings import setting
from taxiway.periods import ended_periods
from taxiway.pipeline import Pipeline
from taxiway.pipeline_source import Source

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from taxiway.data.ingest import Read
    from taxiway.data.spans import FoundSpan

_MOST_PERIODS = 200_000
Decided = frozenset[tuple[str, int]]


def source_of(pipeline: Pipeline) -> Source:
    """The pipeline's source with {data} filled in, in its own paths and in those of joined tables."""
    source = pipeline.source
    joins = {
        name: join.model_copy(update={"spans": _filled(join.spans), "file": _filled(join.file)})
        for name, join in source.join.items()
    }
    return source.model_copy(update={"spans": _filled(source.spans), "join": joins})


def _filled(path: str | None) -> str | None:
    return path.replace("{data}", setting("data").rstrip("/")) if path is not None and "{data}" in path else path


def spans_of(source: Source, *, decided: Decided, now: datetime) -> "tuple[FoundSpan, ...]":
    """The spans that are there, oldest first: files that match, or periods that had ended, `delay` ago, by `now`.

    No database and no function is asked: a period has the newest version in which it was decided, see `with_versions`.
    """
    from taxiway.data.spans import FoundSpan, find_spans

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


def with_versions(source: Source, spans: "tuple[FoundSpan, ...]") -> "tuple[FoundSpan, ...]":
    """The same spans in the versions that `source.version` gives for them now; as they are where the source has none."""
    from dataclasses import replace

    from taxiway.data.sql_rows import query_number

    query = source.version
    if query is None or not spans:
        return spans
    with _engine(source) as engine:
        return tuple(
            replace(span, version=query_number(engine, query, *_period(span), f"source.version of {span.path}"))
            for span in spans
        )


def reader_of(source: Source, text_columns: Collection[str] = ()) -> "Read":
    """What makes the Parquet file of a span of this source; `text_columns` are those of CSV that are text whatever they hold."""
    from taxiway.data.ingest import read_file

    if source.sql is not None:
        return partial(_read_sql, source)
    if source.function is not None:
        return partial(_read_function, source)
    return partial(read_file, format=source.format, text_columns=text_columns)


def _read_sql(source: Source, span: "FoundSpan", folder: Path) -> Path:
    from taxiway.data.sql_rows import query_to_parquet

    copy = folder / "rows.parquet"
    with _engine(source) as engine:
        query_to_parquet(engine, str(source.sql), *_period(span), copy, f"source.sql of {span.path}")
    return copy


def _read_function(source: Source, span: "FoundSpan", folder: Path) -> Path:
    from taxiway.data.function_rows import function_to_parquet

    copy = folder / "rows.parquet"
    function_to_parquet(str(source.function), *_period(span), copy, f"source.function {span.path}")
    return copy


def _period(span: "FoundSpan") -> tuple[datetime, datetime]:
    if span.begins is None or span.ends is None:
        raise ConfigError(f"span {span.name} is no period")
    return span.begins, span.ends


@contextmanager
def _engine(source: Source) -> "Iterator[Engine]":
    """SQLAlchemy's engine for the source's Airflow connection. Raises ConfigError where there is none, or none can be made."""
    name = str(source.connection)
    try:
        hook: Any = BaseHook.get_hook(name)
        engine: Engine = hook.get_sqlalchemy_engine()
    except Exception as error:  # Airflow, providers and SQLAlchemy each raise what they like
        raise ConfigError(
            f"source.connection {name}: {type(error).__name__}: {error}; allowed: an Airflow connection of a database, whose provider "
            "package is installed where the workers run"
        ) from None
    try:
        yield engine
    finally:
        engine.dispose()
