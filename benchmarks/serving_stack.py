"""What the benchmarks of the gateway share: servers on loopback, and two versions of a model of the flights."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from taxiway.registry.register import ModelToSave, register

MODEL = "benchmarks.late_arrivals"
NUMERIC = ["distance", "hour", "temp", "wind_speed", "visib", "seats"]
CATEGORICAL = ["carrier", "origin", "dest"]
CLASSES = ("False", "True")
MODEL_FOLDER = "TAXIWAY_BENCHMARK_MODEL"
"""The environment variable of the applications of `serving_peers`."""
CALLER, ADMIN = "caller-token-of-the-benchmark", "admin-token-of-the-benchmark"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server in a session of its own: up within a `with` block, and whenever it is started again.

    Args:
        command: The module to run, and its arguments.
        url: Its address.
        health: The path of its health check.
        log: The file of its output.
        environment: Its environment variables, in addition to those of this process.
    """

    def __init__(self, command: list[str], url: str, health: str, log: Path, environment: Mapping[str, str]) -> None:
        self.url, self._health, self._log = url, url + health, log
        self._command, self._environment = command, {**os.environ, **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as output:
            command = [sys.executable, "-m", *self._command]
            started = self.process = subprocess.Popen(
                command, env=self._environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        until(lambda: answers(self._health) or started.poll() is not None, f"{self._health} answers", 120)
        if started.poll() is not None:
            raise SystemExit(f"{self._command[0]} did not start:\n{self._log.read_text()[-3000:]}")

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to its whole session, and wait until it has ended."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            self.process.wait(30)

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def mlflow_server(folder: Path) -> Server:
    """An MLflow server with its database in a folder."""
    port = free_port()
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts")]
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *stores]
    jobs_off = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return Server(command, f"http://127.0.0.1:{port}", "/health", folder / "mlflow.log", jobs_off)


def gateway_server(
    folder: Path,
    tracking_uri: str,
    models: Sequence[str] = (MODEL,),
    *,
    log: str = "sync",
    name: str = "gateway",
    keys: str = "",
) -> Server:
    """A gateway that serves the models, with its state in a folder: those that have the alias, or with keys, that are promoted."""
    port = free_port()
    command = ["taxiway.cli", "serve", "--port", str(port), "--tracking-uri", tracking_uri, "--log", log]
    command += [word for model in models for word in ("--model", model)]
    tokens = {"TAXIWAY_CALLER_TOKEN": CALLER, "TAXIWAY_ADMIN_TOKEN": ADMIN}
    command += ["--state", str(folder / name)]
    if keys:
        tokens["TAXIWAY_LEDGER_KEYS"] = keys
    else:
        command.append("--allow-unbacked-alias")  # no pipeline has promoted these models
    return Server(command, f"http://127.0.0.1:{port}", "/ping", folder / f"{name}.log", tokens)


def scoring_server(folder: Path, model: Path) -> Server:
    """`mlflow models serve` in this environment, with the model of a folder."""
    port = free_port()
    command = ["mlflow", "models", "serve", "--model-uri", str(model), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with_uvicorn = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return Server(command, f"http://127.0.0.1:{port}", "/ping", folder / "scoring.log", with_uvicorn)


def bare_server(folder: Path, model: Path, application: str) -> Server:
    """uvicorn with an application of `serving_peers` and the model of a folder."""
    port = free_port()
    command = ["uvicorn", f"serving_peers:{application}", "--factory", "--app-dir", str(Path(__file__).parent)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
    environment = {MODEL_FOLDER: str(model)}
    return Server(command, f"http://127.0.0.1:{port}", "/ping", folder / f"{application}.log", environment)


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2):
        return True
    return False


def until(holds: Callable[[], Any], what: str, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {within_s:g} s: {what}")
        time.sleep(0.05)


def register_two(url: str, months: Any) -> None:
    """Two versions, trained on January with different numbers of iterations; the first is champion."""
    from mlflow import MlflowClient
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from taxiway.features import raw_frame
    from taxiway.features.signature import ModelColumns
    from taxiway.models.row_model import RowModel

    client = MlflowClient(url)
    run = client.create_run(client.create_experiment(MODEL)).info.run_id
    rows = months["2013-01"]
    raw = raw_frame(rows, NUMERIC, CATEGORICAL)
    for iterations in (150, 140):
        codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        transform = ColumnTransformer([("numeric", "passthrough", NUMERIC), ("categorical", codes, CATEGORICAL)])
        fitted = make_pipeline(transform, HistGradientBoostingClassifier(max_iter=iterations, random_state=0))
        fitted.fit(raw, rows["late"])
        model = RowModel.of(fitted, ModelColumns(tuple(NUMERIC), tuple(CATEGORICAL)), CLASSES)
        register(client, run, MODEL, ModelToSave(model, rows[NUMERIC + CATEGORICAL], f"{iterations}", {}, {}))
    client.set_registered_model_alias(MODEL, "champion", "1")


def register_again(url: str, models: Sequence[str]) -> None:
    """The first version of the model under other names, each as champion."""
    from mlflow import MlflowClient

    client = MlflowClient(url)
    first = client.get_model_version(MODEL, "1")
    source = str(first.source)
    logged = source.removeprefix("models:/")
    for name in models:
        client.create_registered_model(name)
        client.create_model_version(name, source, first.run_id, tags=first.tags, model_id=logged, await_creation_for=0)
        client.set_registered_model_alias(name, "champion", "1")
