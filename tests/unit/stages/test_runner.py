"""The local runner: whole pipelines in this process, with every outcome, and what a failed run leaves behind."""

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from stages.conftest import Site

import taxiway
from taxiway.cli import main
from taxiway.data.profiling.profile import Profile
from taxiway.errors import ConfigError, DataError, TransientError
from taxiway.lineage.outcomes import processed_spans, summaries
from taxiway.records import Evaluation, FeatureSet, Outcome, Record, RunSummary, Status, Trial
from taxiway.records.recorder import InMemoryRun
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext, no_connection
from taxiway.stages.ingest import ingest, plan_ingest
from taxiway.stages.installation import Installation, Sharing, open_installation
from taxiway.stages.runner import STAGES, Watcher, run_in
from taxiway.stages.transform import transform
from taxiway.stages.validate_data import validate_data

SOURCE = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y"}


class Seen(Watcher):
    """Remembers the progress of a run."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.failures: list[str] = []
        self.reasons: list[str] = []

    def ended(self, stage: str, seconds: float, failure: str | None) -> None:
        self.stages.append(stage)
        self.failures += [] if failure is None else [failure]

    def stopped(self, reason: str) -> None:
        self.reasons.append(reason)


def mlflow_status(installation: Installation, pipeline: Pipeline) -> list[str]:
    """How the runs of a pipeline ended, the newest first."""
    experiment = installation.client.get_experiment_by_name(pipeline.experiment)
    assert experiment is not None
    return [run.info.status for run in installation.client.search_runs([experiment.experiment_id])]


def test_spans_are_decided_one_after_another(site: Site, installation: Installation) -> None:
    pipeline, seen = site.pipeline(), Seen()
    first = run_in(installation, pipeline, watcher=seen)
    assert first.summary is not None
    assert (first.summary.outcome, first.summary.span.name, first.summary.version) == (Outcome.FIRST_CHAMPION, "2", 1)
    assert seen.stages == [stage for stage in STAGES if stage != "tune"]
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
    assert "every span with 1 before it already has a decision" in seen.reasons[-1]


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


def test_a_metric_that_returns_no_numbers_ends_the_run_before_anything_is_trained(
    site: Site, installation: Installation
) -> None:
    (site.folder / "own.py").write_text("def profit(y_true, y_pred, rows):\n    return 'high'\n")
    gate = {
        "thresholds": {"profit": 1},
        "metrics": {"profit": {"function": f"{site.folder / 'own.py'}:profit", "better": "higher"}},
        "against_champion": {"metric": "profit"},
    }
    pipeline, seen = site.pipeline(gate=gate), Seen()
    with pytest.raises(ConfigError, match=r"returned a str that is no number.*before training"):
        run_in(installation, pipeline, watcher=seen)
    assert "train" not in seen.stages
    assert installation.client.search_registered_models(f"name = '{pipeline.name}'") == []


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


def test_an_error_ends_the_run_in_mlflow_and_leaves_the_span_due(site: Site, installation: Installation) -> None:
    (site.data / "2.parquet").write_bytes(b"PAR1 and no more")
    pipeline = site.pipeline()
    with pytest.raises(DataError, match=r"2\.parquet"):
        run_in(installation, pipeline)
    assert mlflow_status(installation, pipeline) == ["FAILED"]
    assert processed_spans(installation.store, pipeline.name) == frozenset()
    site.arrive(2)
    assert run_in(installation, pipeline).summary is not None


def test_the_run_that_a_killed_process_left_open_is_ended_by_the_next(site: Site, installation: Installation) -> None:
    pipeline = site.pipeline()
    experiment = installation.client.create_experiment(pipeline.experiment)
    installation.client.create_run(experiment, run_name="killed")
    run_in(installation, pipeline)
    assert mlflow_status(installation, pipeline) == ["FINISHED", "FAILED"]


def test_two_runs_do_not_share_a_local_folder_at_once(site: Site) -> None:
    with (
        open_installation(None, None, None, site.folder / "home"),
        pytest.raises(ConfigError, match="another run uses"),
        open_installation(None, None, None, site.folder / "home"),
    ):
        pass


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


def test_a_store_needs_the_mlflow_server_that_belongs_to_it(site: Site) -> None:
    with pytest.raises(ConfigError, match="--tracking-uri"), open_installation(None, None, "s3://bucket", site.folder):
        pass


def test_records_of_a_shared_server_are_kept_apart_from_those_of_local_runs(site: Site) -> None:
    home, mlflow_url = site.folder / "home", "http://127.0.0.1:9"
    with open_installation(None, None, None, home) as local, open_installation(None, mlflow_url, None, home) as tracked:
        assert local.store.url != tracked.store.url
        assert (local.sharing, tracked.sharing) == (Sharing.NOBODY, Sharing.MLFLOW)


def test_a_kill_while_a_span_is_marked_is_mended_by_the_next_run(
    site: Site, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry of the index is there and its marker is not: the span is not listed."""
    pipeline, set_ref = site.pipeline(), installation.store.set_ref

    def killed(name: str, value: str) -> None:
        if ".new/" in name and name.startswith("decided/"):
            raise KeyboardInterrupt
        set_ref(name, value)

    run_in(installation, pipeline)
    site.arrive(3)
    with monkeypatch.context() as dying:
        dying.setattr(installation.store, "set_ref", killed)
        with pytest.raises(KeyboardInterrupt):
            run_in(installation, pipeline)
    assert ("3", 0) not in processed_spans(installation.store, pipeline.name)
    again = run_in(installation, pipeline)
    assert again.summary is not None
    assert ("3", 0) in processed_spans(installation.store, pipeline.name)
    site.arrive(4)
    assert (found := run_in(installation, pipeline).summary) is not None
    assert found.span.name == "4"


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
    assert seen.stages == list(STAGES)
    assert found.candidate is not None
    assert found.candidate.sweep is not None


