"""A small client of Airflow's REST API: start a run, follow its tasks, read what they returned.

A request without an answer is repeated: Airflow may be slow on a busy machine, or be restarting. Every request may be repeated without
another effect.
"""

import logging
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from taxiway.errors import TransientError

POLL_SECONDS = 0.5
ANSWER_SECONDS = 120.0
OUTAGE_SECONDS = 600.0
"""For how long Airflow may not answer."""
READ_SECONDS = 600.0
"""Airflow reads a new file within half a minute; on a busy machine it may take much longer."""
FINAL = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_ACTIVE = frozenset(
    {"scheduled", "queued", "running", "restarting", "deferred", "awaiting_input", "up_for_retry", "up_for_reschedule"}
)
_AWAY = frozenset({500, 502, 503, 504})
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskState:
    """A task instance.

    Attributes:
        task: The id of the task.
        part: The name of an instance of a mapped task; empty for any other task.
        state: Its state.
        queued: When it was queued; None if it was not.
        started: When it started; None if it has not.
        ended: When it ended; None if it has not.
    """

    task: str
    part: str
    state: str
    queued: datetime | None
    started: datetime | None
    ended: datetime | None

    @property
    def seconds(self) -> float:
        """The seconds from its start to its end; 0 if it has not ended."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else 0.0


class AirflowApi:
    """A client with the login of the user `admin`.

    Args:
        url: Airflow's address.
        password: The password of `admin`.
    """

    def __init__(self, url: str, password: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/v2", timeout=ANSWER_SECONDS)
        answer = self._ask("POST", f"{url}/auth/token", json={"username": "admin", "password": password})
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def wait_for_dag(self, dag: str, seconds: float = READ_SECONDS) -> None:
        """Wait until Airflow has read a DAG, and unpause it.

        Raises:
            TransientError: Airflow has not read it in time; the message has the import errors.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._ask("PATCH", f"/dags/{quote(dag)}", json={"is_paused": False}).is_success:
                return
            time.sleep(POLL_SECONDS)
        errors = self._get("/importErrors")["import_errors"]
        shown = "\n".join(f"{e['filename']}: {e['stack_trace'].strip().splitlines()[-1]}" for e in errors)
        raise TransientError(f"Airflow has not read the DAG {dag} within {seconds:.0f} s; import errors: {shown or 'none'}")

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        """Start a run; returns its id."""
        run = f"manual__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}_{uuid.uuid4().hex[:8]}"
        body = {"dag_run_id": run, "conf": conf, "logical_date": None}
        answer = self._ask("POST", f"/dags/{quote(dag)}/dagRuns", json=body)
        # If the answer to the first try was lost, the run exists.
        if not answer.is_success and answer.status_code != httpx.codes.CONFLICT:
            raise TransientError(f"Airflow did not start a run of {dag}: HTTP {answer.status_code} {answer.text[:500]}")
        return run

    def follow(self, dag: str, run: str) -> Iterator[TaskState]:
        """Yield each task whenever its state changes, until the run ends."""
        seen: dict[tuple[str, str], str] = {}
        while True:
            tasks = self.tasks(dag, run)
            # A run with an active task is not over, so that each poll takes one request. The last tasks may change between the two.
            over = not any(task.state in _ACTIVE for task in tasks) and self.run_state(dag, run) in ("success", "failed")
            tasks = self.tasks(dag, run) if over else tasks
            for task in sorted(tasks, key=lambda t: t.ended.timestamp() if t.ended else float("inf")):
                if task.state and seen.get((task.task, task.part)) != task.state:
                    seen[task.task, task.part] = task.state
                    yield task
            if over:
                return
            time.sleep(POLL_SECONDS)

    def run_state(self, dag: str, run: str) -> str:
        """The state of a run."""
        return str(self._get(f"/dags/{quote(dag)}/dagRuns/{quote(run)}")["state"])

    def returned(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """The reference that a task returned; empty if it returned none."""
        path = f"/dags/{quote(dag)}/dagRuns/{quote(run)}/taskInstances/{task}/xcomEntries/return_value"
        answer = self._ask("GET", path)
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
        answer = self._ask("GET", path)
        if not answer.is_success:
            raise TransientError(f"Airflow answered GET {path} with HTTP {answer.status_code}: {answer.text[:500]}")
        return answer.json()

    def _ask(self, method: str, url: str, json: Any = None) -> httpx.Response:
        """The answer to a request, which is repeated while there is none.

        Raises:
            TransientError: There was no answer for `OUTAGE_SECONDS`.
        """
        began, told = time.monotonic(), False
        while True:
            try:
                answer = self._http.request(method, url, json=json)
            except httpx.TransportError as error:
                why = str(error) or type(error).__name__
            else:
                if answer.status_code not in _AWAY:
                    if told:
                        _log.warning("Airflow answers again after %.0f s", time.monotonic() - began)
                    return answer
                why = f"HTTP {answer.status_code} {answer.text[:200]}".strip()
            if time.monotonic() - began > OUTAGE_SECONDS:
                raise TransientError(
                    f"Airflow at {self._http.base_url.copy_with(path='/')} has not answered for {OUTAGE_SECONDS:.0f} s (last: {why}); see the "
                    "log of its API server, and start the command again"
                )
            if not told:
                _log.warning("Airflow does not answer (%s); trying again for up to %.0f s", why, OUTAGE_SECONDS)
            told = True
            time.sleep(POLL_SECONDS)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
