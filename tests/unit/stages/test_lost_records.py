"""Runs and pages over a store in which every record, ref or object of earlier runs was lost or damaged."""

import logging
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from stages.conftest import Site

from taxiway.lineage.outcomes import processed_spans, summaries
from taxiway.records import Outcome
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import Services
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in
from taxiway.store import Store, index
from taxiway.tracking.local import local_mlflow

Damage = Callable[[Path], object]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    path.write_bytes(b"\xff" + path.read_bytes()[1:])


def add_strays(path: Path) -> None:
    for name in (".DS_Store", "notes.txt", f"{path.name}.bak"):
        path.with_name(name).write_bytes(b"\xff")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, mlflow_home: Path) -> tuple[Site, Pipeline]:
    """A site whose first span is decided, with a sweep and metric checks, so that the store has a record of every kind."""
    site = Site(tmp_path_factory.mktemp("site"), f"lost_{uuid.uuid4().hex[:8]}")
    for span in (1, 2, 3):
        site.arrive(span)
    pipeline = site.pipeline(
        source={"spans": "{data}/{SPAN}.parquet", "window": 2, "label": "y"},
        sweep={"search": "grid", "space": {"C": [0.1, 1.0]}},
    )
    with local_mlflow(mlflow_home) as client:
        first = run_in(Installation(Store(str(site.folder / "store")), client, Services(data=str(site.data))), pipeline)
    assert first.summary is not None
    assert first.summary.outcome is Outcome.FIRST_CHAMPION
    return site, pipeline


@pytest.fixture
def installation(decided: tuple[Site, Pipeline], tmp_path: Path, local_client: MlflowClient) -> Iterator[Installation]:
    """The store after that run, for one test."""
    site, _ = decided
    shutil.copytree(site.folder / "store", tmp_path / "store")
    index._segments.clear()
    yield Installation(Store(str(tmp_path / "store")), local_client, Services(data=str(site.data)))
    index._segments.clear()


@pytest.mark.parametrize(
    ("part", "damage"),
    [
        ("records", Path.unlink),
        ("records", truncate),
        ("objects", Path.unlink),
        ("objects", truncate),
        ("objects", alter),
        ("index", Path.unlink),
        ("index", truncate),
        ("index", alter),
        ("", add_strays),
    ],
)
def test_a_span_is_decided_again_over_a_damaged_store(
    decided: tuple[Site, Pipeline], installation: Installation, part: str, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    _, pipeline = decided
    store = Path(installation.store.url)
    damaged = [path for path in (store / part).rglob("*") if path.is_file()]
    assert damaged
    for path in damaged:
        damage(path)
    with caplog.at_level(logging.WARNING):
        summaries(installation.store, pipeline.name)  # as the pipeline's page does
        processed_spans(installation.store, pipeline.name)
        again = run_in(installation, pipeline, span="3")
    assert again.summary is not None
    assert again.unread == ()
    assert [summary.span.name for summary in summaries(installation.store, pipeline.name)] == ["3"]
    assert installation.store.get(type(again.summary), again.summary.digest) == again.summary


def test_a_summary_whose_entry_was_deleted_is_left_out_and_named(
    decided: tuple[Site, Pipeline], installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    _, pipeline = decided
    Path(installation.store.url, "index", "decided", pipeline.name, "3@0").unlink()
    assert summaries(installation.store, pipeline.name) == ()
    assert "3@0 has no RunSummary that can be read" in caplog.text
    assert processed_spans(installation.store, pipeline.name) == {("3", 0)}, "the span is not due again"
