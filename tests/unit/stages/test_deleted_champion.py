"""A champion that somebody has deleted in MLflow: the next runs decide without it, by the rules of the pipeline, and can replace it."""

import pytest
from mlflow import MlflowClient
from stages.conftest import Site
from stages.test_actions import SGD, decision

from taxiway.ledger.chain import Ledger
from taxiway.records import Outcome, ShadowReport, Status, Verdict
from taxiway.records.recorder import InMemoryRun
from taxiway.registry.aliases import CHAMPION, PREVIOUS, version_at
from taxiway.registry.champions import model_history
from taxiway.spec.monitor.action import Action
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in
from taxiway.stages.shadow import begin_shadow

GATE = {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc", "min_improvement": -0.05}}


def deleted(site: Site, installation: Installation, pipeline: Pipeline) -> MlflowClient:
    """MLflow after the first champion was deleted there; the next span has come."""
    assert run_in(installation, pipeline).promotion is not None
    installation.client.delete_model_version(pipeline.name, "1")
    site.arrive(3)
    return installation.client


def test_the_gate_decides_about_the_next_version_without_a_deleted_champion(site: Site, installation: Installation) -> None:
    client = deleted(site, installation, site.pipeline())
    refused = run_in(installation, site.pipeline())
    assert refused.summary is not None
    assert refused.summary.outcome is Outcome.REJECTED
    (why,) = refused.summary.reasons
    for words in ("champion version 1 cannot be loaded", "version 1 was deleted in MLflow", "taxiway force", "taxiway retire"):
        assert words in why
    moved = model_history(Ledger(client), site.pipeline().name).moved
    assert "version 1, the champion according to the ledger, was deleted in MLflow" in moved

    decided = run_in(installation, site.pipeline(gate={**GATE, "champion_unscorable": "thresholds"}), span="3")
    assert decided.verdict is not None
    assert (decided.verdict.status, decided.verdict.champion) == (Status.PASS, 1)
    (said,) = [each.message for each in decided.verdict.reasons if "judged without a comparison" in each.message]
    assert "was deleted in MLflow" in said
    assert "In production" not in said, "the gateway serves the version that it has loaded"
    assert decided.promotion is not None
    assert (decided.promotion.from_version, decided.promotion.to_version) == (1, 2)
    assert [version_at(client, decided.verdict.model, alias) for alias in (CHAMPION, PREVIOUS)] == [2, None]


@pytest.mark.parametrize("action", ["warm_start", "recalibrate"])
def test_what_would_start_from_a_deleted_champion_is_trained_anew(
    site: Site, installation: Installation, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    retrain = {"min_gain": 0.001, "new_labels": 100, "actions": [action, "retrain"]}
    pipeline = site.pipeline(
        schedule="retrain",
        monitor={"log": "log", "metric": "brier", "retrain": retrain},
        model=SGD,
        gate={**GATE, "champion_unscorable": "thresholds"},
    )
    deleted(site, installation, pipeline)
    found = run_in(installation, pipeline, retraining=decision(Action.model_validate({"action": action})))
    assert found.promotion is not None
    assert found.promotion.to_version == 2
    assert "trained anew: version 1 was deleted in MLflow" in caplog.text


def test_there_is_no_shadow_of_a_deleted_champion(site: Site, installation: Installation) -> None:
    pipeline = site.pipeline(gateway="gateway", shadow={"min_requests": 100})
    deleted(site, installation, site.pipeline())
    verdict = Verdict(model=pipeline.name, version=2, champion=1, snapshot="s", evaluation="e", status=Status.PASS, reasons=())
    context = StageContext(pipeline, installation.store, InMemoryRun(), installation.client, "dag/run")
    report = begin_shadow(context, verdict)
    assert isinstance(report, ShadowReport)
    assert report.status is Status.NOT_APPLICABLE
    assert "version 1 was deleted in MLflow" in report.reasons[0].message
