"""The log on stderr: a line for each request, as text or JSON, without tokens."""

import json
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from running import ADMIN, CALLER, register, start_gateway

from helping import until


def test_each_request_is_a_json_object(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    model = register(registry, "Healthy")
    gateway = start_gateway(mlflow_url, tmp_path, models=[model], log_format="json", access_log=True)
    try:
        until(lambda: gateway.ask(model, 0.5).status_code == 200, "the champion answers")
        request_id = gateway.ask(model, 0.5).headers["X-Taxiway-Request-Id"]
        gateway.post(model, {"instances": 1})
    finally:
        gateway.stop()
    text = (tmp_path / "output").read_text()
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    answered, refused = [line for line in lines if line["logger"] == "taxiway.access"][-2:]
    assert answered["message"].startswith(f"{model}: 200 for caller in ")
    assert {name: answered[name] for name in ("request_id", "model", "version", "caller", "status")} == {
        "request_id": request_id,
        "model": model,
        "version": 1,
        "caller": "caller",
        "status": 200,
    }
    assert answered["ms"] > 0
    assert (refused["status"], refused["request_id"], refused["version"]) == (400, None, None)
    assert CALLER not in text
    assert ADMIN not in text
