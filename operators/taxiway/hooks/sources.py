"""A pipeline's source with the installation's `{data}` filled in, and the Airflow connections of databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from taxiway.data.sources.find import located, needs_data
from taxiway.errors import ConfigError
from taxiway.hooks.config import setting
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source import Source

if TYPE_CHECKING:
    from sqlalchemy import Engine


def source_of(pipeline: Pipeline) -> Source:
    """The pipeline's source with {data} filled in, in its own paths and in those of joined tables."""
    return located_source(pipeline.source)


def located_source(source: Source) -> Source:
    """A source with {data} filled in.

    Raises:
        ConfigError: The source uses `{data}`, and `[taxiway] data` is not set.
    """
    return located(source, _data_folder(source))


def data_folder(pipeline: Pipeline) -> str | None:
    """The value of `{data}`; None if the pipeline's source does not use it.

    Raises:
        ConfigError: The source uses `{data}`, and `[taxiway] data` is not set.
    """
    return _data_folder(pipeline.source)


def _data_folder(source: Source) -> str | None:
    return setting("data") if needs_data(source) else None


@contextmanager
def airflow_engine(name: str) -> "Iterator[Engine]":
    """Open a SQLAlchemy engine for an Airflow connection.

    Raises:
        ConfigError: The connection does not exist, or is not one of a database whose provider is installed.
    """
    try:
        hook: Any = BaseHook.get_hook(name)
        engine: Engine = hook.get_sqlalchemy_engine()
    except Exception as error:  # Airflow, providers and SQLAlchemy raise errors of many types
        raise ConfigError(
            f"source.connection {name} cannot be used ({type(error).__name__}: {error}); allowed: an Airflow connection to a database "
            "whose provider package is installed on the workers"
        ) from None
    try:
        yield engine
    finally:
        engine.dispose()
