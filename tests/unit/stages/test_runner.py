"""The local runner: whole pipelines in this process, with every outcome."""

import logging
from dataclasses import replace

import pytest
from stages.conftest import Site
from stages.seen import SOURCE, Seen, mlflow_status

from taxiway.errors import ConfigError
from taxiway.lineage.outcomes import processed_spans, summaries
from taxiway.records import Evaluation, Outcome, Status
from taxiway.records.recorder import InMemoryRun
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.stages.context import StageContext, no_connection
from taxiway.stages.ingest import ingest, plan_ingest
from taxiway.stages.installation import Installation, Sharing
from taxiway.stages.runner import STAGES, run_in
from taxiway.stages.transform import transform
from taxiway.stages.validate_data import validate_data


def test_spans_are_decided_one_after_another(site: Site, installation: Installation) -> None:
    pipeline, seen = site.pipeline(), Seen()
    first = run_in(installation, pipeline, watcher=seen)
    assert first.summary is not None
    assert (first.summary.outcome, first.summary.span.name, first.summary.version) == (Outcome.FIRST_CHAMPION, "2", 1)
    assert seen.stages == [stage for stage in STAGES if stage not in ("tune", "approval")]
    assert None not in (first.snapshot, first.report, first.features, first.candidate, first.verdict, first.shadow)
    assert (first.promotion, first.unread) != (None, ())
    assert version_at(installation.client, pipeline.name, CHAMPION) == 1

    site.arrive(3)
    second = run_in(installation, pipeline)
    assert second.summary is not None
    assert (second.summary.outcome, second.summary.span.name) == (Outcome.PROMOTED, "3")
    assert summaries(installation.store, pipeline.name) == (first.summary, second.summary)
    assert mlflow_status(installation, pipeline) == ["FINISHED", "FINISHED"]

    again = run_in(installation, pipeline, watcher=seen)
    assert again.snapshot is None
    assert "every span that has 1 span before it has already been processed" in seen.reasons[-1]


