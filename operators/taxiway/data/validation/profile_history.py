"""The profiles of a pipeline's earlier spans, for metric checks over more spans than a run reads."""

from collections.abc import Collection, Mapping

from taxiway.data.profiling.merge import profile_whole_span
from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import Schema
from taxiway.records import Snapshot, span_order
from taxiway.records.digests import digest_of_bytes
from taxiway.store import SpanIndex, Store

MAX_SPANS = 100
"""The largest number of earlier spans that a metric is compared with."""

ProfileHistory = Mapping[tuple[int, ...], Profile]
"""Profiles by the order of their spans; see `span_order`."""


def record_profiles(snapshot: Snapshot, label: str, store: Store) -> None:
    """Record the profile of each span of a snapshot that passed; a new version of a span replaces the earlier one."""
    index = _index(snapshot, store)
    for parts in snapshot.spans_by_name:
        profile = store.put(profile_whole_span(parts, store, label)).digest
        if index.get(parts[0].name, parts[0].version) != profile:
            index.add(parts[0].name, parts[0].version, profile)


def load_profile_history(snapshot: Snapshot, schema: Schema, store: Store, exclude: Collection[str] = ()) -> ProfileHistory:
    """The profiles of the spans before the target span of `snapshot`, as earlier runs recorded them.

    Args:
        snapshot: The snapshot that is checked.
        schema: Its schema: only `metric_checks` and `rows_ratio` need more than one earlier span.
        store: Where the profiles are.
        exclude: Spans to leave out.

    Returns:
        At most `MAX_SPANS` profiles, of the newest version of each span. Profiles whose record was lost are left out.
    """
    most = _spans_needed(snapshot, schema)
    target, index = span_order(snapshot.target_span.name), _index(snapshot, store)
    newest: dict[tuple[int, ...], tuple[str, int]] = {}
    for name, version in reversed(index.spans() if most else ()):
        if len(newest) == most:
            break
        if span_order(name) < target and name not in exclude:
            newest.setdefault(span_order(name), (name, version))
    orders = {key: order for order, key in newest.items()}
    return {orders[key]: profile for key, profile in index.records(Profile, orders).items()}


def _spans_needed(snapshot: Snapshot, schema: Schema) -> int:
    """How many earlier spans the checks need at most: many for metrics, and one for the drift of a snapshot of a single span."""
    if schema.metric_checks or schema.rows_ratio is not None:
        return MAX_SPANS
    return 1 if len(snapshot.spans_by_name) == 1 else 0


def _index(snapshot: Snapshot, store: Store) -> SpanIndex:
    """The index of a pipeline's profiles: one for each filter, sample and split rule, whose rows cannot be compared.

    Rows without a label that are left out are such a filter, too, unless there is another one.
    """
    rules = [rule.digest for rule in (snapshot.sample, snapshot.split) if rule is not None]
    rules += [snapshot.rows or "unlabelled"] if snapshot.rows is not None or snapshot.removed else []
    return SpanIndex(store, f"past/{snapshot.pipeline}" + (f"+{digest_of_bytes(''.join(rules).encode())}" if rules else ""))
