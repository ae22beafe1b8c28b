"""Runs that an error or a kill ends: what they leave behind, and that the next run mends it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from stages.conftest import Site
from stages.seen import SOURCE, Seen, mlflow_status

from taxiway.data.profiling.profile import Profile
from taxiway.errors import ConfigError, DataError, TransientError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import State
from taxiway.ledger.promotions import entries
from taxiway.lineage.outcomes import processed_spans, summaries
from taxiway.records import FeatureSet, Outcome, Record, RunSummary, Trial
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.registry.demote import rollback
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in


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
    with pytest.raises(ConfigError, match=r"returned a str that is not a number.*before training"):
        run_in(installation, pipeline, watcher=seen)
    assert "train" not in seen.stages
    assert installation.client.search_registered_models(f"name = '{pipeline.name}'") == []


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


def test_a_push_that_is_killed_after_its_decision_is_completed_by_the_next_run(
    site: Site, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, every later run found its version to be the champion, and left the span due and the alias where it was."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    pipeline = site.pipeline()
    run_in(installation, pipeline)
    site.arrive(3)
    with monkeypatch.context() as dying:
        dying.setattr("taxiway.registry.alias_moves.point", killed)
        with pytest.raises(KeyboardInterrupt):
            run_in(installation, pipeline)
    assert version_at(installation.client, pipeline.name, CHAMPION) == 1
    again = run_in(installation, pipeline).summary
    assert again is not None
    assert (again.span.name, again.outcome, again.version) == ("3", Outcome.PROMOTED, 2)
    assert version_at(installation.client, pipeline.name, CHAMPION) == 2
    assert {entry.state for entry in entries(installation.client, pipeline.name)} == {State.DONE}
    site.arrive(4)
    following = run_in(installation, pipeline).summary
    assert following is not None
    assert following.span.name == "4"


def test_a_champion_by_a_rollback_is_told_with_its_promotion(site: Site, installation: Installation) -> None:
    pipeline = site.pipeline()
    first = run_in(installation, pipeline).promotion
    site.arrive(3)
    assert run_in(installation, pipeline).promotion is not None
    rollback(Ledger(installation.client), pipeline.name, by="ann", reason="worse", at=datetime.now(UTC))
    again = run_in(installation, pipeline, span="2").summary
    assert first is not None
    assert again is not None
    assert again.outcome is Outcome.FIRST_CHAMPION
    assert f"already promoted to champion on this span at {first.at:%Y-%m-%d %H:%M:%S}" in again.reasons[0]
