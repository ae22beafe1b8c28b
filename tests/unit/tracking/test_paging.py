"""Searches that MLflow answers page by page: nothing is cut off after the first page."""

import uuid
from typing import Any

import pytest
from mlflow import MlflowClient

from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import State
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.lineage.queries import data_uses
from taxiway.records import Promotion, Span
from taxiway.tracking.paging import all_pages
from taxiway.tracking.run import MlflowRun

RUNS = 5

KEYS = LedgerKeys((new_key(),))


class SmallPages(MlflowClient):
    """A client that never gets more than two results at once, as the real one never gets more than a thousand."""

    def search_runs(self, *arguments: Any, **options: Any) -> Any:
        return super().search_runs(*arguments, **{**options, "max_results": 2})

    def search_experiments(self, *arguments: Any, **options: Any) -> Any:
        return super().search_experiments(*arguments, **{**options, "max_results": 2})


@pytest.fixture
def client(mlflow_url: str) -> SmallPages:
    return SmallPages(mlflow_url)


def test_every_page_is_read(client: SmallPages) -> None:
    experiment = client.create_experiment(f"pages/{uuid.uuid4().hex}")
    made = {client.create_run(experiment).info.run_id for _ in range(RUNS)}
    found = list(all_pages(lambda token: client.search_runs([experiment], page_token=token)))
    assert (len(found), {run.info.run_id for run in found}) == (RUNS, made)


def test_the_lineage_of_data_names_every_run_that_read_them(client: SmallPages) -> None:
    name, content = f"pages/{uuid.uuid4().hex}", uuid.uuid4().hex
    span = Span(source="s", name="2013-04", rows=1, content=content)
    for number in range(RUNS):
        MlflowRun.find_or_make(client, name, f"dag/{number}", {}).datasets((span,), "training")
    assert len(data_uses(client, content)) == RUNS


def test_the_ledger_is_read_whole_by_model_key_and_state(client: SmallPages) -> None:
    model = f"pages.m{uuid.uuid4().hex[:8]}"
    for version in range(1, RUNS + 1):
        promotion = Promotion(model=model, alias="champion", to_version=version, by="t", at="2026-01-01T00:00:00Z", reason="r")  # type: ignore[arg-type]
        entry = promotions.open_entry(Ledger(client, KEYS), f"key {version}", promotion, promotions.entries(client, model))
        promotions.close(
            client, promotions.decide(Ledger(client, KEYS), entry, State.MOVING if version % 2 else State.WITHDRAWN)
        )
    versions = [entry.promotion.to_version for entry in promotions.entries(client, model)]
    assert versions == [5, 4, 3, 2, 1]
    assert [entry.promotion.to_version for entry in promotions.entries(client, model, state=State.DONE)] == [5, 3, 1]
    assert [entry.promotion.to_version for entry in promotions.entries(client, model, key="key 2")] == [2]
    assert [entry.promotion.to_version for entry in promotions.entries(client, model, limit=3)] == [5, 4, 3]
