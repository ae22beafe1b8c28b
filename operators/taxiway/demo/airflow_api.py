"""Airflow's REST API, as far as a person at a terminal needs it: start a run, follow its tasks, read what they handed on."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from taxiway.errors import TransientError

POLL_SECONDS = 0.5
ANSWER_SECONDS = 120.0
READ_SECONDS = 600.0
"""Airflow reads a new file within half a minute; beside other work, one service after the other takes many times as long."""
FINAL = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True)
class TaskState:
    """One task instance as Airflow reports it; `seconds` from its start to its end, 0 where it never started.

    `part` is how Airflow shows one of a mapped task's instances, empty for any other task.
    """

    task: str
    part: str
    state: str
    queued: datetime | None
    started: datetime | None
    ended: datetime | None

    @property
    def seconds(self) -> float:
        return (self.ended - self.started).total_seconds() if self.started and self.ended else 0.0


class AirflowApi:
    """The API of the Airflow at `url`, as user `admin`."""

    def __init__(self, url: str, password: str) -> None:
        answer = httpx.post(f"{url}/auth/token", json={"username": "admin", "password": password}, timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        token = answer.json()["access_token"]
        self._http = httpx.Client(
            base_url=f"{url}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=ANSWER_SECONDS
        )

    def wait_for_dag(self, dag: str, seconds: float = READ_SECONDS) -> None:
        """Wait until Airflow has read the DAG, and let it run. Raises TransientError with the import errors where it has not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._http.patch(f"/dags/{quote(dag)}", json={"is_paused": False}).is_success:
                return
            time.sleep(POLL_SECONDS)
        errors = self._get("/importErrors")["import_errors"]
        shown = "\n".join(f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}" for e in errors)
        raise TransientError(f"Airflow does not show the DAG {dag} after {seconds:.0f} s; import errors: {shown or 'none'}")

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        """Start a run; returns its id."""
        answer = self._http.post(f"/dags/{quote(dag)}/dagRuns", json={"conf": conf, "logical_date": None})
        if not answer.is_success:
            raise TransientError(f"Airflow did not start a run of {dag}: {answer.status_code} {answer.text[:500]}")
        return str(answer.json()["dag_run_id"])

    def follow(self, dag: str, run: str) -> Iterator[TaskState]:
        """Each task of the run whenever its state changes, until the run is over."""
        seen: dict[tuple[str, str], str] = {}
        while True:
            over = self.run_state(dag, run) in ("success", "failed")
            for task in sorted(self.tasks(dag, run), key=lambda t: t.ended.timestamp() if t.ended else float("inf")):
                if task.state and seen.get((task.task, task.part)) != task.state:
                    seen[task.task, task.part] = task.state
                    yield task
            if over:
                return
            time.sleep(POLL_SECONDS)

    def run_state(self, dag: str, run: str) -> str:
        """The state of a run."""
        return str(self._get(f"/dags/{quote(dag)}/dagRuns/{quote(run)}")["state"])

    def handed_on(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """The reference that a task of a run handed on; empty where it handed on none."""
        path = f"/dags/{quote(dag)}/dagRuns/{quote(run)}/taskInstances/{task}/xcomEntries/return_value"
        answer = self._http.get(path)
        return dict(answer.json()["value"]) if answer.is_success else {}

    def tasks(self, dag: str, run: str) -> list[TaskState]:
        """All task instances of a run."""
        found = self._get(f"/dags/{quote(dag)}/dagRuns/{quote(run)}/taskInstances")["task_instances"]
        return [
            TaskState(
                t["task_id"],
                str(t["rendered_map_index"] or t["map_index"]) if t["map_index"] >= 0 else "",
                t["state"] or "",
                _time(t["queued_when"]),
                _time(t["start_date"]),
                _time(t["end_date"]),
            )
            for t in found
        ]

    def _get(self, path: str) -> Any:
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.json()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
