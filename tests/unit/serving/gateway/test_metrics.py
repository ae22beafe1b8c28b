"""The metrics of a gateway, read by a real Prometheus where there is one."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import yaml
from mlflow import MlflowClient
from prometheus_client.parser import text_string_to_metric_families
from running import ADMIN, CALLER, Running, register, start_gateway

from helping import PATIENCE_S, require, until
from scraping import scraped

DEPLOY = Path(__file__).parents[4] / "deploy"


def promtool(*arguments: str, text: str | None = None) -> str:
    require("prometheus", shutil.which("promtool") is not None, "promtool is not installed")
    ran = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_configuration_and_alert_rules_are_valid(tmp_path: Path) -> None:
    for file in ("prometheus.yml", "prometheus-alerts.yml"):
        shutil.copy(DEPLOY / file, tmp_path)
    for token in ("taxiway-token", "taxiway-metrics-token"):
        (tmp_path / token).write_text("token")
    config = tmp_path / "prometheus.yml"
    config.write_text(config.read_text().replace("/etc/prometheus/", f"{tmp_path}/"))
    promtool("check", "config", str(config))
    assert "12 rules found" in promtool("check", "rules", str(tmp_path / "prometheus-alerts.yml"))


def test_rules_and_the_dashboard_name_metrics_that_exist(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy")
    gateway.admin.refresh(model)
    gateway.ask(model, 0.5)
    text = gateway.http.get(f"{gateway.url}/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    rules = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text())["groups"][0]["rules"]
    panels = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    expressions = [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]
    named = {metric for expression in expressions for metric in re.findall(r"\btaxiway_\w+", expression)}
    assert len(named) > 10
    for metric in named:
        family = re.sub("_(bucket|sum|count)$", "", metric)
        assert f"# TYPE {family} " in text or f"# TYPE {family.removesuffix('_total')}_total " in text, metric
    promtool("check", "metrics", text=text)


def test_prometheus_scrapes_a_gateway(gateway: Running, registry: MlflowClient, tmp_path: Path) -> None:
    model = register(registry, "Healthy")
    gateway.admin.refresh(model)
    for _ in range(3):
        gateway.ask(model, 0.5)
    (result,) = scraped(tmp_path, gateway.url, ADMIN, f'taxiway_requests_total{{model="{model}"}}')
    assert (result["metric"]["caller"], result["metric"]["status"], result["value"][1]) == ("caller", "200", "3")


def test_what_happens_to_requests_is_counted(mlflow_url: str, registry: MlflowClient, tmp_path: Path) -> None:
    model = register(registry, "Healthy", "Healthy")
    gateway = start_gateway(mlflow_url, tmp_path, models=[model], max_body_bytes=1024)

    def metric(name: str, **labels: str) -> float:
        text = gateway.http.get(f"{gateway.url}/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == f"taxiway_{name}" and labels.items() <= sample.labels.items():
                    return sample.value
        return 0.0

    try:
        until(lambda: gateway.ask(model, 0.5).status_code == 200, "the champion answers")
        before = metric("predict_rows_sum", model=model)
        gateway.ask(model, 0.5, 0.25)
        assert metric("predict_rows_sum", model=model) == before + 2
        assert metric("predict_seconds_count", model=model, version="1") >= 2
        gateway.admin.put_challenger(model, 2, "run-1", 600)
        gateway.ask(model, 0.5)
        assert metric("mirrored_requests_total", model=model, outcome="queued") == 1
        gateway.ask(model, 0.5, token="no token")
        gateway.ask(model, *range(500))
        gateway.http.get(f"{gateway.url}/models/{model}/challenger", headers={"Authorization": f"Bearer {CALLER}"})
        assert [metric("requests_refused_total", reason=reason) for reason in ("token", "size", "scope")] == [1, 1, 1]
        assert metric("log_not_rolled_requests") >= 3
        assert metric("log_uncommitted_requests") == 0
        assert metric("worker_restarts_total", model=model) == 0
        for worker in gateway.workers():
            worker.kill()
        until(lambda: metric("worker_restarts_total", model=model) == 1, "a restart is counted")
    finally:
        gateway.stop()
