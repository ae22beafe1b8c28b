"""A run of monitoring that is killed before any of its writes: the next try tells what it would have told, and records it once."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.local_runs import NAME
from cli.logged_weeks import log_week
from mlflow import MlflowClient
from operators.monitored import Board, monitored, recorded

from taxiway.hooks import config
from taxiway.records.served import ServedPerformance
from taxiway.stages.monitor import champion
from taxiway.stages.monitor.monitored import Monitored
from taxiway.store import Store
from taxiway_ui.monitoring.alerts import standing_alerts

_WRITES: dict[Any, tuple[str, ...]] = {
    Store: ("put", "set_ref", "delete_ref"),
    MlflowClient: (
        "create_run",
        "update_run",
        "log_batch",
        "log_inputs",
        "set_tag",
        "log_text",
        "log_artifacts",
        "set_terminated",
    ),
    Board: ("notify",),
}


class Killed(BaseException):
    """What a killed process would have done next."""


@contextmanager
def killed_before(number: int) -> Iterator[Callable[[], int]]:
    """Nothing is written from the write of this number on, as if the process had ended; the count of writes until then."""
    made = 0

    def wrapped(write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal made
            if made >= number:
                raise Killed
            made += 1
            return write(*args, **kwargs)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        for kind, names in _WRITES.items():
            for name in names:
                patch.setattr(kind, name, wrapped(getattr(kind, name)))
        yield lambda: made


@pytest.fixture(autouse=True)
def compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of the same windows, which keeps only what any run would find again, takes most of a run's time."""
    made, compare = [], champion.monitor

    def monitor(*args: Any, **kwargs: Any) -> Monitored:
        made.append(made[0] if made else compare(*args, **kwargs))
        return made[0]

    monkeypatch.setattr(champion, "monitor", monitor)


def test_a_killed_run_is_completed_by_its_next_try(monitored_team: Path) -> None:
    told_ref, told = f"monitored/{NAME}", monitored_team / "told"
    store = config.open_store()
    log_week(0, 200, flipped=True, labelled=200, change=lambda cells: {"a": [*cells["a"][:-1], 1e6]})
    monitored("compared")
    store.delete_ref(told_ref)
    with killed_before(1_000) as writes:
        _, events = monitored("whole")
    (expected,) = [extra["alerts"] for _, extra in events[f"{NAME}.alerts"]]
    assert [each["kind"] for each in expected] == ["realised"]
    assert writes() > 8, "the record, its ref, the MLflow run, the notification, what was told"
    for number in range(writes()):
        store.delete_ref(told_ref)
        told.unlink(missing_ok=True)
        run = f"killed-{number}"
        with killed_before(number), pytest.raises(Killed):
            monitored(run)
        found, events = monitored(run)
        assert [extra["alerts"] for _, extra in events[f"{NAME}.alerts"]] == [expected], number
        assert 1 <= len(told.read_text().splitlines()) <= 2, "a notifier that was interrupted is called again"
        assert json.loads(store.get_ref(told_ref) or "") == {"1 2026-01-05 realised": f"{NAME}.monitor/{run}"}
        record = store.get(ServedPerformance, found["record"])
        assert [alert.alert.kind for alert in standing_alerts(record, {})] == ["realised", "data"]
        assert recorded(run).info.status == "FINISHED"
        assert monitored("next")[1] == {}, "told once"
