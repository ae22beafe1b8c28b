"""Labels as callers send them to a gateway, and as its files have them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import httpx
from click.testing import CliRunner, Result
from running import ADMIN, Running

from taxiway.cli.main import main
from taxiway.serving.gateway.rolling.roll import roll


def send(gateway: Running, model: str, labels: Any, **headers: str) -> httpx.Response:
    body = labels if isinstance(labels, bytes) else json.dumps({"labels": labels}).encode()
    headers = {"Authorization": f"Bearer {ADMIN}", **headers}
    return gateway.http.post(f"{gateway.url}/models/{model}/feedback", content=body, headers=headers)


def send_file(gateway: Running, model: str, file: Path, *options: str) -> Result:
    """What `taxiway label send` answers."""
    environment = {"TAXIWAY_GATEWAY": gateway.url, "TAXIWAY_GATEWAY_TOKEN": ADMIN}
    return CliRunner().invoke(main, ["label", "send", model, str(file), *options], env=environment)


def counts(answer: httpx.Response) -> tuple[int, int, int, list[int]]:
    content = answer.json()
    return content["recorded"], content["corrected"], content["unchanged"], [each["index"] for each in content["refused"]]


def asked(gateway: Running, model: str, **inputs: Any) -> str:
    answer = gateway.post(model, {"dataframe_records": [{"x": 0.5, **inputs}]})
    return answer.headers["X-Taxiway-Request-Id"]


def stored(gateway: Running, model: str) -> list[tuple[Any, ...]]:
    roll(gateway.state)
    files = f"{gateway.state}/log/labels/model={model}/*/*.parquet"
    return duckdb.sql(f"SELECT request_id, row, label, label_value, caller FROM '{files}' ORDER BY labelled_at, seq").fetchall()


def csv_of(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
