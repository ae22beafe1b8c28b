"""A pipeline's source as the installation knows it: `{data}` filled in, and its connection opened."""

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
    return located(pipeline.source, data_folder(pipeline))


def data_folder(pipeline: Pipeline) -> str | None:
    """The installation's folder of data; None if the pipeline's source does not begin there. Raises ConfigError if it is not set."""
    return setting("data") if needs_data(pipeline.source) else None


@contextmanager
def airflow_engine(name: str) -> "Iterator[Engine]":
    """SQLAlchemy's engine for an Airflow connection. Raises ConfigError if there is none, or none can be made."""
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
