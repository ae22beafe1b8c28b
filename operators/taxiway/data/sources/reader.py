"""The interface of a source of any kind: its spans, their versions and their rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.store import SpanKey

if TYPE_CHECKING:
    from sqlalchemy import Engine

Connect = Callable[[str], "AbstractContextManager[Engine]"]
"""Opens SQLAlchemy's engine for the name of a connection, and disposes of it at the end."""


@dataclass(frozen=True)
class FoundSpan:
    """A span at the source, not read yet.

    Attributes:
        name: The name of the span.
        version: The number of its correction; 0 if the source has no versions.
        path: The path or URL of the file; for several files, a query or a function, what errors call them.
        ends: The end (UTC, exclusive) of the period that the name stands for; None if the name is a number.
        begins: The begin (UTC) of that period; None if the name is a number.
        parts: The paths or URLs of its files, if there are several, which are one table.
    """

    name: str
    version: int
    path: str
    ends: datetime | None = None
    begins: datetime | None = None
    parts: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The paths or URLs of its files."""
        return self.parts or (self.path,)


Note = Callable[[str], None]
"""Takes a note on what is doubtful about the rows of a source."""


def ignore(note: str) -> None:
    """A `Note` that shows nothing."""


Read = Callable[[FoundSpan, Path], Path]
"""Writes the Parquet file of a span to a folder."""


class SourceReader(ABC):
    """Reads a source of one kind. `find` chooses the subclass."""

    @abstractmethod
    def spans(self, *, processed: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:
        """The spans at the source, oldest first; see `find.spans_of`."""

    @abstractmethod
    def state(self, *, now: datetime) -> Hashable:
        """A value that is cheap to compute and changes if `spans` may have changed."""

    @abstractmethod
    def read(self, connect: Connect, types: Callable[[], Mapping[str, str]], note: Note) -> Read:
        """The function that writes the Parquet file of a span; see `find.reader_of`."""

    def with_versions(self, spans: tuple[FoundSpan, ...], connect: Connect) -> tuple[FoundSpan, ...]:  # noqa: ARG002 of subclasses
        """The same spans with their current versions, if the source has a query for these."""
        return spans

    def check(self) -> None:
        """Raise ConfigError for mistakes that can be found without the source's files or database."""
        return
