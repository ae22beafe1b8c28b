"""Challengers in containers of a real engine: started by a Celery worker, mirrored to by the gateway, and never left behind."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from composed import DAG, Composed, write_span
from engine import docker, inspect, until

from helping import PATIENCE_S
from taxiway.errors import ConfigError, TerminalError, TransientError
from taxiway.gates.shadow.gate import decide
from taxiway.records import Status
from taxiway.serving.deployers.docker import RUN_LABEL, ChallengerSpec, ContainerSpec, engine, remove, start
from taxiway.spec.shadow import Shadow

ASKED_INSIDE = """
import socket
from pathlib import Path
for forbidden in (
    lambda: open("/opt/taxiway/new", "w"),
    lambda: socket.create_connection(("postgres", 5432), 2),
    lambda: socket.create_connection(("1.1.1.1", 53), 2),
):
    try:
        print("allowed", forbidden())
    except OSError:
        print("refused")
limits = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory/memory.limit_in_bytes"))
print(next(limit for limit in limits if limit.exists()).read_text())
"""


def containers(run: str = "") -> list[dict[str, Any]]:
    """The containers of challengers; those of one run, where it is named."""
    label = f"label={RUN_LABEL}={run}" if run else f"label={RUN_LABEL}"
    return inspect(*docker("ps", "-aq", "--filter", label).split())


def ask_until(stack: Composed, over: Callable[[], bool]) -> int:
    """Ask the gateway, one row at a time, until it is over; every request is answered. Returns how many there were."""
    asked = 0
    with stack.caller as caller:

        def over_after_twenty_more() -> bool:
            nonlocal asked
            for a in np.random.default_rng(asked).normal(size=20):
                assert len(caller.predict(DAG, [{"id": 1, "a": float(a), "b": "x"}])) == 1
                asked += 1
            return over()

        until(over_after_twenty_more, "enough was asked", progress=lambda: stack.admin.challenger(DAG))
    return asked


@pytest.fixture(scope="module")
def decided(stack: Composed, first: str) -> str:
    """A run after the first one, whose challenger waits for requests, in its second container."""
    write_span(stack, 3)
    api = stack.api
    run = api.trigger(DAG, {})
    until(lambda: _serving(stack), "a challenger serves", progress=lambda: api.tasks(DAG, run))
    return run


def _serving(stack: Composed) -> bool:
    challenger = stack.admin.challenger(DAG)
    return challenger is not None and challenger.state == "serving"


def test_a_task_killed_beside_its_container_is_tried_again_with_another(stack: Composed, decided: str) -> None:
    (container,) = containers(f"{DAG}/{decided}")
    assert container["State"]["Health"]["Status"] == "healthy"
    tries = stack.task(DAG, decided, "shadow")["try_number"]
    assert tries == 2, "the first try was killed"


def test_a_challenger_has_limits_and_few_rights(stack: Composed, decided: str) -> None:
    (container,) = containers(f"{DAG}/{decided}")
    host = container["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (1 << 30, 1 << 30, 10**9, 256)
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"]) == (True, ["ALL"], ["no-new-privileges:true"])
    assert (host["Privileged"], host["Binds"], host["PortBindings"] or {}, host["AutoRemove"]) == (False, None, {}, True)
    assert "0" not in docker("top", container["Id"], "-eo", "uid,pid").split()[2::2]
    assert list(container["NetworkSettings"]["Networks"]) == [stack.settings["CHALLENGER_NETWORK"]]

    said = docker("exec", container["Id"], "python", "-c", ASKED_INSIDE).splitlines()
    assert said == [*["refused"] * 3, str(1 << 30)]


def test_only_the_worker_has_the_socket_of_the_engine(stack: Composed) -> None:
    with_socket = {
        container["Config"]["Labels"]["com.docker.compose.service"]
        for container in stack.containers()
        if any(mount["Destination"] == "/var/run/docker.sock" for mount in container["Mounts"])
    }
    assert with_socket == {"airflow-worker"}


def test_the_shadow_is_decided_by_what_the_container_answered(stack: Composed, decided: str) -> None:
    ask_until(stack, lambda: stack.admin.challenger(DAG) is None)
    for _ in stack.api.follow(DAG, decided):
        pass
    assert stack.outcome(DAG, decided) == "PROMOTED"
    assert stack.admin.status(DAG).champion == 2
    until(lambda: containers() == [], "nothing is left behind")


@pytest.fixture
def place(stack: Composed) -> Iterator[ContainerSpec]:
    yield ContainerSpec(stack.settings["TAXIWAY_IMAGE"], stack.settings["CHALLENGER_NETWORK"], "1g", 1)
    until(lambda: containers() == [], "nothing is left behind")


def challenger(version: int, lease_s: float = 600, tracking_uri: str = "http://mlflow:5000") -> ChallengerSpec:
    return ChallengerSpec(model=DAG, version=version, tracking_uri=tracking_uri, run=f"by-hand/{version}", lease_s=lease_s)


def test_a_container_that_is_never_healthy_is_removed(place: ContainerSpec, decided: str) -> None:
    nobody = challenger(1, tracking_uri="http://192.0.2.1:5000")
    with pytest.raises(TransientError, match="was not healthy within 6 s"):
        start(engine(), place, nobody, within_s=6)


def test_a_container_that_exits_is_reported_with_its_log(place: ContainerSpec, decided: str) -> None:
    with pytest.raises(TerminalError, match=r"exited; its last log lines: (.|\n)*99"):
        start(engine(), place, challenger(99), within_s=PATIENCE_S)


def test_a_missing_image_is_a_configuration_error(place: ContainerSpec) -> None:
    with pytest.raises((ConfigError, TransientError), match="taxiway-test-nothing"):
        start(engine(), ContainerSpec("taxiway-test-nothing:1", place.network, "1g", 1), challenger(1), within_s=10)


def test_a_container_ends_with_its_lease_though_nobody_comes_back(place: ContainerSpec, decided: str) -> None:
    with contextlib.suppress(TerminalError):  # on a busy machine it ends before it is healthy
        start(engine(), place, challenger(1, lease_s=15), within_s=PATIENCE_S)
    until(lambda: containers("by-hand/1") == [], "the lease is over")


def test_a_second_start_replaces_the_first_and_one_that_is_killed_decides_nothing_and_hurts_no_caller(
    stack: Composed, place: ContainerSpec, decided: str
) -> None:
    run = "by-hand/1"
    replaced = start(engine(), place, challenger(1), within_s=PATIENCE_S)
    assert replaced.token not in json.dumps([c["Config"]["Labels"] for c in containers(run)])
    first = containers(run)[0]["Id"]
    remote = start(engine(), place, challenger(1), within_s=PATIENCE_S)
    (second,) = containers(run)
    assert second["Id"] != first
    stack.admin.put_challenger(DAG, 1, run, 600, remote)
    ask_until(stack, lambda: (c := stack.admin.challenger(DAG)) is not None and c.answered >= 20)
    assert remove(engine(), run) == 1  # as it answers
    ask_until(stack, lambda: stack.admin.challenger(DAG) is None)
    log = stack.admin.pairs(DAG, 1, run)
    requirements = Shadow.model_validate({"min_requests": 100, "max_wait": "10m"})
    report = decide(log, model=DAG, version=1, champion=2, requirements=requirements, confidence=0.95)
    assert report.status is Status.UNDECIDED
    assert not any(pair.challenger.error for pair in log.pairs), "a dead container is no error of the model"
    assert stack.admin.status(DAG).champion == 2
    until(lambda: remove(engine(), run) == 0, "it is gone")
