from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from running import ADMIN, CALLER, register, start_gateway

from helping import until
from taxiway.cli.main import main
from taxiway.errors import ConfigError
from taxiway.serving.gateway.model_limits import read_model_limits
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.protocol import LARGEST_LIMITS, USUAL_LIMITS


def settings(path: Path, **others: object) -> GatewaySettings:
    tokens = {"caller_token": CALLER, "admin_token": ADMIN}
    content = {"tracking_uri": "http://127.0.0.1:1", "state_folder": path, **tokens, **others}
    return GatewaySettings.model_validate(content)


def limits_file(folder: Path, content: str) -> Path:
    path = folder / "limits.yaml"
    path.write_text(content)
    return path


def test_limits_that_a_model_does_not_have_are_those_of_the_gateway(tmp_path: Path) -> None:
    path = limits_file(tmp_path, "models:\n  flights.late: {queue_limit: 7, worker_memory_mib: 512}\n")
    gateway = settings(tmp_path, workers=3, model_limits=read_model_limits(path))
    late, other = gateway.of_model("flights.late"), gateway.of_model("flights.other")
    assert (late.workers, late.queue_limit, late.worker_memory_bytes) == (3, 7, 512 << 20)
    assert (other.workers, other.queue_limit, other.worker_memory_bytes) == (3, 1000, None)


def test_a_model_can_have_no_memory_limit_though_the_gateway_has_one(tmp_path: Path) -> None:
    path = limits_file(tmp_path, "models:\n  flights.late: {worker_memory_mib: null}\n")
    gateway = settings(tmp_path, worker_memory_bytes=1 << 30, model_limits=read_model_limits(path))
    assert gateway.of_model("flights.late").worker_memory_bytes is None


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("workers: yes", "limits.yaml:2: models.flights.late.workers is true; allowed: an integer"),
        ("workers: 0", "models.flights.late.workers is 0; allowed: greater than or equal to 1"),
        ("worker_memory_mib: 12", "models.flights.late.worker_memory_mib is 12; allowed: greater than or equal to 256"),
        ("predict_timeout_s: on", "predict_timeout_s is true; YAML reads it as a boolean"),
        ("queue: 3", 'allowed: predict_timeout_s, queue_limit, worker_memory_mib, workers   (did you mean "queue_limit"?)'),
    ],
)
def test_a_wrong_limit_is_named_with_what_is_allowed(tmp_path: Path, limit: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_model_limits(limits_file(tmp_path, f"models:\n  flights.late: {{{limit}}}\n"))
    assert message in str(raised.value)


def test_the_file_in_the_guide_is_valid() -> None:
    path = Path(__file__).parents[4] / "docs" / "examples" / "limits.yaml"
    assert read_model_limits(path)["flights.rebooking"].settings == {"queue_limit": 200, "predict_timeout_s": 5}


def test_serve_does_not_start_with_a_wrong_file_of_limits(tmp_path: Path) -> None:
    path = limits_file(tmp_path, "flights.late: {workers: 2}\n")
    environment = {"TAXIWAY_CALLER_TOKEN": CALLER, "TAXIWAY_ADMIN_TOKEN": ADMIN}
    command = ["serve", "--tracking-uri", "http://127.0.0.1:1", "--state", str(tmp_path), "--limits", str(path)]
    answer = CliRunner().invoke(main, command, env=environment)
    assert answer.exit_code != 0
    assert "models is missing" in answer.output


def test_the_limits_of_requests_are_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[GatewaySettings] = []
    monkeypatch.setattr("taxiway.serving.gateway.server.serve", started.append)
    environment = {"TAXIWAY_CALLER_TOKEN": CALLER, "TAXIWAY_ADMIN_TOKEN": ADMIN}
    command = ["serve", "--tracking-uri", "http://127.0.0.1:1", "--state", str(tmp_path)]
    options = ["--max-body", "16", "--max-rows", "100000", "--max-cells", "1000000", "--queue-limit", "50"]
    for more in ([], options):
        assert CliRunner().invoke(main, [*command, *more], env=environment).exit_code == 0
    assert [settings.body_limits for settings in started] == [USUAL_LIMITS, LARGEST_LIMITS]
    assert [settings.queue_limit for settings in started] == [1000, 50]
    refused = CliRunner().invoke(main, [*command, "--max-rows", "100001"], env=environment)
    assert (refused.exit_code, "1<=x<=100000" in refused.output) == (2, True)


def test_each_model_of_a_gateway_has_its_own_limits(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    small, large = register(registry, "NeedsMemoryForThree"), register(registry, "NeedsMemoryForThree")
    limits = {small: {"worker_memory_mib": 4096}, large: {"workers": 2}, "flights.misspelled": {"workers": 2}}
    running = start_gateway(mlflow_url, tmp_path / "state", models=[small, large], model_limits=limits)
    try:
        until(lambda: all(found.champion == 1 for found in running.admin.statuses()), "the champions are served")
        answer = running.ask(small, 3, token=ADMIN)
        assert (answer.status_code, "MemoryError" in answer.text) == (500, True)
        assert len(running.workers()) == 3
        limits_of = [psutil.Process(worker.pid).rlimit(psutil.RLIMIT_DATA)[0] for worker in running.workers()]
        assert sorted(limits_of)[1:] == [-1, 4096 << 20]
        assert "flights.misspelled" in (running.state / "output").read_text()
    finally:
        running.stop()
