"""An index of a pipeline's spans that costs the same to ask whether there are a hundred of them or ten thousand.

Each entry is a ref of its own, `FOLDER/NAME@VERSION`, which is found by its name and never listed. For listing there are two more
folders: `FOLDER.new` has an empty marker for each of the newest entries, and `FOLDER.all` has one segment, a text with the
names of all older ones. When there are enough markers, they and the segment are merged into a new segment.

A segment is never changed, and its name is never used again: a process reads it once, two writers cannot lose each other's entries
(there are two segments for a while), and a kill in between leaves a name in both folders. If segments and markers are lost, the
entries themselves are listed, and a segment is written again.
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
        store: Where the entries are.
        folder: Their folder of refs, such as `decided/flights.late_arrivals`.
    """

    store: Store
    folder: str

    def get(self, name: str, version: int) -> str | None:
        """The text of one entry, or None. One request."""
        return self.store.get_ref(f"{self.folder}/{name}@{version}")

    def add(self, name: str, version: int, text: str) -> None:
        """Set an entry: a few requests, and once in 64 times a segment is read and written."""
        key = f"{name}@{version}"
        self.store.set_ref(f"{self.folder}/{key}", text)
        self.store.set_ref(f"{self.folder}.new/{key}", "")
        markers, segments = self.state()
        if len(markers) > _MOST_MARKERS or not segments:
            self._merge(markers, segments)

    def spans(self) -> tuple[SpanKey, ...]:
        """Name and version of every entry, oldest span first: two listings, and one object that is read once in a process."""
        for _ in range(_TRIES):
            # Markers first: an entry whose marker is gone by now is in a segment that is listed after it.
            markers, segments = self.state()
            found = self._read(segments) if segments else self._merge(markers, segments)
            if found is not None:
                return _ordered(found, markers)
        raise TransientError(f"{self.store.url}: the index {self.folder} changes faster than it can be read; try again")

    def state(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What `spans` depends on: as long as this is the same, so are the spans. Two listings, and nothing is read."""
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
        """Write one segment of everything, then remove what it was made of; None if that was replaced meanwhile."""
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
    """`older`, which is in order, and the keys that `names` stand for, all in order and each once."""
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
        _log.warning("%s is not the name and version of a span; it is left out of the index", name)
        return None
    return span, int(version)
