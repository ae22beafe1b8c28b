"""What Taxiway asks of a source of any kind: which spans are there, in which version, and their rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable
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
    """A span that lies at the source and was not read yet. `version` is 0 if the source has no versions.

    `begins` and `ends` are the first moment (UTC) of the period that the name stands for, and the first one after it; None if
    the name is a number. What comes from a query or a function has no path: `path` is then how errors name it.
    """

    name: str
    version: int
    path: str
    ends: datetime | None = None
    begins: datetime | None = None


Read = Callable[[FoundSpan, Path], Path]
"""Makes the Parquet file of a span in a folder."""


class SourceReader(ABC):
    """Reads a source of one kind. There is a subclass for each kind, and `find` knows which."""

    @abstractmethod
    def spans(self, *, decided: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:
        """The spans that are there, oldest first; see `find.spans_of`."""

    @abstractmethod
    def state(self, *, now: datetime) -> Hashable:
        """As long as this is the same, so is what `spans` returns. It costs little."""

    @abstractmethod
    def read(self, connect: Connect, text_columns: Callable[[], Collection[str]]) -> Read:
        """What makes the Parquet file of a span; see `find.reader_of`."""

    def with_versions(self, spans: tuple[FoundSpan, ...], connect: Connect) -> tuple[FoundSpan, ...]:  # noqa: ARG002 of subclasses
        """The same spans in the versions that they have now, if the source has to be asked for those."""
        return spans

    def check(self) -> None:
        """Raise ConfigError for what is wrong and can be told without the source's files or database."""
        return
