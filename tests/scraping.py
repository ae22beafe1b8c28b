"""A real Prometheus that scrapes a gateway."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import yaml

from helping import PATIENCE_S, free_port, require, until


def scraped(folder: Path, url: str, token: str, query: str) -> list[Any]:
    """The result of a PromQL query, as soon as there is one, of a Prometheus that scrapes a gateway."""
    require("prometheus", shutil.which("prometheus") is not None, "Prometheus is not installed")
    (folder / "token").write_text(token)
    scrape: dict[str, Any] = {"job_name": "taxiway", "scrape_interval": "1s"}
    scrape |= {"authorization": {"credentials_file": str(folder / "token")}}
    scrape |= {"static_configs": [{"targets": [url.removeprefix("http://")]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
    address, output = f"127.0.0.1:{free_port()}", folder / "output"
    options = (f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}")
    with output.open("wb") as file:
        process = subprocess.Popen(["prometheus", *options, f"--web.listen-address={address}"], stdout=file, stderr=file)

    def answered() -> Any:
        assert process.poll() is None, output.read_text()
        try:
            return httpx.get(f"http://{address}/api/v1/query", params={"query": query}).json()["data"]["result"]
        except (httpx.TransportError, KeyError, ValueError):
            return None

    try:
        found: list[Any] = until(answered, "Prometheus has scraped the gateway", progress=lambda: output.stat().st_size)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
    return found
