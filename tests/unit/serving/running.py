"""Gateways in processes of their own, and registered models whose versions misbehave on demand."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import psutil
from forking import Forked
from mlflow import MlflowClient

from ending import dies_with_us
from helping import PATIENCE_S, free_port, until
from taxiway.serving.client import GatewayClient

IMPATIENT_S = 8
"""A short time for a prediction, for tests that see it end: the champion of a busy machine still answers within it."""
CALLER, ADMIN = "caller-token-of-the-tests", "admin-token-of-the-tests"
# The models that misbehave need no scikit-learn, which each gateway would import anew. Others get the libraries of production.
RUN_GATEWAY = """
import os
from taxiway.serving.gateway.server import serve
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.workers import local
settings = GatewaySettings.model_validate_json(os.environ["GATEWAY"])
if settings.loader == "misbehaving:load":
    local.LIBRARIES = "misbehaving"
serve(settings)
"""
# The time that the process finds is that of the machine and the seconds in a file.
SHIFT_CLOCK = """
import time
from pathlib import Path
machine, shift = time.time, Path({shift!r})
time.time = lambda: machine() + float(shift.read_text())
"""


@dataclass
class Running:
    """A gateway in a process of its own."""

    process: "Forked | subprocess.Popen[bytes]"
    url: str
    state: Path
    admin: GatewayClient
    # One for all requests: each client reads the certificates anew, which takes 20 ms.
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=PATIENCE_S))

    def ask(self, model: str, *xs: float, token: str = CALLER) -> httpx.Response:
        """One request with a row for each x."""
        return self.post(model, {"dataframe_records": [{"x": x} for x in xs]}, token)

    def post(self, model: str, content: Any, token: str = CALLER) -> httpx.Response:
        url = f"{self.url}/models/{model}/invocations"
        return self.http.post(url, json=content, headers={"Authorization": f"Bearer {token}"})

    def workers(self) -> list[psutil.Process]:
        """The processes that predict."""
        return [process for process, niceness in self._forked() if niceness == 0]

    def in_background(self) -> list[psutil.Process]:
        """The processes whose work is less urgent: they write the log to files, which the first does a minute after the start, or explain."""
        return [process for process, niceness in self._forked() if niceness > 0]

    def _forked(self) -> Iterator[tuple[psutil.Process, int]]:
        """Those that the fork server has made, with their niceness."""
        children = psutil.Process(self.process.pid).children()
        for server in (child for child in children if "forkserver" in _command(child)):
            for forked in server.children():
                with suppress(psutil.NoSuchProcess):  # it may end at any time
                    if _command(forked):
                        yield forked, int(forked.nice())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.admin.close()
        self.http.close()


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # gone, or a zombie that the gateway has not reaped yet
        return ""


def gateway_environment(tracking_uri: str, state: Path, port: int, **settings: Any) -> dict[str, str]:
    tokens = {"caller_token": CALLER, "admin_token": ADMIN}
    content = {"tracking_uri": tracking_uri, "state_folder": str(state), "port": port, **tokens}
    # The limits of production are there to be hit by tests that ask for it, and not because a machine is busy.
    limits = {"load_timeout_s": PATIENCE_S, "predict_timeout_s": PATIENCE_S}
    # Most tests move the alias themselves; those of the ledger do not.
    content |= {"loader": "misbehaving:load", "allow_unbacked_alias": True, **limits, **settings}
    return {**os.environ, "PYTHONPATH": with_loaders(), "GATEWAY": json.dumps(content)}


def with_loaders() -> str:
    """The path of imports of this process, for one that is to find `misbehaving` too."""
    return os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))


def start_gateway(
    tracking_uri: str, state: Path, *, port: int = 0, clock: Path | None = None, before: str = "", **settings: Any
) -> Running:
    """Start a gateway.

    Args:
        tracking_uri: Its registry.
        state: Its state folder, which its output is in, too.
        port: The port to listen on; 0 for a free one.
        clock: A file with the seconds by which its clock differs from that of the machine; None for the machine's.
        before: Code that its process runs first.
        settings: Its other settings.
    """
    port = port or free_port()
    state.mkdir(parents=True, exist_ok=True)
    environment = gateway_environment(tracking_uri, state, port, **settings)
    with (state / "output").open("ab") as output:
        process = (
            _unforked(before, clock, environment, output)
            if clock
            else Forked(before + RUN_GATEWAY, environment, output.fileno())
        )
    running = Running(
        process, f"http://127.0.0.1:{port}", state, GatewayClient(f"http://127.0.0.1:{port}", ADMIN, timeout_s=PATIENCE_S)
    )

    def up() -> bool:
        assert process.poll() is None, (state / "output").read_text()
        try:
            return running.http.get(f"{running.url}/ping").status_code == 200
        except httpx.TransportError:
            return False

    until(up, "the gateway is up", progress=lambda: (state / "output").stat().st_size)
    return running


def _unforked(before: str, clock: Path, environment: dict[str, str], output: IO[bytes]) -> "subprocess.Popen[bytes]":
    """A process that has imported nothing yet, and so no class that holds the function `time.time` of the machine."""
    code = SHIFT_CLOCK.format(shift=str(clock)) + before + RUN_GATEWAY
    environment = {**environment, "PYTHONPATH": os.pathsep.join([environment["PYTHONPATH"], *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=output, stderr=output, preexec_fn=dies_with_us
    )


def add_version(registry: MlflowClient, model: str, behaviour: str, **tags: str) -> int:
    """A new version with this behaviour, whose only file says so; `tags` without the prefix `taxiway.`."""
    run = registry.create_run("0")
    registry.log_text(run.info.run_id, behaviour, "model/behaviour")
    taxiway_tags = {f"taxiway.{name}": value for name, value in tags.items()}
    return int(
        registry.create_model_version(model, f"{run.info.artifact_uri}/model", run.info.run_id, tags=taxiway_tags).version
    )


def register(registry: MlflowClient, *behaviours: str, champion: int = 1) -> str:
    """A new registered model with a version for each behaviour; `champion` (0: none) gets the alias."""
    model = f"tests.model_{uuid.uuid4().hex[:8]}"
    registry.create_registered_model(model)
    for behaviour in behaviours:
        add_version(registry, model, behaviour)
    if champion:
        registry.set_registered_model_alias(model, "champion", str(champion))
    return model
