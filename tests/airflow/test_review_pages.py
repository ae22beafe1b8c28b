"""What the pages of a real Airflow read from the pipeline's files: re-opened verdicts, the metric's chart, labels, the files, the doctor.

The tests follow one pipeline, whose first span has rows without a label, and whose training span is corrected later.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import quote

import httpx
import pandas as pd
import pytest
from conftest_airflow import Running

from helping import PATIENCE_S, until
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions
from taxiway.ledger.keys import LedgerKeys
from taxiway.lineage.outcomes import summaries
from taxiway.records import DecisionKind

DAG = "labels.rows"
PAGE = f"/taxiway/pipelines/{DAG}"
UNLABELLED = 10


def begin_early(running: Running) -> None:
    running.write_small("rows", 1, file="1-0")
    path = running.write_small("rows", 2, file="2-0")
    rows = pd.read_parquet(path)
    rows["y"] = rows["y"].astype("boolean")
    rows.loc[: UNLABELLED - 1, "y"] = pd.NA
    rows.to_parquet(path)
    running.begin(DAG)


@dataclass(frozen=True)
class Site:
    """The pages, and how people use them."""

    running: Running
    client: httpx.Client

    def get(self, path: str, user: str = "admin") -> httpx.Response:
        return self.client.get(path, headers={"Cookie": f"_token={self.running.token(user)}"})

    @property
    def run(self) -> str:
        """The page of the run that decided the span."""
        return f"{PAGE}/runs/{quote(summaries(self.running.store, DAG)[0].run, safe='')}"

    def token(self, user: str) -> str:
        found = re.search(r'name="token" value="([^"]+)"', self.get(self.run, user).raise_for_status().text)
        assert found is not None
        return found[1]

    def send(
        self, rows: pd.DataFrame, user: str = "admin", token: str | None = None, origin: str | None = None, name: str = "my.csv"
    ) -> httpx.Response:
        headers = {"Origin": self.running.stack.url("airflow") if origin is None else origin}
        if user:
            headers["Cookie"] = f"_token={self.running.token(user)}"
        fields = {
            "token": self.token("admin") if token is None else token,
            "run": summaries(self.running.store, DAG)[0].run,
        }
        file = io.BytesIO(rows.to_csv(index=False).encode())
        return self.client.post(f"{PAGE}/labels", data=fields, files={"file": (name, file)}, headers=headers)

    def imported(self) -> list[str]:
        ledger = Ledger(self.running.mlflow, LedgerKeys.parse(self.running.stack.secrets.ledger_keys))
        return [f"{made.by}: {made.reason}" for made in decisions(ledger, model=DAG) if made.kind is DecisionKind.LABELS]


@pytest.fixture
def site(running: Running) -> Iterator[Site]:
    if DAG in running.begun:
        run = running.begun.pop(DAG)
        running.wait_for_end(DAG, run)
    with httpx.Client(base_url=running.stack.url("airflow"), timeout=PATIENCE_S) as client:
        yield Site(running, client)


@pytest.fixture
def rows() -> pd.DataFrame:
    """Labels for the rows that have none."""
    return pd.DataFrame({"id": range(20_000, 20_000 + UNLABELLED), "y": True})


def test_the_page_has_the_metric_as_a_chart_with_its_threshold(site: Site) -> None:
    html = site.get(PAGE, "viewer").raise_for_status().text
    assert "<h2>roc_auc over spans</h2>" in html
    assert "threshold 0.6" in html
    assert html.count('class="point promoted"') == 1 + 1, "the point, and the legend"


def test_nobody_imports_labels_who_may_not_decide_and_nothing_but_the_form_does(site: Site, rows: pd.DataFrame) -> None:
    assert 'data-action="labels"' not in site.get(site.run, "viewer").text
    assert 'data-action="labels"' in site.get(site.run, "editor").text
    mine = site.token("admin")
    assert site.send(rows, "", mine).status_code == 401
    for user in ("viewer", "nobody"):
        assert site.send(rows, user, mine).status_code == 403, user
    for token in ("", "forged", mine[:-1], site.token("editor")):
        assert site.send(rows, token=token).status_code == 403, token
    for origin in ("", "null", "https://evil.example"):
        assert site.send(rows, origin=origin).status_code == 403, origin
    assert site.get(f"{PAGE}/labels").status_code == 405
    assert site.imported() == []


def test_labels_that_are_not_right_are_refused_as_a_whole_by_their_keys(site: Site, rows: pd.DataFrame) -> None:
    for changed, why in (
        (rows.assign(id=[7, *rows["id"][1:]]), "my.csv has 1 key that no row"),
        (pd.concat([rows, rows.head(1)]), 'has the key "20000" in more than one row'),
        (rows.assign(y="perhaps"), "do not fit the schema"),
        (rows.drop(columns="id"), "my.csv has no column id"),
        (rows.assign(why="x" * 3_000_000), "more than 16 MiB"),
    ):
        answer = site.send(changed)
        assert answer.status_code == 422, answer.text
        assert why in unescape(answer.text)
    assert site.send(rows, name="my.xlsx").status_code == 422
    assert site.imported() == []


def test_labels_are_imported_once_and_conflicts_are_named(site: Site, rows: pd.DataFrame) -> None:
    first, second = (site.send(rows) for _ in range(2))
    for answer in (first, second):
        assert answer.status_code == 200, answer.text
        assert "10 labels of admin are in the ledger." in answer.text
        assert 'data-action="again"' in answer.text
    assert site.imported() == ["admin: 10 labels of admin for span 2"]
    other = site.send(rows.assign(y=[number != 0 for number in range(UNLABELLED)]), "editor", site.token("editor"))
    assert "admin and editor agree on 9 of 10 rows" in other.text
    assert "20000 in span 2" in other.text


def test_a_correction_at_the_source_and_a_stricter_schema_reopen_the_verdict_on_the_pages(site: Site) -> None:
    site.running.write_small("rows", 1, seed=9, file="1-1")
    schema = site.running.stack.home.root.parent / "dags" / "labels" / "rows.schema.yaml"
    schema.write_text(schema.read_text().replace("min: -100, max: 100", "min: -1, max: 1"))
    for words in ("span 1 was corrected: version 1 is at the source", "the present schema finds 2 blocking anomalies"):
        for path in (PAGE, site.run, "/taxiway/"):
            until(lambda path=path, words=words: words in site.get(path, "viewer").text, f"{path}: {words}", every_s=1)
    assert DAG not in site.get("/taxiway/", "nobody").text


def test_the_files_are_shown_to_who_may_read_the_code(site: Site) -> None:
    html = site.get(f"{PAGE}/files", "viewer").raise_for_status().text
    assert "labels/rows.pipeline.yaml" in html
    assert "unlabelled: drop" in html
    assert "schema version " in html
    assert "secret" not in html
    assert site.get(f"{PAGE}/files", "nobody").status_code == 403
    assert site.client.get(f"{PAGE}/files").status_code == 401
    assert site.get("/taxiway/pipelines/no_such_dag/files").status_code == 404


def test_the_doctor_is_for_admins(site: Site) -> None:
    html = site.get("/taxiway/doctor").raise_for_status().text
    for words in ("can be written and read", "answers and serves", "all signed", "pipeline files"):
        assert words in html, words
    assert site.running.stack.secrets.gateway_admin_token not in html
    assert 'href="/taxiway/doctor"' in site.get("/taxiway/").text
    for user in ("editor", "viewer", "nobody"):
        assert site.get("/taxiway/doctor", user).status_code == 403, user
        assert 'href="/taxiway/doctor"' not in site.get("/taxiway/", user).text
    assert site.client.get("/taxiway/doctor").status_code == 401
