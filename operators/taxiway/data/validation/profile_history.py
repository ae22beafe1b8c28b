"""The profiles of a pipeline's earlier spans, for metrics that are watched over more spans than a run reads."""

import logging
from collections.abc import Collection, Mapping

from taxiway.data.profiling.merge import profile_parts
from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import Schema
from taxiway.records import Snapshot, span_order
from taxiway.records.digests import digest_of_bytes
from taxiway.store import LOST, SpanIndex, Store

MOST_SPANS = 100
"""Over how many spans before the newest one a metric is watched."""

_log = logging.getLogger(__name__)
ProfileHistory = Mapping[tuple[int, ...], Profile]
"""Profiles by the numbers in their spans' names, which say how spans follow each other."""


def record_profiles(snapshot: Snapshot, label: str, store: Store) -> None:
    """Note the profile of each span of a snapshot that passed, of all its parts; a corrected version takes its predecessor's place."""
    index = _index(snapshot, store)
    for parts in snapshot.spans_by_name:
        profile = store.put(profile_parts(parts, store, label)).digest
        if index.get(parts[0].name, parts[0].version) != profile:
            index.add(parts[0].name, parts[0].version, profile)


def load_profile_history(snapshot: Snapshot, schema: Schema, store: Store, exclude: Collection[str] = ()) -> ProfileHistory:
    """The profiles of the newest spans before the one that `snapshot` decides, as earlier runs noted them.

    They are at most `MOST_SPANS`, each in its newest version; one where nothing but drift needs them, and none if the snapshot itself
    has spans before the newest. Those that are denied by now are left out, and those whose record was lost.
    """
    count = (
        MOST_SPANS if schema.metric_checks or schema.rows_ratio is not None else 1 if len(snapshot.spans_by_name) == 1 else 0
    )
    decided, index = span_order(snapshot.target_span.name), _index(snapshot, store)
    newest: dict[tuple[int, ...], tuple[str, int]] = {}
    for name, version in reversed(index.spans() if count else ()):
        if len(newest) == count:
            break
        if span_order(name) < decided and name not in exclude:
            newest.setdefault(span_order(name), (name, version))
    found = {}
    for order, key in newest.items():
        try:
            found[order] = store.get(Profile, str(index.get(*key)))
        except LOST as error:
            _log.warning("a profile of the past is left out: %s", error)
    return found


def _index(snapshot: Snapshot, store: Store) -> SpanIndex:
    """Where a pipeline's profiles are noted: rows that were made by other rules are not compared."""
    rules = [rule.digest for rule in (snapshot.sample, snapshot.split) if rule is not None]
    return SpanIndex(store, f"past/{snapshot.pipeline}" + (f"+{digest_of_bytes(''.join(rules).encode())}" if rules else ""))
