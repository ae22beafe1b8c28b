"""The spans of a source that is asked by the period: the periods that have ended."""

from abc import abstractmethod
from collections.abc import Collection, Hashable
from datetime import datetime
from itertools import islice

from taxiway.data.sources.reader import FoundSpan, SourceReader
from taxiway.errors import ConfigError
from taxiway.spec.periods import ended_periods, newest_ended
from taxiway.spec.source import PeriodSource
from taxiway.store import SpanKey

_MOST_PERIODS = 200_000


class PeriodReader(SourceReader):
    """Tells which periods of a source have ended. Nobody is asked: a period is there in the version in which it was decided."""

    source: PeriodSource

    @property
    @abstractmethod
    def _asked(self) -> str:
        """Who is asked for the rows, as errors name it."""

    def spans(self, *, decided: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:
        """The periods that had ended, `delay` ago, by `now`."""
        source = self.source
        periods = tuple(islice(ended_periods(source.first, source.every, now - source.delay), _MOST_PERIODS + 1))
        if len(periods) > _MOST_PERIODS:
            raise ConfigError(
                f"source.first is {source.first}: more than {_MOST_PERIODS:,} periods of one {source.every} have ended since; "
                "allowed: fewer"
            )
        versions: dict[str, int] = {}
        for name, version in decided:
            versions[name] = max(version, versions.get(name, 0))
        return tuple(
            FoundSpan(p.name, versions.get(p.name, 0), f"{self._asked}, {p.name}", ends=p.ends, begins=p.begins)
            for p in periods
        )

    def state(self, *, now: datetime) -> Hashable:
        """The name of the period that ended last, which costs the same however many have ended."""
        return newest_ended(self.source.every, now - self.source.delay)


def bounds_of(span: FoundSpan) -> tuple[datetime, datetime]:
    """Begin and end of a span's period. Raises ConfigError if the span is a number."""
    if span.begins is None or span.ends is None:
        raise ConfigError(f"span {span.name} is no period")
    return span.begins, span.ends
