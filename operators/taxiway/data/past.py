"""The profiles of a pipeline's earlier spans, for metrics that are watched over more spans than a run reads."""

import logging
from collections.abc import Collection, Mapping

from taxiway.data.merge import profile_parts
from taxiway.data.profile import Profile
from taxiway.digests import digest_of_bytes
from taxiway.errors import TerminalError
from taxiway.records import Snapshot, span_order
from taxiway.store.store import Store

_log = logging.getLogger(__name__)
Past = Mapping[tuple[int, ...], Profile]
"""Profiles by the numbers in their spans' names, which say how spans follow each other."""


def remember_spans(snapshot: Snapshot, label: str, store: Store) -> None:
    """Note the profile of each span of a snapshot that passed, of all its parts; a corrected version takes its predecessor's place."""
    for parts in snapshot.wholes:
        profile = store.put(profile_parts(parts, store, label)).digest
        store.set_ref(f"{_folder(snapshot)}/{parts[0].name}@{parts[0].version}", profile)


def past_profiles(snapshot: Snapshot, store: Store, deny: Collection[str] = ()) -> Past:
    """The profiles of the spans before the one that `snapshot` decides, as earlier runs noted them, each in its newest version.

    Those that are denied by now are left out, and those whose record was lost.
    """
    decided = span_order(snapshot.decided.name)
    newest: dict[tuple[int, ...], tuple[int, str]] = {}
    for key in store.list_refs(_folder(snapshot)):
        name, _, version = key.rpartition("@")
        order = span_order(name)
        if order < decided and name not in deny and int(version) >= newest.get(order, (-1, ""))[0]:
            newest[order] = (int(version), key)
    found = {}
    for order, (_, key) in newest.items():
        digest = store.get_ref(f"{_folder(snapshot)}/{key}")
        if digest is None:
            continue
        try:
            found[order] = store.get(Profile, digest)
        except TerminalError as error:
            _log.warning("a profile of the past is left out: %s", error)
    return found


def _folder(snapshot: Snapshot) -> str:
    """Where a pipeline's profiles are noted: rows that were made by other rules are not compared."""
    rules = [rule.digest for rule in (snapshot.sample, snapshot.split) if rule is not None]
    return f"past/{snapshot.pipeline}" + (f"+{digest_of_bytes(''.join(rules).encode())}" if rules else "")
