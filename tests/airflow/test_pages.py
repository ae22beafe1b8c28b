"""The pages of a real Airflow: who may see what, what they say, how many requests they cost, and what is left without MLflow."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from conftest_airflow import Played, Running

from helping import PATIENCE_S
from taxiway.demo.people import LABELLED
from taxiway.demo.scenarios import PIPELINE
from taxiway.lineage.outcomes import summaries
from taxiway.registry.aliases import CHAMPION, version_at


@pytest.fixture
def airflow(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.stack.url("airflow"), timeout=PATIENCE_S) as client:
        yield client


def as_user(running: Running, user: str) -> dict[str, str]:
    return {"Cookie": f"_token={running.token(user)}"}


def run_address(running: Running, number: int) -> str:
    return f"/taxiway/pipelines/{PIPELINE}/runs/{quote(summaries(running.store, PIPELINE)[number].run, safe='')}"


def test_a_stranger_sees_nothing(airflow: httpx.Client, running: Running, played: Played) -> None:
    for path in ("/taxiway/", f"/taxiway/pipelines/{PIPELINE}", run_address(running, 1), "/taxiway/static/page.css"):
        assert airflow.get(path).status_code == 401, path
        assert airflow.get(path, headers={"Authorization": "Bearer no.such.token"}).status_code == 403, path
    assert airflow.get("/taxiway/openapi.json").status_code == 404


@pytest.mark.parametrize("user", ["admin", "viewer"])
def test_who_may_read_the_dag_sees_its_pipeline(airflow: httpx.Client, running: Running, played: Played, user: str) -> None:
    headers = as_user(running, user)
    html = airflow.get("/taxiway/", headers=headers).raise_for_status().text
    champion = version_at(running.mlflow, PIPELINE, CHAMPION)
    assert PIPELINE in html
    assert f"<b>{champion}</b>" in html
    for words in ("What needs a person", "since 2", "roc_auc", ">blocked<", 'data-label="Owner"'):
        assert words in html, words


def test_a_run_of_the_command_has_a_page_too(airflow: httpx.Client, running: Running, played: Played) -> None:
    headers = as_user(running, "admin")
    html = airflow.get(f"/taxiway/pipelines/{LABELLED}", headers=headers).raise_for_status().text
    for words in ("rollback", "300 labels of Ada", "roc_auc over spans", "attempt 2"):
        assert words in html, words
    address = f"/taxiway/pipelines/{LABELLED}/runs/{quote(summaries(running.store, LABELLED)[-1].run, safe='')}"
    assert address in html
    html = airflow.get(address, headers=headers).raise_for_status().text
    for words in ("Airflow does not have this run", "550 evaluation rows", "imported 300 labels of Ada"):
        assert words in html, words
    assert airflow.get(f"{address}x", headers=headers).status_code == 404


def test_the_filter_is_in_the_address(airflow: httpx.Client, running: Running, played: Played) -> None:
    headers, line = as_user(running, "viewer"), f'data-pipeline="{PIPELINE}"'
    for query, found in (
        ("q=LATE", True),
        ("q=nothing+like+it", False),
        ("state=blocked", True),
        ("state=running&q=late", False),
    ):
        html = airflow.get(f"/taxiway/?{query}", headers=headers).raise_for_status().text
        assert (line in html) is found, query
    for strange in ("page=0", "page=-1", "page=x", "page=9999999999999999999999", "page=9"):
        airflow.get(f"/taxiway/?{strange}", headers=headers).raise_for_status()


def test_who_may_read_no_dag_sees_none(airflow: httpx.Client, running: Running, played: Played) -> None:
    headers = as_user(running, "nobody")
    html = airflow.get("/taxiway/", headers=headers).raise_for_status().text
    assert "no pipelines that you may read" in html
    assert PIPELINE not in html
    for path in (f"/taxiway/pipelines/{PIPELINE}", run_address(running, 1)):
        assert airflow.get(path, headers=headers).status_code == 403, path


def test_a_run_shows_every_record_it_made(airflow: httpx.Client, running: Running, played: Played) -> None:
    html = airflow.get(run_address(running, 1), headers=as_user(running, "viewer")).raise_for_status().text
    for title in ("Verdict", "Evaluation", "Shadow", "Promotion", "Data report", "Snapshot", "Candidate, version 2"):
        assert f"<h2>{title}" in html, title
    for span in summaries(running.store, PIPELINE)[1].span, summaries(running.store, PIPELINE)[0].span:
        assert span.content in html
    assert "carrier <b>UA</b>" in html
    assert html.count('class="picture') > 10
    assert "compared with the linear model" in html


def test_a_blocked_run_shows_its_anomalies_and_no_verdict(airflow: httpx.Client, running: Running, played: Played) -> None:
    html = airflow.get(run_address(running, 2), headers=as_user(running, "viewer")).raise_for_status().text
    for words in ("stopped at validate data", "MLflow run", "DAG run"):
        assert words in html, words
    assert "features.wind_speed.range" in html
    assert "<h2>Verdict" not in html


def test_what_is_not_a_pipeline_or_not_a_run_is_a_sentence(airflow: httpx.Client, running: Running, played: Played) -> None:
    headers = as_user(running, "admin")
    for path in (f"/taxiway/pipelines/{PIPELINE}/runs/none", "/taxiway/pipelines/no_such_dag", "/taxiway/pipelines/~/runs/x"):
        answer = airflow.get(path, headers=headers)
        assert answer.status_code == 404, path
        assert "is not a Taxiway pipeline" in answer.text


def test_pages_forbid_what_they_do_not_need(airflow: httpx.Client, running: Running, played: Played) -> None:
    answer = airflow.get("/taxiway/", headers=as_user(running, "viewer"))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    addresses = re.findall(r'(?:src|<link rel="stylesheet" href)="([^"]+)"', answer.text)
    assert len(addresses) == 2
    for address in addresses:
        assert address.startswith("/taxiway/static/")
        airflow.get(address, headers=as_user(running, "viewer")).raise_for_status()


def test_the_history_is_the_ledger(airflow: httpx.Client, running: Running, played: Played) -> None:
    from taxiway.ledger.promotions import entries

    html = airflow.get(f"/taxiway/pipelines/{PIPELINE}", headers=as_user(running, "viewer")).raise_for_status().text
    for entry in entries(running.mlflow, PIPELINE):
        assert f"{entry.promotion.from_version or 'none'} → {entry.promotion.to_version}" in html
    assert all(summary.span.label in html for summary in summaries(running.store, PIPELINE))


def test_without_mlflow_the_rest_is_shown_and_said(airflow: httpx.Client, running: Running, played: Played) -> None:
    headers = as_user(running, "viewer")
    running.refusals.left["default"] = 10**6
    try:
        answers = [airflow.get(path, headers=headers) for path in ("/taxiway/", f"/taxiway/pipelines/{PIPELINE}")]
        whole = airflow.get(run_address(running, 1), headers=headers)
    finally:
        running.refusals.left["default"] = 0
    for answer in answers:
        assert answer.status_code == 503
        assert "does not answer, so champions and promotions are not shown" in answer.text
        assert "2013-06" in answer.text
        assert "blocked" in answer.text
    assert whole.status_code == 200
    assert "<h2>Verdict" in whole.text
    assert "so costs and findings about the training are not shown" in whole.text


def test_a_page_costs_mlflow_a_handful_of_requests(airflow: httpx.Client, running: Running, played: Played) -> None:
    headers = as_user(running, "viewer")
    for path, most in (("/taxiway/", 7), (f"/taxiway/pipelines/{PIPELINE}", 9), (run_address(running, 1), 8)):
        before = running.refusals.left["default"]
        airflow.get(path, headers=headers).raise_for_status()
        assert before - running.refusals.left["default"] <= most, path
