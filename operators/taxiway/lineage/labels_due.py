"""The spans of each pipeline that wait for their labels: a ref for each pipeline that has any, so that they are listed at once."""

from taxiway.records import LabelsDue
from taxiway.store import Store

_FOLDER = "labels_due"


def labels_due(store: Store, pipeline: str) -> LabelsDue | None:
    """The spans of a pipeline that waited for their labels when it ran last; None if none did."""
    return store.follow(LabelsDue, f"{_FOLDER}/{pipeline}")


def pipelines_with_labels_due(store: Store) -> tuple[str, ...]:
    """The pipelines with spans that wait for their labels. One request."""
    return store.list_refs(_FOLDER)


def record_labels_due(store: Store, found: LabelsDue) -> None:
    """Replace what is known of a pipeline's waiting spans."""
    ref = f"{_FOLDER}/{found.pipeline}"
    if found.spans:
        store.set_ref(ref, store.put(found).digest)
    elif store.get_ref(ref) is not None:
        store.delete_ref(ref)