def test_a_candidate_is_compared_with_simple_models_once(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    """A retry finds the same records, although times differ from run to run."""
    caplog.set_level(logging.INFO, "taxiway.stages")
    pipeline = site.pipeline(model={"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "params": {"max_iter": 5}})
    first, again = (run_in(installation, pipeline, until="validate_model") for _ in range(2))
    assert first.verdict is not None
    assert first.verdict == again.verdict
    assert [one.status for one in first.verdict.reasons if " of the linear model and 0." in one.message] == [Status.INFO]
    evaluation = installation.store.get(Evaluation, first.verdict.evaluation)
    assert [one.name for one in evaluation.baselines] == ["linear", "dummy"]
    assert len(installation.store.list_refs("cache/baseline")) == 2
    assert first.candidate is not None
    experiment = installation.client.get_experiment_by_name(pipeline.experiment)
    assert experiment is not None
    data = installation.client.search_runs([experiment.experiment_id])[-1].data
    oldest = data.metrics
    assert "times larger (" in data.tags["taxiway.costs"]
    assert f"INFO: {data.tags['taxiway.costs']}" in caplog.text, "below the reasons of the verdict, but not one of them"
    version = installation.client.get_model_version(first.candidate.model, str(first.candidate.version))
    assert oldest["model.bytes"] == int(version.tags["taxiway.model_bytes"]) > 1_000
    assert oldest["baseline.linear.roc_auc"] == evaluation.baselines[0].score.value
    costs = {f"train.{name}" for name in ("seconds", "cpu_seconds", "energy_wh", "peak_memory_mb")}
    assert all(
        oldest[name] > 0
        for name in (*costs, "predict.ms_per_row", "baseline.linear.predict_ms_per_row", "baseline.linear.model_bytes")
    )
    assert oldest["train.energy_wh"] == pytest.approx(oldest["train.cpu_seconds"] * 12 / 3600)


def test_data_that_do_not_pass_end_the_run_before_anything_is_trained(site: Site, installation: Installation) -> None:
    site.arrive(2, scale=1000)
    pipeline, seen = site.pipeline(), Seen()
    found = run_in(installation, pipeline, watcher=seen)
    assert found.summary is not None
    assert (found.summary.outcome, found.candidate) == (Outcome.BLOCKED, None)
    assert seen.stages == ["ingest", "validate_data"]
    assert "a in span 2 is outside -100 to 100" in seen.failures[0]
    assert mlflow_status(installation, pipeline) == ["FAILED"]
    assert processed_spans(installation.store, pipeline.name) == {("2", 0)}


def test_a_model_that_learned_nothing_is_rejected_by_the_gate(site: Site, installation: Installation) -> None:
    site.arrive(1, signal=0)
    site.arrive(2, signal=0)
    found = run_in(installation, site.pipeline())
    assert found.summary is not None
    assert found.verdict is not None
    assert (found.summary.outcome, found.verdict.status, found.promotion) == (Outcome.REJECTED, Status.FAIL, None)
    assert version_at(installation.client, found.verdict.model, CHAMPION) is None


def test_a_run_of_some_stages_leaves_the_span_due(site: Site, installation: Installation) -> None:
    pipeline, seen = site.pipeline(), Seen()
    found = run_in(installation, pipeline, until="validate_data", watcher=seen)
    assert (found.summary, found.features) == (None, None)
    assert found.report is not None
    assert seen.stages == ["ingest", "validate_data"]
    assert processed_spans(installation.store, pipeline.name) == frozenset()
    assert mlflow_status(installation, pipeline) == ["FINISHED"]
    assert run_in(installation, pipeline).summary is not None


def test_a_stage_that_a_pipeline_does_not_have_is_refused(site: Site, installation: Installation) -> None:
    for until in ("tune", "trian"):
        with pytest.raises(ConfigError, match=r"allowed: ingest, push, .*train") as caught:
            run_in(installation, site.pipeline(), until=until)
        assert (caught.value.key, caught.value.got) == ("until", until)


def test_a_span_by_its_name_is_decided_again(site: Site, installation: Installation) -> None:
    pipeline, seen = site.pipeline(), Seen()
    first = run_in(installation, pipeline)
    again = run_in(installation, pipeline, span="2", watcher=seen)
    assert again.candidate == first.candidate, "the model is found, not trained again"
    assert "version 1 is already the champion" in seen.reasons[-1]
    assert summaries(installation.store, pipeline.name) == (first.summary,), "the reasons of the first run are kept"


def test_a_shared_registry_gets_no_champion_that_was_not_shadowed(site: Site, installation: Installation) -> None:
    pipeline, seen = site.pipeline(gateway="gateway", shadow={"min_requests": 100}), Seen()
    assert run_in(installation, pipeline).summary is not None
    site.arrive(3)
    shared = replace(installation, sharing=Sharing.ALL)
    found = run_in(shared, pipeline, watcher=seen)
    assert (found.shadow, found.promotion, found.summary) == (None, None, None)
    assert "the shadow needs live requests, which a local run does not have" in seen.reasons[-1]
    assert ("3", 0) not in processed_spans(shared.store, pipeline.name)
    assert version_at(shared.client, pipeline.name, CHAMPION) == 1

    without = site.pipeline(source={**SOURCE, "window": 1})
    assert without.shadow is None
    pushed = run_in(shared, without)
    assert pushed.summary is not None
    assert pushed.summary.outcome is Outcome.PROMOTED, "a pipeline that asks for no shadow needs none"

    site.arrive(4)
    private = run_in(installation, pipeline)
    assert private.shadow is not None
    assert (private.shadow.status, private.summary and private.summary.outcome) == (Status.NOT_APPLICABLE, Outcome.PROMOTED)


def test_a_shared_registry_gets_no_champion_whose_records_are_here_alone(site: Site, installation: Installation) -> None:
    seen = Seen()
    found = run_in(replace(installation, sharing=Sharing.MLFLOW), site.pipeline(), watcher=seen)
    assert (found.promotion, found.summary) == (None, None)
    assert "its records are only on this machine" in seen.reasons[-1]
    assert found.verdict is not None
    assert version_at(installation.client, found.verdict.model, CHAMPION) is None


def test_the_stages_of_data_need_no_mlflow(site: Site, installation: Installation) -> None:
    """In a notebook a recorder that only remembers will do."""
    pipeline, notes = site.pipeline(), InMemoryRun()
    context = StageContext(pipeline, installation.store, notes, installation.client, "notebook/1", installation.services)
    plan = plan_ingest(context.source, pipeline.name, context.store, no_connection, now=context.clock())
    snapshot = ingest(context, plan)
    report, features = validate_data(context, snapshot), transform(context, snapshot)
    assert [type(record).__name__ for record in notes.records] == ["Snapshot", "DataReport", "FeatureSet"]
    assert {ref.digest for ref in notes.refs()} == {snapshot.digest, report.digest, features.digest}
    assert notes.tag("taxiway.span") == "2"


def test_a_sweep_is_tuned_before_training(site: Site, installation: Installation) -> None:
    source = {"spans": "{data}/{SPAN}.parquet", "window": 2, "label": "y"}
    site.arrive(3)
    pipeline, seen = site.pipeline(source=source, sweep={"search": "grid", "space": {"C": [0.01, 1.0]}}), Seen()
    found = run_in(installation, pipeline, watcher=seen)
    assert seen.stages == [stage for stage in STAGES if stage != "approval"]
    assert found.candidate is not None
    assert found.candidate.sweep is not None


def test_a_local_run_says_that_it_does_not_deploy(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "taxiway.stages")
    assert run_in(installation, site.pipeline(gateway="gateway")).promotion is not None
    assert "local runs do not deploy: the version was promoted but not deployed" in caplog.text
    site.arrive(2)
    run_in(installation, site.pipeline(), span="2")
    assert "decide the span again with --span 2" not in caplog.text, "the rows are the same"
    site.arrive(2, signal=2)
    run_in(installation, site.pipeline(), span="2")
    assert "decide the span again with --span 2" in caplog.text
