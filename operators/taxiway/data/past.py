"""The profiles of a pipeline's earlier spans, for metrics that are watched over more spans than a run reads."""

from taxiway.data.merge import profile_parts
from taxiway.data.profile import Profile
from taxiway.records import Snapshot, Span
from taxiway.store.store import Store


def remember_spans(snapshot: Snapshot, label: str, store: Store) -> None:
    """Note the profile of each span of a snapshot, of all its parts; a corrected version takes its predecessor's place."""
    for parts in snapshot.wholes:
        profile = store.put(profile_parts(parts, store, label)).digest
        store.point(f"{_folder(snapshot)}/{parts[0].name}@{parts[0].version}", profile)


def past_profiles(snapshot: Snapshot, store: Store) -> tuple[Profile, ...]:
    """The profiles of the spans before those of `snapshot` that earlier runs noted, oldest first, each in its newest version."""
    first = min(snapshot.spans, key=lambda span: span.order)
    newest: dict[tuple[int, ...], tuple[int, str]] = {}
    for key, digest in store.pointers(_folder(snapshot)).items():
        name, _, version = key.rpartition("@")
        order = Span(source="", name=name, rows=0, content="").order[:-1]
        if order < first.order[:-1] and int(version) >= newest.get(order, (-1, ""))[0]:
            newest[order] = (int(version), digest)
    return tuple(store.get(Profile, newest[order][1]) for order in sorted(newest))


def _folder(snapshot: Snapshot) -> str:
    return f"past/{snapshot.pipeline}"
