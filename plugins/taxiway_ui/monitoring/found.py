"""The records of what monitoring has found last, of many pipelines."""

from collections.abc import Iterator, Mapping

from taxiway.lineage.monitoring import monitored_pipelines, newest_served
from taxiway.records.served import ServedPerformance
from taxiway.store import Store
from taxiway_ui.clients import cached_records, query_store
from taxiway_ui.monitoring.runs import MonitoringState


def newest_found(store: Store | None, states: Mapping[str, MonitoringState]) -> dict[str, ServedPerformance]:
    """What monitoring has found last, by pipeline; those whose record cannot be read are left out.

    Args:
        store: The store; None if it cannot be used.
        states: What Airflow knows of the monitoring of each pipeline.
    """
    if store is None:
        return {}
    digests = _digests(store, states)
    found = cached_records(store, ServedPerformance, digests.values())
    return {name: found[digest] for name, digest in digests.items() if digest in found}


def _digests(store: Store, states: Mapping[str, MonitoringState]) -> dict[str, str]:
    """The digests of the records. Those of runs that Airflow does not have are in the store: one listing, and a read for each."""
    digests = {name: state.record for name, state in states.items() if state.record is not None}
    if len(digests) == len(states):
        return digests
    nothing: dict[str, str] = {}
    outside, _ = query_store(lambda: dict(_outside(store, states)), nothing)
    return {**outside, **digests}


def _outside(store: Store, states: Mapping[str, MonitoringState]) -> Iterator[tuple[str, str]]:
    for name in monitored_pipelines(store):
        state = states.get(name)
        digest = newest_served(store, name) if state is not None and state.record is None else None
        if digest is not None:
            yield name, digest
