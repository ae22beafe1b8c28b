"""The owner of a pipeline on the predictions of another model is told when the champion of that model is replaced."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from stages.conftest import SCHEMA_OF_PREDICTIONS, Site

from taxiway.ledger.chain import Ledger
from taxiway.records import Outcome, Promotion
from taxiway.records.recorder import InMemoryRun
from taxiway.registry.demote import retire, rollback
from taxiway.registry.downstream import downstream_pipelines
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.scoring import rows_to_score
from taxiway.spec.source import read_source
from taxiway.stages.batch.context import RowsToScore, Scored, ScoringContext, ScoringSettings
from taxiway.stages.batch.score import score
from taxiway.stages.context import Services, StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.review import news
from taxiway.stages.runner import run_in


def score_next_span(site: Site, installation: Installation, model: str) -> None:
    ledger, services = Ledger(installation.client, installation.services.ledger_keys), Services(data=str(site.data))
    context = ScoringContext("runner.scored.predict", "dag/one", installation.store, ledger, services)
    settings = ScoringSettings(model=model, output="{data}/predictions/{SPAN}", keys=("id", "y"))
    rows = RowsToScore(read_source(rows_to_score({"spans": "{data}/{SPAN}.parquet"})))
    assert isinstance(score(context, settings, rows, retried=False), Scored)


def on_predictions(site: Site) -> Pipeline:
    (site.folder / "second.schema.yaml").write_text(SCHEMA_OF_PREDICTIONS)
    changes: dict[str, Any] = {
        "pipeline": f"{site.name}_second",
        "schema": str(site.folder / "second.schema.yaml"),
        "source": {"spans": "{data}/predictions/{SPAN}/part-*.parquet", "window": 1, "label": "y"},
        "features": {"numeric": ["probability_True"], "categorical": []},
    }
    return site.pipeline(**changes)


def told(installation: Installation, pipeline: Pipeline) -> list[tuple[str, ...]]:
    """The messages about sources that the owner of a pipeline has not had yet."""
    context = StageContext(pipeline, installation.store, InMemoryRun(), installation.client, "dag/run", installation.services)
    with news(context) as found:
        return [one.messages for one in found if one.event == "UPSTREAM"]


def test_the_owner_downstream_is_told_of_each_replaced_champion_once(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "taxiway.stages")
    first = site.pipeline()
    made = run_in(installation, first).promotion
    assert made is not None
    assert made.downstream == ()
    for _ in range(2):
        score_next_span(site, installation, first.name)
    second = on_predictions(site)
    assert run_in(installation, second).promotion is not None
    assert told(installation, second) == [], "that champion was there when the predictions were first read"
    assert downstream_pipelines(installation.client, first.name) == (second.name,)

    site.arrive(3)
    replaced = run_in(installation, first)
    assert replaced.summary is not None
    assert replaced.summary.outcome is Outcome.PROMOTED
    assert replaced.promotion is not None
    assert replaced.promotion.downstream == (second.name,)
    assert f"predictions of {first.name} are read by {second.name}; their owners are notified by their next run" in caplog.text
    reads = f"{first.name}, whose predictions {second.name} is trained on,"
    ((message, when),) = told(installation, second)
    assert message == f"{reads} has version 2 as champion; before: 1"
    assert "passed the model gate" in when
    assert told(installation, second) == [], "it is told once"
    assert told(installation, first) == [], "the model itself has no source of predictions"

    ledger = Ledger(installation.client, installation.services.ledger_keys)
    back = rollback(ledger, first.name, by="ann@host", reason="late flights are missed", at=datetime.now(UTC))
    assert back.downstream == (second.name,)
    ((message, when),) = told(installation, second)
    assert message == f"{reads} has version 1 as champion; before: 2"
    assert "by ann@host: rollback: late flights are missed" in when
    retire(ledger, first.name, by="ann@host", reason="no more flights", at=datetime.now(UTC))
    ((message, _),) = told(installation, second)
    assert message == f"{reads} has no champion any more; before: 1"


def test_a_pipeline_that_reads_predictions_no_longer_is_told_nothing(site: Site, installation: Installation) -> None:
    first, second = site.pipeline(), on_predictions(site)
    assert run_in(installation, first).promotion is not None
    for _ in range(2):
        score_next_span(site, installation, first.name)
    assert run_in(installation, second).promotion is not None
    other = site.pipeline(pipeline=f"{site.name}_second")  # on the rows themselves
    run_in(installation, other, span="2", again="it reads the rows")
    site.arrive(3)
    assert run_in(installation, first).promotion is not None
    assert told(installation, other) == []


def test_the_pipelines_in_a_promotion_do_not_change_the_digest_of_one_without_them() -> None:
    made = {"model": "m", "alias": "champion", "to_version": 1, "by": "ann", "at": "2026-01-01T00:00:00Z", "reason": "r"}
    promotion = Promotion.model_validate(made)
    assert "downstream" not in promotion.to_json()
    assert Promotion.from_json(promotion.to_json()).downstream == ()