def test_a_record_that_is_lost_is_made_again(site: Site, installation: Installation) -> None:
    """By the run of its own span, after which the next span is decided as ever: each kind is lost in one of these spans."""
    source = {"spans": "{data}/{SPAN}.parquet", "window": 2, "label": "y"}
    site.arrive(3)
    pipeline = site.pipeline(source=source, sweep={"search": "grid", "space": {"C": [0.1, 1.0]}})
    run_in(installation, pipeline)
    kinds: tuple[type[Record], ...] = (Profile, FeatureSet, Trial, RunSummary)
    for span, kind in enumerate(kinds, start=3):
        lost = list((Path(installation.store.url) / "records" / kind.__name__).iterdir())
        assert lost, kind
        for path in lost:
            path.unlink()
        site.arrive(span + 1)
        assert run_in(installation, pipeline, span=str(span)).snapshot is not None, kind
        found = run_in(installation, pipeline).summary
        assert found is not None, kind
        assert found.span.name == str(span + 1), kind
        assert found in summaries(installation.store, pipeline.name), kind


def pipeline_file(site: Site) -> Path:
    site.pipeline()
    path = site.folder / f"{site.name}.pipeline.yaml"
    path.write_text(
        f"pipeline: {site.name}\nteam: runner\n"
        'source: {spans: "{data}/{SPAN}.parquet", window: 1, label: y}\nschema: small.schema.yaml\n'
        "model: {estimator: sklearn.linear_model.LogisticRegression}\n"
        "gate: {thresholds: {roc_auc: 0.6}, against_champion: {metric: roc_auc}}\n"
    )
    return path


