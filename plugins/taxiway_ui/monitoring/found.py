"""The records of what monitoring has found last, of many pipelines."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from taxiway.records.served import ServedPerformance
from taxiway.store import Store
from taxiway_ui.clients import cached_record
from taxiway_ui.monitoring.runs import MonitoringState

_READERS = 16


def newest_found(store: Store | None, states: Mapping[str, MonitoringState]) -> dict[str, ServedPerformance]:
    """What monitoring has found last, by pipeline; those whose record cannot be read are left out.

    Args:
        store: The store; None if it cannot be used.
        states: What Airflow knows of the monitoring of each pipeline.
    """
    if store is None:
        return {}
    digests = {name: state.record for name, state in states.items() if state.record is not None}
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(lambda digest: cached_record(store, ServedPerformance, digest), digests.values())
        return {name: record for name, record in zip(digests, found, strict=True) if record is not None}
