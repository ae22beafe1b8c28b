"""What people do on the pages of a real Airflow: once however often it is sent, by who may, and from a page that they were shown.

The tests follow one pipeline: a version is approved, one is rejected, forced and rolled back, an anomaly is waived, the model is retired.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

import httpx
import pytest
from conftest_airflow import Running

from helping import PATIENCE_S
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions
from taxiway.ledger.keys import LedgerKeys
from taxiway.ledger.promotions import entries
from taxiway.ledger.verify import verify
from taxiway.lineage.outcomes import summaries
from taxiway.records import DataReport, Decision, DecisionKind, Outcome
from taxiway.registry.aliases import CHAMPION, version_at

DAG = "faults.acted"
PAGE = f"/taxiway/pipelines/{DAG}"
ACTIONS = ("run", "again", "approve", "reject", "waive", "acknowledge", "force", "rollback", "retire")


def begin_early(running: Running) -> None:
    for span in (1, 2):
        running.write_small("acted", span)
    running.begin(DAG)


@dataclass(frozen=True)
class Site:
    """The pages, and how people use them."""

    running: Running
    client: httpx.Client

    def get(self, path: str, user: str) -> httpx.Response:
        return self.client.get(path, headers={"Cookie": f"_token={self.running.token(user)}"})

    def token(self, user: str) -> str:
        """The token of the forms on the page of the pipeline."""
        found = re.search(r'name="token" value="([^"]+)"', self.get(PAGE, user).raise_for_status().text)
        assert found is not None
        return found[1]

    def post(self, action: str, user: str, token: str, *, origin: str | None = None, **fields: str) -> httpx.Response:
        headers = {"Origin": origin if origin is not None else self.running.stack.url("airflow")}
        if user:
            headers["Cookie"] = f"_token={self.running.token(user)}"
        return self.client.post(f"{PAGE}/{action}", data={"token": token, **fields}, headers=headers)

    def twice(self, action: str, **fields: str) -> str:
        """Send a form as admin, two times, as a double click does; the page that both lead to."""
        token = self.token("admin")
        first, second = (self.post(action, "admin", token, **fields) for _ in range(2))
        assert (first.status_code, second.status_code) == (303, 303), (first.text, second.text)
        assert first.headers["Location"] == second.headers["Location"]
        return str(first.headers["Location"])

    def started(self, action: str, **fields: str) -> str:
        """Start a run by a form; its id."""
        found = re.search(r"/runs/([^?]+)\?done=", self.twice(action, **fields))
        assert found is not None
        return unquote(found[1])

    def asked(self, run: str) -> None:
        """Wait until a run asks for an approval."""
        self.running.wait_for_question(DAG, run)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.running.mlflow, LedgerKeys.parse(self.running.stack.secrets.ledger_keys))

    def decided(self, kind: DecisionKind) -> list[Decision]:
        return [made for made in decisions(self.ledger, model=DAG) if made.kind is kind]


@pytest.fixture
def site(running: Running) -> Iterator[Site]:
    with httpx.Client(base_url=running.stack.url("airflow"), timeout=PATIENCE_S) as client:
        yield Site(running, client)


def test_nobody_acts_who_may_not_and_nothing_but_a_form_acts(site: Site) -> None:
    run = site.running.begun[DAG]
    site.asked(run)
    viewed = site.get(PAGE, "viewer").raise_for_status().text
    assert "<form" not in viewed
    assert "Waits for a person" in viewed
    mine, fields = site.token("admin"), {"reason": "x", "run": run, "version": "1", "span": "2"}
    for action in ACTIONS:
        assert site.post(action, "", mine, **fields).status_code == 401, action
        for user in ("viewer", "nobody"):
            assert site.post(action, user, mine, **fields).status_code == 403, (action, user)
        for token in ("", "forged", mine[:-1]):
            assert site.post(action, "admin", token, **fields).status_code == 403, (action, token)
        for origin in ("", "null", "https://evil.example"):
            assert site.post(action, "admin", mine, origin=origin, **fields).status_code == 403, (action, origin)
        assert site.post(action, "admin", mine, **{**fields, "reason": " "}).status_code == 422, action
        assert site.get(f"{PAGE}/{action}", "admin").status_code == 405, action
    edited = site.get(PAGE, "editor").text
    assert 'data-action="retire"' not in edited, "there is no champion"
    assert 'data-action="run"' in edited
    assert 'data-action="approve"' not in edited
    for action in ("approve", "reject", "force"):
        answer = site.post(action, "editor", site.token("editor"), **fields)
        assert answer.status_code == 403, action
        assert "allowed: admin" in answer.text, action
    assert decisions(site.ledger, model=DAG) == ()
    assert len(site.running.api._get(f"/dags/{DAG}/dagRuns")["dag_runs"]) == 1


def test_an_approval_is_in_the_ledger_once_and_the_run_goes_on(site: Site) -> None:
    run = site.running.begun.pop(DAG)
    assert "Push faults.acted version 1" in site.get("/taxiway/", "viewer").text
    where = site.twice("approve", run=run, reason="the numbers  are\ngood")
    assert "Your approval is in the ledger" in site.get(where, "admin").text
    site.running.wait_for_end(DAG, run)
    assert version_at(site.running.mlflow, DAG, CHAMPION) == 1
    (made,) = site.decided(DecisionKind.APPROVAL)
    assert (made.by, made.via, made.reason) == ("admin", "airflow", "the numbers are good")
    late = site.post("reject", "admin", site.token("admin"), run=run, reason="no, wait")
    assert late.status_code == 409
    assert "admin has given the approval: the numbers are good" in late.text
    assert "the numbers are good" in site.get(PAGE, "viewer").text


def test_a_run_is_started_once_and_its_version_rejected(site: Site) -> None:
    site.running.write_small("acted", 3)
    run = site.started("run", reason="the month is complete")
    assert len(site.running.api._get(f"/dags/{DAG}/dagRuns")["dag_runs"]) == 2
    site.asked(run)
    site.twice("reject", run=run, reason="the label has changed its meaning")
    site.running.wait_for_end(DAG, run)
    assert version_at(site.running.mlflow, DAG, CHAMPION) == 1
    assert summaries(site.running.store, DAG)[-1].reasons == ("rejected by admin: the label has changed its meaning",)


def test_who_forced_a_champion_is_named_on_every_page_until_it_is_rolled_back(site: Site) -> None:
    run = quote(summaries(site.running.store, DAG)[-1].run, safe="")
    pages = ("/taxiway/", PAGE, f"{PAGE}/runs/{run}")
    site.twice("force", version="2", reason="the meaning was always meant so")
    assert version_at(site.running.mlflow, DAG, CHAMPION) == 2
    for page in pages:
        html = site.get(page, "viewer").text
        assert "the meaning was always meant so" in html, page
        assert "admin forced it" in html, page
    before = len(entries(site.running.mlflow, DAG))
    site.twice("rollback", version="1", reason="it was not")
    assert version_at(site.running.mlflow, DAG, CHAMPION) == 1
    assert len(entries(site.running.mlflow, DAG)) == before + 1
    assert not [page for page in pages if "admin forced it" in site.get(page, "viewer").text]
    unknown = site.post("rollback", "admin", site.token("admin"), version="7", reason="x")
    assert unknown.status_code == 409
    assert "never was the champion; allowed: 2" in unknown.text


def test_an_anomaly_is_waived_and_its_span_decided_again(site: Site) -> None:
    import pandas as pd

    path = site.running.write_small("acted", 4)
    rows = pd.read_parquet(path)
    rows.loc[0, "a"] = 1000.0
    rows.to_parquet(path)
    run = site.started("run", reason="the next month")
    site.running.wait_for_end(DAG, run)
    blocked = summaries(site.running.store, DAG)[-1]
    assert blocked.outcome is Outcome.BLOCKED
    page = f"{PAGE}/runs/{quote(run, safe='')}"
    assert "BLOCKED" in site.get("/taxiway/", "viewer").text.upper()
    report = re.search(r'name="report" value="([0-9a-f]{32})"', site.get(page, "admin").text)
    assert report is not None
    assert site.running.store.get(DataReport, report[1]).blocking
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    fields = {"run": run, "report": report[1], "anomaly": "range:a", "until": today, "reason": "a new scale"}
    for changed, words in (({"until": "2020-01-01"}, "in the past"), ({"anomaly": "range:b"}, "has no anomaly range:b")):
        refused = site.post("waive", "admin", site.token("admin"), **{**fields, **changed})
        assert refused.status_code == 409
        assert words in refused.text
    assert site.post("waive", "admin", site.token("admin"), **{**fields, "until": "soon"}).status_code == 422
    assert site.twice("waive", **fields).startswith(page)
    assert len(site.decided(DecisionKind.WAIVER)) == 1
    assert "a new scale" in site.get(page, "viewer").text
    assert "range in a" in site.get("/taxiway/", "viewer").text, "a waiver that ends within a week is on the first page"
    again = site.started("again", span="4", reason="the scale is waived")
    site.asked(again)
    site.twice("reject", run=again, reason="too few rows")
    site.running.wait_for_end(DAG, again)
    decided = summaries(site.running.store, DAG)[-1]
    assert (decided.outcome, decided.attempt, decided.again) == (Outcome.REJECTED, 2, "the scale is waived")
    assert "attempt 2" in site.get(PAGE, "viewer").text
    assert "This decision does not stand any more" in site.get(page, "viewer").text


def test_a_retired_model_says_so(site: Site) -> None:
    site.twice("retire", reason="replaced by a rule")
    assert version_at(site.running.mlflow, DAG, CHAMPION) is None
    for page in ("/taxiway/", PAGE):
        html = site.get(page, "viewer").text
        assert "retired" in html.lower(), page
        assert "replaced by a rule" in html, page
    assert verify(site.ledger).problems == ()
