"""The shared stack after all of its processes were killed. Its name is the last of this folder: runs in progress would be killed, too."""

import json
from typing import Any

import httpx
from conftest_airflow import Running

from helping import PATIENCE_S, until
from taxiway.local.console import SERVICES
from taxiway.local.postgres.server import Postgres
from taxiway.local.processes import session_members


def events(running: Running) -> list[dict[str, Any]]:
    """What the supervisor has told, from its log."""
    lines = (running.stack.home.logs / "supervisor.log").read_text().splitlines()
    return [json.loads(line.partition(" ")[2]) for line in lines if line.endswith("}")]


def test_parts_that_are_killed_are_replaced_and_keep_their_ports(running: Running) -> None:
    order = [(event["event"], event.get("service")) for event in events(running)]
    assert order.index(("healthy", "mlflow")) < order.index(("starting", "gateway"))
    home = running.stack.home
    session = json.loads(home.running_file.read_text())["session"]
    for process in (*Postgres(home.postgres).processes(), *session_members(session)):
        process.kill()
    replaced = set(SERVICES) - {"airflow-tables"}
    until(
        lambda: {event["service"] for event in events(running)[len(order) :] if event["event"] == "healthy"} == replaced,
        "all parts are healthy again",
        progress=lambda: len(events(running)),
    )
    assert {event["service"] for event in events(running)[len(order) :] if event["event"] == "restarting"} == replaced
    for service, path in {"airflow": "/api/v2/monitor/health", "mlflow": "/health", "gateway": "/ping"}.items():
        assert httpx.get(f"{running.stack.url(service)}{path}", timeout=PATIENCE_S).is_success
