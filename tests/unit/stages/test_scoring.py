"""Scoring by span, by files and by query, with a champion of a real MLflow: each span once, checked, resumable and complete."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from cli.local_runs import kept
from mlflow import MlflowClient
from rich.console import Console
from stages.conftest import SCHEMA, SCHEMA_OF_PREDICTIONS, Site

from taxiway.cli.views.lineage import show_model
from taxiway.errors import ConfigError, DataError
from taxiway.ledger.chain import Ledger
from taxiway.lineage.batches import batches_of
from taxiway.lineage.outcomes import mark_processed, summary_of
from taxiway.lineage.queries import data_uses, model_lineage
from taxiway.records.batch import Batch, read_batch
from taxiway.records.digests import digest_of_file
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.scoring import rows_to_score
from taxiway.spec.source import Source, read_source
from taxiway.stages.batch.context import RowsToScore, Scored, ScoringContext, ScoringSettings
from taxiway.stages.batch.folder import beside_folder, save
from taxiway.stages.batch.score import score
from taxiway.stages.batch.version import find_version
from taxiway.stages.context import Services
from taxiway.stages.installation import Installation
from taxiway.stages.monitor.upstream import changed_upstream
from taxiway.stages.runner import run_in
from taxiway.store import Store
from taxiway.tracking.local import local_mlflow

SCORED = "runner.scored.predict"
Score = Callable[..., Scored | str]


def source(**keys: Any) -> Source:
    return read_source(rows_to_score(keys or {"spans": "{data}/{SPAN}.parquet"}))


@pytest.fixture
def site(tmp_path: Path, for_all: Path) -> Site:
    """A site with the champion of the first two spans, and an MLflow of its own."""
    made = Site(tmp_path, "small")

    def make() -> None:
        made.arrive(1)
        made.arrive(2)
        with local_mlflow(tmp_path / "home") as client:
            installation = Installation(Store(str(tmp_path / "store")), client, Services(data=str(made.data)))
            assert run_in(installation, made.pipeline()).promotion is not None

    kept(tmp_path, for_all / "scoring", make)
    return made


@pytest.fixture
def local_client(site: Site) -> Iterator[MlflowClient]:
    with local_mlflow(site.folder / "home") as client:
        yield client


@pytest.fixture
def scoring(site: Site, installation: Installation) -> Score:
    """Scores with that champion."""

    @contextmanager
    def connect(_: str) -> Iterator[Any]:
        from sqlalchemy import create_engine

        engine = create_engine(f"sqlite:///{site.folder}/rows.db")
        try:
            yield engine
        finally:
            engine.dispose()

    def run(rows: RowsToScore, run: str = "dag/one", *, retried: bool = False, **settings: Any) -> Scored | str:
        context = ScoringContext(
            SCORED,
            run,
            installation.store,
            Ledger(installation.client, installation.services.ledger_keys),
            Services(data=str(site.data), connect=connect),
        )
        given = {"model": f"runner.{site.name}", "output": "{data}/predictions/{SPAN}", "rows_per_file": 300, **settings}
        return score(context, ScoringSettings(**given), rows, retried=retried)

    return run


def on_predictions(site: Site) -> Pipeline:
    """A pipeline that trains on the predictions."""
    (site.folder / "second.schema.yaml").write_text(SCHEMA_OF_PREDICTIONS)
    return site.pipeline(
        pipeline=f"{site.name}_second",
        schema=str(site.folder / "second.schema.yaml"),
        source={"spans": "{data}/predictions/{SPAN}/part-*.parquet", "window": 1, "label": "y"},
        features={"numeric": ["probability_True"], "categorical": []},
    )


def done(found: Scored | str) -> Scored:
    assert isinstance(found, Scored), found
    return found


def test_each_span_is_scored_once_and_can_be_traced(scoring: Score, site: Site, installation: Installation) -> None:
    rows = RowsToScore(source())
    one, two = done(scoring(rows, keys=("id",))), done(scoring(rows, keys=("id",)))
    assert (one.span, two.span) == ("1", "2")
    assert "nothing to do" in str(scoring(rows))
    found = pd.read_parquet(site.data / "predictions/2")
    assert list(found["id"]) == list(pd.read_parquet(site.data / "2.parquet")["id"])
    newest, oldest = batches_of(installation.client, f"runner.{site.name}")
    assert (newest.span, newest.scoring, newest.rows, newest.folder) == ("2", SCORED, 1000, str(two.folder))
    assert (oldest.mlflow_run, oldest.status) == (one.batch.run, "FINISHED")
    uses = data_uses(installation.client, digest_of_file(site.data / "2.parquet"))
    scored = {(use.context, use.folder) for use in uses if use.folder and Path(use.folder).is_relative_to(site.folder)}
    assert scored == {("scoring", str(two.folder))}, "other tests may have scored a file of the same digest"


def test_a_run_that_is_cleared_scores_its_span_again(scoring: Score) -> None:
    rows = RowsToScore(source())
    first = done(scoring(rows))
    again = done(scoring(rows, retried=True))
    assert (again.span, again.batch, again.url) == ("1", first.batch, first.url)
    assert done(scoring(rows, "dag/two", retried=True)).span == "2"


def test_a_span_that_is_asked_for_replaces_its_predictions(scoring: Score, site: Site) -> None:
    first = done(scoring(RowsToScore(source())))
    site.arrive(1, signal=0.5)
    second = done(scoring(RowsToScore(source(), span="1")))
    assert second.folder == first.folder
    assert second.batch.data_digest != first.batch.data_digest
    assert second.batch.run != first.batch.run
    assert read_batch(second.folder) == second.batch
    assert sorted(path.name for path in second.folder.parent.iterdir()) == ["1"]
    with pytest.raises(ConfigError, match="span 9 does not exist"):
        scoring(RowsToScore(source(), span="9"))


def test_predictions_appear_when_they_are_complete_and_continue_after_a_crash(scoring: Score, site: Site) -> None:
    whole = done(scoring(RowsToScore(source()), output="{data}/whole/{SPAN}"))
    one = RowsToScore(source(), span="1")
    scoring(one)
    folder = site.data / "predictions/1"
    beside = beside_folder(folder)
    folder.rename(beside)  # as a process leaves it that is killed
    batch = read_batch(beside)
    assert batch is not None
    save(beside, Batch.model_validate({**batch.model_dump(), "finished_at": None}))
    (beside / "part-00002.parquet").unlink()
    before = (beside / "part-00000.parquet").stat().st_mtime_ns
    again = done(scoring(one))
    assert again.batch.run == batch.run
    assert (folder / "part-00000.parquet").stat().st_mtime_ns == before
    assert pd.read_parquet(folder).equals(pd.read_parquet(whole.folder))
    folder.rename(beside)  # killed before the folder was renamed
    assert done(scoring(one)).batch == again.batch
    assert folder.is_dir()
    assert not beside.exists()


def test_rows_that_do_not_pass_are_not_scored_unless_told(scoring: Score, site: Site, installation: Installation) -> None:
    site.arrive(1, scale=1000)
    rows, schema = RowsToScore(source()), str(site.folder / "small.schema.yaml")
    with pytest.raises(DataError, match=r"(?s)did not pass the schema, so nothing was scored.*a in .* is outside"):
        scoring(rows, schema=schema)
    assert not (site.data / "predictions").exists()
    found = done(scoring(rows, schema=schema, on_invalid_data="continue"))
    assert (found.batch.validation, found.span) == ("FAIL", "1")
    assert batches_of(installation.client, f"runner.{site.name}")[0].validation == "FAIL"
    assert done(scoring(rows, schema=schema)).batch.validation == "PASS"


def test_rows_need_no_label(scoring: Score, site: Site) -> None:
    pd.read_parquet(site.data / "1.parquet").drop(columns="y").to_parquet(site.data / "new-3.parquet")
    rows = RowsToScore(source(spans="{data}/new-{SPAN}.parquet"))
    assert done(scoring(rows, schema=str(site.folder / "small.schema.yaml"))).batch.validation == "PASS"


def test_rows_are_filtered_and_joined_as_in_a_pipeline(scoring: Score, site: Site, installation: Installation) -> None:
    rows = pd.read_parquet(site.data / "2.parquet")
    rows.drop(columns=["y", "b"]).to_parquet(site.data / "plain-7.parquet")
    rows[["id", "b"]].to_parquet(site.data / "letters.parquet")
    joined = source(
        spans="{data}/plain-{SPAN}.parquet",
        rows="a > 0",
        join={"letters": {"file": "{data}/letters.parquet", "on": {"id": "id"}, "columns": ["b"], "min_match_rate": 0.9}},
    )
    found = done(scoring(RowsToScore(joined), keys=("id", "b")))
    kept = rows[rows["a"] > 0]
    assert list(pd.read_parquet(found.folder)["b"]) == list(kept["b"])
    assert found.batch.rows == len(kept)
    uses = data_uses(installation.client, digest_of_file(site.data / "letters.parquet"))
    assert [(use.span, use.context, use.folder) for use in uses] == [("letters", "joined", str(found.folder))]


def test_a_joined_table_that_matches_few_rows_is_invalid_data(scoring: Score, site: Site) -> None:
    rows = pd.read_parquet(site.data / "2.parquet")
    rows.drop(columns=["y", "b"]).to_parquet(site.data / "plain-7.parquet")
    rows[["id", "b"]].head(500).to_parquet(site.data / "letters.parquet")
    schema = site.folder / "letters.schema.yaml"
    schema.write_text(SCHEMA.replace("b: {type: string, presence: required", "b: {type: string, presence: optional"))
    join = {"file": "{data}/letters.parquet", "on": {"id": "id"}, "columns": ["b"], "min_match_rate": 0.9}
    with pytest.raises(DataError, match=r"(?s)letters .* matches 500 of 1,000 rows \(50\.0%\)"):
        scoring(RowsToScore(source(spans="{data}/plain-{SPAN}.parquet", join={"letters": join})), schema=str(schema))


def test_files_and_queries_are_scored_into_one_folder(scoring: Score, site: Site) -> None:
    rows = pd.read_parquet(site.data / "2.parquet").drop(columns="y")
    with closing(sqlite3.connect(site.folder / "rows.db")) as database:
        rows.to_sql("arrived", database, index=False)
    files = done(scoring(RowsToScore(data="{data}/2.parquet"), output=str(site.folder / "files")))
    query = RowsToScore(data="SELECT * FROM arrived WHERE id >= 0 ORDER BY id", connection="warehouse")
    queried = done(scoring(query, output=str(site.folder / "query")))
    assert pd.read_parquet(files.folder).equals(pd.read_parquet(queried.folder))
    assert (queried.span, queried.batch.data) == (None, "warehouse: SELECT * FROM arrived WHERE id >= 0 ORDER BY id")
    with pytest.raises(ConfigError, match="the data has no spans"):
        scoring(query)
    with pytest.raises(ConfigError, match="exactly one of source and data"):
        scoring(RowsToScore())


def test_a_folder_with_other_files_is_left_as_it_is(scoring: Score, site: Site) -> None:
    folder = site.data / "predictions/1"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"has other files, such as notes\.txt"):
        scoring(RowsToScore(source()))
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert json.loads((beside_folder(folder) / "_batch.json").read_text())["finished_at"]


def test_predictions_are_a_source_of_spans(scoring: Score, site: Site) -> None:
    """Half-written predictions are no span."""
    from taxiway.data.sources.files import find_spans

    scoring(RowsToScore(source()))
    scoring(RowsToScore(source()))
    unfinished = site.data / "predictions/2"
    unfinished.rename(beside_folder(unfinished))
    (span,) = find_spans(f"{site.data}/predictions/{{SPAN}}/part-*.parquet")
    assert (span.name, len(span.files)) == ("1", 4)
    assert pq.read_schema(Path(span.files[0])).metadata[b"taxiway.run"]


def test_a_model_on_predictions_is_traced_to_the_model_that_predicted(
    scoring: Score, site: Site, installation: Installation
) -> None:
    batches = [done(scoring(RowsToScore(source()), keys=("id", "y"))).batch for _ in range(2)]
    second = on_predictions(site)
    assert run_in(installation, second).promotion is not None
    first = f"runner.{site.name}"
    (upstream,) = model_lineage(installation.client, second.name, 1).upstream
    assert (upstream.model, upstream.version, upstream.mlflow_runs) == (first, 1, tuple(batch.run for batch in batches))
    (reader,) = model_lineage(installation.client, first, 1).downstream
    assert (reader.pipeline, reader.version, reader.is_batch) == (second.name, 1, False)
    rows = RowsToScore(data="{data}/predictions/2/part-*.parquet")
    again = done(scoring(rows, model=second.name, output="{data}/second"))
    newest, _ = model_lineage(installation.client, first, 1).downstream
    assert (newest.pipeline, newest.is_batch, newest.mlflow_run) == (second.name, True, again.batch.run)
    console = Console(record=True, width=200)
    for name in (first, second.name):
        show_model(console, model_lineage(installation.client, name, 1))
    shown = console.export_text()
    assert f"read predictions of {first} version 1" in shown
    assert f"{second.name}, trained version 1" in shown
    assert f"{second.name}, scored with version 1" in shown


def test_a_corrected_span_and_a_replaced_champion_upstream_may_be_causes(
    scoring: Score, site: Site, installation: Installation
) -> None:
    done(scoring(RowsToScore(source()), keys=("id", "y")))
    done(scoring(RowsToScore(source()), keys=("id", "y")))
    second = on_predictions(site)
    assert run_in(installation, second).promotion is not None
    ledger, store = Ledger(installation.client, installation.services.ledger_keys), installation.store
    version, today = find_version(ledger, f"{second.name}/1"), datetime.now(UTC).date()
    snapshot = model_lineage(installation.client, second.name, 1).records.snapshot
    assert snapshot is not None
    assert changed_upstream(ledger, store, version, snapshot, today) == ()
    site.arrive(3)
    promotion = run_in(installation, site.pipeline()).promotion
    assert promotion is not None
    decided = summary_of(store, second.name, snapshot.target_span)
    assert decided is not None
    corrected = decided.span.model_copy(update={"version": 2})
    mark_processed(store, decided.model_copy(update={"span": corrected}))
    replaced, span = changed_upstream(ledger, store, version, snapshot, today)
    assert (replaced.name, span.name) == (f"runner.{site.name}", snapshot.target_span.name)
    assert replaced.message.startswith(f"version 2 of runner.{site.name} is champion since ")
    assert replaced.message.endswith("and version 1 was trained on predictions of version 1")
    assert span.message == "span 2 was corrected: 2 v2 has a decision, and the model read 2"
    (only_span,) = changed_upstream(ledger, store, version, snapshot, today - timedelta(days=1))
    assert only_span == span, "the champion was replaced after that window"
