"""An index of a pipeline's spans, whose cost does not grow with the number of spans.

Each entry is a ref `FOLDER/NAME@VERSION`, which is read by name and not listed. Two more folders are for listing: `FOLDER.new` has
an empty marker for each of the newest entries, and `FOLDER.all` has one segment, a text with the names of all older ones. When
there are enough markers, they are merged with the segment into a new segment.

A segment is immutable and its name is unique: each process reads it once, and two writers cannot lose each other's entries (there are
two segments for a while). A crash during a merge leaves a name in both folders. If segments and markers are lost, the entries are
listed and a new segment is written.
"""

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from taxiway.errors import TransientError
from taxiway.records import span_order
from taxiway.store.store import Store

_log = logging.getLogger(__name__)
_MOST_MARKERS = 64
_TRIES = 20
_MOST_CACHED = 256

SpanKey = tuple[str, int]
"""Name and version of a span."""

_segments: dict[tuple[str, str], tuple[SpanKey, ...]] = {}


@dataclass(frozen=True)
class SpanIndex:
    """Entries by span, each with a short text, such as the digest of a record.

    Args:
        store: The store of the entries.
        folder: Their folder of refs, such as `decided/flights.late_arrivals`.
    """

    store: Store
    folder: str

    def get(self, name: str, version: int) -> str | None:
        """The text of one entry, or None. One request."""
        return self.store.get_ref(f"{self.folder}/{name}@{version}")

    def add(self, name: str, version: int, text: str) -> None:
        """Set an entry. It takes a few requests; every 64th time, a segment is read and written too."""
        key = f"{name}@{version}"
        self.store.set_ref(f"{self.folder}/{key}", text)
        self.store.set_ref(f"{self.folder}.new/{key}", "")
        markers, segments = self.state()
        if len(markers) > _MOST_MARKERS or not segments:
            self._merge(markers, segments)

    def spans(self) -> tuple[SpanKey, ...]:
        """Name and version of every entry, oldest span first. It takes two listings, and one read per process and segment.

        Raises:
            TransientError: Other processes change the index all the time.
        """
        for _ in range(_TRIES):
            # Markers first: if a marker is merged meanwhile, its entry is in a segment that is listed later.
            markers, segments = self.state()
            found = self._read(segments) if segments else self._merge(markers, segments)
            if found is not None:
                return _ordered(found, markers)
        raise TransientError(f"{self.store.url}: the index {self.folder} changes faster than it can be read; try again")

    def state(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A value that changes if `spans` may have changed. It takes two listings."""
        return self.store.list_refs(f"{self.folder}.new"), self.store.list_refs(f"{self.folder}.all")

    def _read(self, segments: tuple[str, ...]) -> tuple[SpanKey, ...] | None:
        """The keys of all segments; None if one of them was replaced meanwhile."""
        found: tuple[SpanKey, ...] = ()
        for name in segments:
            keys = _segment(self.store, f"{self.folder}.all/{name}")
            if keys is None:
                return None
            found = _ordered(found, (f"{span}@{version}" for span, version in keys)) if found else keys
        return found

    def _merge(self, markers: tuple[str, ...], segments: tuple[str, ...]) -> tuple[SpanKey, ...] | None:
        """Merge markers and segments into one segment, then remove them; None if they were replaced meanwhile."""
        found = self._read(segments)
        if found is None:
            return None
        keys = _ordered(found, markers if segments else (*markers, *self.store.list_refs(self.folder)))
        if not keys:
            return ()
        self.store.set_ref(f"{self.folder}.all/{uuid.uuid4().hex}", "\n".join(f"{span}@{version}" for span, version in keys))
        for kind, names in (("all", segments), ("new", markers)):
            for name in names:
                self.store.delete_ref(f"{self.folder}.{kind}/{name}")
        return keys


def _segment(store: Store, ref: str) -> tuple[SpanKey, ...] | None:
    known = _segments.get((store.url, ref))
    if known is not None:
        return known
    text = store.get_ref(ref)
    if text is None:
        return None
    if len(_segments) >= _MOST_CACHED:
        del _segments[next(iter(_segments))]
    keys = tuple(key for name in text.split("\n") if (key := _key(name)) is not None)
    _segments[store.url, ref] = keys
    return keys


def _ordered(older: tuple[SpanKey, ...], names: Iterable[str]) -> tuple[SpanKey, ...]:
    """The sorted keys `older` and those of `names`, sorted and without duplicates."""
    newer = sorted({key for name in names if (key := _key(name)) is not None}, key=_order)
    if not older or not newer or _order(newer[0]) > _order(older[-1]):
        return (*older, *newer)
    return tuple(sorted({*older, *newer}, key=_order))


def _order(key: SpanKey) -> tuple[tuple[int, ...], int, str]:
    name, version = key
    return span_order(name), version, name


def _key(name: str) -> SpanKey | None:
    span, _, version = name.rpartition("@")
    if not span or not version.isdecimal():
        _log.warning("%s is not the name and version of a span; left out of the index", name)
        return None
    return span, int(version)
