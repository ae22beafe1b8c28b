"""An index of a pipeline's spans, whose cost does not grow with the number of spans.

Each entry is a ref `FOLDER/NAME@VERSION`, which is read by name and not listed. Two more folders are for listing: `FOLDER.new` has
an empty marker for each of the newest entries, and `FOLDER.all` has one segment, a text with the names of all older ones. When
there are enough markers, they are merged with the segment into a new segment.

A segment is immutable and its name is unique: each process reads it once, and two writers cannot lose each other's entries (there are
two segments for a while). A crash during a merge leaves a name in both folders. The name begins with the digest of the content. If all
segments and markers are lost, or a segment is altered, the entries are listed and a new segment is written.
"""

import logging
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from taxiway.errors import CorruptArtifactError, TransientError
from taxiway.records import Record, span_order
from taxiway.records.digests import digest_of_bytes
from taxiway.store.store import Store

R = TypeVar("R", bound=Record)
_log = logging.getLogger(__name__)
_MAX_MARKERS = 64
_TRIES = 20
_MAX_CACHED = 256
_SEGMENT = re.compile(r"[0-9a-f]{32}(\.[0-9a-f]{8})?")

SpanKey = tuple[str, int]
"""Name and version of a span."""

_segments: dict[tuple[str, str], tuple[SpanKey, ...]] = {}
_named: set[str] = set()


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

    def record(self, kind: type[R], name: str, version: int) -> R | None:
        """The record whose digest is the text of an entry; None if there is none, or, with a warning, if it is lost."""
        return self.store.follow(kind, f"{self.folder}/{name}@{version}")

    def records(self, kind: type[R], keys: Iterable[SpanKey]) -> dict[SpanKey, R]:
        """The records of listed entries, in their order; an entry that is lost, or whose record is, is left out with a warning."""
        found = {}
        for name, version in keys:
            record = self.record(kind, name, version)
            if record is None:
                _log.warning("%s: %s@%s has no %s that can be read; it is left out", self.folder, name, version, kind.__name__)
            else:
                found[name, version] = record
        return found

    def add(self, name: str, version: int, text: str) -> None:
        """Set an entry. It takes a few requests; every 64th time, a segment is read and written too."""
        key = f"{name}@{version}"
        self.store.set_ref(f"{self.folder}/{key}", text)
        self.store.set_ref(f"{self.folder}.new/{key}", "")
        markers, segments = self.state()
        if len(markers) > _MAX_MARKERS or not segments:
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
                return _merge_keys(found, markers)
        raise TransientError(f"{self.store.url}: the index {self.folder} changes faster than it can be read; try again")

    def state(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A value that changes if `spans` may have changed. It takes two listings."""
        segments = self.store.list_refs(f"{self.folder}.all")
        strays = [name for name in segments if not _SEGMENT.fullmatch(name)]
        _name_strays(f"{self.store.url}: {self.folder}.all", strays)
        return self._names("new"), tuple(name for name in segments if name not in strays)

    def _names(self, kind: str = "") -> tuple[str, ...]:
        """The names of markers, or of entries, without those of stray files."""
        folder = f"{self.folder}.{kind}" if kind else self.folder
        names = self.store.list_refs(folder)
        _name_strays(f"{self.store.url}: {folder}", [name for name in names if _key(name) is None])
        return tuple(name for name in names if _key(name) is not None)

    def _read(self, segments: tuple[str, ...]) -> tuple[SpanKey, ...] | None:
        """The keys of all segments; None if one of them was replaced meanwhile."""
        found: tuple[SpanKey, ...] = ()
        for name in segments:
            try:
                keys = _segment(self.store, f"{self.folder}.all/{name}")
            except CorruptArtifactError as error:
                _log.warning("%s; it is made again from the entries", error)
                keys = _merge_keys((), self._names())
                self._write(keys, instead_of=(f"all/{name}",))
            if keys is None:
                return None
            found = _merge_keys(found, (f"{span}@{version}" for span, version in keys)) if found else keys
        return found

    def _merge(self, markers: tuple[str, ...], segments: tuple[str, ...]) -> tuple[SpanKey, ...] | None:
        """Merge markers and segments into one segment, then remove them; None if they were replaced meanwhile."""
        found = self._read(segments)
        if found is None:
            return None
        keys = _merge_keys(found, markers if segments else (*markers, *self._names()))
        if keys:
            self._write(keys, instead_of=(*(f"all/{name}" for name in segments), *(f"new/{name}" for name in markers)))
        return keys

    def _write(self, keys: tuple[SpanKey, ...], *, instead_of: tuple[str, ...]) -> None:
        text = "\n".join(f"{span}@{version}" for span, version in keys)
        self.store.set_ref(f"{self.folder}.all/{digest_of_bytes(text.encode())}.{uuid.uuid4().hex[:8]}", text)
        for name in instead_of:
            self.store.delete_ref(f"{self.folder}.{name}")


def _segment(store: Store, ref: str) -> tuple[SpanKey, ...] | None:
    known = _segments.get((store.url, ref))
    if known is not None:
        return known
    text = store.get_ref(ref)
    if text is None:
        return None
    if digest_of_bytes(text.encode()) != ref.rpartition("/")[2].partition(".")[0]:
        raise CorruptArtifactError(f"{store.url}: the segment {ref} of an index is altered", got=ref)
    if len(_segments) >= _MAX_CACHED:
        del _segments[next(iter(_segments))]
    keys = tuple(key for name in text.split("\n") if (key := _key(name)) is not None)
    _segments[store.url, ref] = keys
    return keys


def _merge_keys(older: tuple[SpanKey, ...], names: Iterable[str]) -> tuple[SpanKey, ...]:
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
    return (span, int(version)) if span and version.isdecimal() else None


def _name_strays(folder: str, names: list[str]) -> None:
    """Warn of files in an index that are none of its own, once in a process."""
    for name in names:
        if f"{folder}/{name}" not in _named:
            _named.add(f"{folder}/{name}")
            _log.warning("%s has the file %s, which is not a part of the index; it is ignored", folder, name)