def test_the_command_line_and_the_function_keep_models_in_a_local_folder(site: Site) -> None:
    """Slow, by 5 s, because MLflow makes its database: that is what is tried."""
    path, home = pipeline_file(site), site.folder / "home"
    arguments = ["run", str(path), "--data", str(site.data), "--home", str(home)]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    assert "✓ validate_model" in shown.output
    assert "FIRST CHAMPION 2, version 1" in shown.output
    uri = f"sqlite:///{home}/mlflow.db"
    assert f"mlflow ui --backend-store-uri {uri}" in shown.output
    assert MlflowClient(uri, uri).get_model_version_by_alias(f"runner.{site.name}", CHAMPION).version == 1

    site.arrive(3, scale=1000)
    shown = CliRunner().invoke(main, arguments)
    assert (shown.exit_code, "BLOCKED 3" in shown.output) == (1, True)
    assert "a in span 3 is outside -100 to 100" in shown.output

    shown = CliRunner().invoke(main, arguments)
    assert (shown.exit_code, "nothing to do" in shown.output) == (0, True)

    site.arrive(4)
    found = taxiway.run(path, span="4", until="validate_data", data=str(site.data), home=home)
    assert found.report is not None
    assert found.report.status is Status.FAIL, "span 3 is in the window"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.pipeline.yaml"], "nothing.pipeline.yaml does not exist"),
        (["{file}", "--data", "/nowhere"], "data is /nowhere, which is not a folder"),
        (["{file}", "--data", "foo://x"], "Protocol not known: foo"),
        (["{file}", "--home", "/proc/x"], "the folder /proc/x cannot be written"),
        (["{file}", "--span", "9"], "span 9 is not at the source"),
        (["{file}", "--until", "tune"], 'until is "tune"'),
    ],
)
def test_a_usage_error_ends_with_code_2(site: Site, arguments: list[str], message: str) -> None:
    given = [part.replace("{file}", str(pipeline_file(site))) for part in arguments]
    shown = CliRunner().invoke(main, ["run", "--data", str(site.data), "--home", str(site.folder / "home"), *given])
    assert shown.exit_code == 2, shown.output
    assert message in shown.output


def test_the_default_data_folder_is_the_one_that_example_data_writes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = pipeline_file(site), site.folder / "elsewhere" / ".taxiway"
    folder.mkdir(parents=True)
    site.data.rename(folder / "data")
    monkeypatch.chdir(folder.parent)
    assert taxiway.run(path, until="ingest").snapshot is not None


@pytest.mark.parametrize("home", ["a?b", "a%20b"])
def test_a_home_that_mlflow_would_read_as_part_of_a_url_is_refused(site: Site, home: str) -> None:
    with pytest.raises(ConfigError, match="which MLflow reads as part of a URL"):
        taxiway.run(pipeline_file(site), data=str(site.data), home=site.folder / home)


@pytest.mark.usefixtures("database_is_made")
def test_a_database_whose_making_was_interrupted_is_made_again(site: Site) -> None:
    """Slow, by 5 s, because MLflow makes its database: that is what is tried."""
    home = site.folder / "home with a space"
    home.mkdir()
    half = home / "mlflow.db.new"
    with closing(sqlite3.connect(half)) as connection:
        connection.execute("CREATE TABLE datasets (x)")
    assert taxiway.run(pipeline_file(site), until="ingest", data=str(site.data), home=home).snapshot is not None
    assert not half.exists()


def test_a_file_that_is_not_a_database_is_named(site: Site) -> None:
    home = site.folder / "home"
    home.mkdir()
    (home / "mlflow.db").write_bytes(b"junk" * 1000)
    with pytest.raises(ConfigError, match=r"mlflow.db cannot be used as MLflow's database .*file is not a database"):
        taxiway.run(pipeline_file(site), data=str(site.data), home=home)


def test_a_source_that_does_not_answer_is_a_message(site: Site, installation: Installation) -> None:
    pipeline = site.pipeline(source={**SOURCE, "spans": "http://127.0.0.1:9/{SPAN}.parquet"})
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9"):
        run_in(installation, pipeline)


def test_missing_credentials_of_a_bucket_are_a_message(
    site: Site, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    pipeline = site.pipeline(source={**SOURCE, "spans": "s3://bucket/{SPAN}.parquet"})
    with pytest.raises(
        TransientError, match=r"the source s3://bucket.* cannot be read \(NoCredentialsError: .*check its address"
    ):
        run_in(installation, pipeline)


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


def test_a_folder_is_not_a_pipeline_file(site: Site) -> None:
    with pytest.raises(ConfigError, match=f"{site.folder} cannot be read: Is a directory"):
        taxiway.run(site.folder)
