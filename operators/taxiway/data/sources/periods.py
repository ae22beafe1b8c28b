"""The spans of a query or function source: the periods that have ended."""

from abc import abstractmethod
from collections.abc import Collection, Hashable
from datetime import datetime
from itertools import islice

from taxiway.data.sources.reader import FoundSpan, SourceReader
from taxiway.errors import ConfigError
from taxiway.spec.source import PeriodSource
from taxiway.spec.source.periods import ended_periods, newest_ended
from taxiway.store import SpanKey

_MAX_PERIODS = 200_000


class PeriodReader(SourceReader):
    """Lists the periods of a source that have ended, without calling the source.

    A period has the newest version that already has a decision.
    """

    source: PeriodSource

    @property
    @abstractmethod
    def _origin(self) -> str:
        """The name of the source in errors."""

    def spans(self, *, processed: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:
        """The periods that had ended at `now - delay`, oldest first."""
        source = self.source
        periods = tuple(islice(ended_periods(source.first, source.every, now - source.delay), _MAX_PERIODS + 1))
        if len(periods) > _MAX_PERIODS:
            raise ConfigError(
                f"source.first is {source.first}; since then more than {_MAX_PERIODS:,} periods of one {source.every} have ended; "
                f"allowed: at most {_MAX_PERIODS:,}"
            )
        versions: dict[str, int] = {}
        for name, version in processed:
            versions[name] = max(version, versions.get(name, 0))
        return tuple(
            FoundSpan(p.name, versions.get(p.name, 0), f"{self._origin}, {p.name}", ends=p.ends, begins=p.begins)
            for p in periods
        )

    def state(self, *, now: datetime) -> Hashable:
        """The name of the period that ended last."""
        return newest_ended(self.source.every, now - self.source.delay)


def bounds_of(span: FoundSpan) -> tuple[datetime, datetime]:
    """The begin and the end (exclusive) of a span's period.

    Raises:
        ConfigError: The span is a number.
    """
    if span.begins is None or span.ends is None:
        raise ConfigError(f"span {span.name} is a number, not a period")
    return span.begins, span.ends
