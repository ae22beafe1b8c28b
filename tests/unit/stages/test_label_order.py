"""Which rows are labelled first, for each kind of model, and what a file of them keeps."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from stages.conftest import Site

from taxiway.data.ingest.labels.imported import LabelBatch, add_batch
from taxiway.errors import ConfigError
from taxiway.evaluation.predictions import Predictions, predictions_of
from taxiway.records import Snapshot
from taxiway.records.recorder import InMemoryRun
from taxiway.spec.source import FileSource
from taxiway.stages.context import Services, StageContext
from taxiway.stages.ingest import ingest_state
from taxiway.stages.labels.export import label_order
from taxiway.stages.labels.files import write_rows
from taxiway.stages.labels.spans import spans_to_label
from taxiway.store import Store


def ranks(order: "tuple[np.ndarray, np.ndarray]") -> list[int]:
    differs, distance = order
    return [int(at) for at in np.lexsort((distance, -differs))]


def binary(*positive: float, threshold: float | None = None) -> Predictions:
    chances = np.column_stack([1 - np.array(positive), positive])
    return predictions_of(chances, ("no", "yes"), ("no", "yes"), 1, threshold)


def test_of_two_classes_those_come_first_on_which_the_models_differ_and_then_the_nearest_to_the_threshold() -> None:
    own, champion = binary(0.9, 0.54, 0.08, 0.45, 0.99), binary(0.9, 0.9, 0.2, 0.2, 0.1)
    assert ranks(label_order(own)) == [1, 3, 0, 2, 4]
    assert ranks(label_order(own, champion)) == [4, 1, 3, 0, 2]
    careful = binary(0.9, 0.54, 0.08, 0.45, 0.99, threshold=0.95)
    assert ranks(label_order(careful, threshold=0.95)) == [4, 0, 1, 3, 2]


def test_of_three_classes_those_are_near_whose_two_most_probable_ones_are() -> None:
    names = ("a", "b", "c")
    own = predictions_of([[0.8, 0.1, 0.1], [0.4, 0.2, 0.4], [0.34, 0.33, 0.33], [0.5, 0.5, 0.0]], names, names, None)
    other = predictions_of([[0.1, 0.8, 0.1], [0.4, 0.2, 0.4], [0.34, 0.33, 0.33], [0.5, 0.5, 0.0]], names, names, None)
    assert ranks(label_order(own))[-1] == 0
    assert ranks(label_order(own, other))[0] == 0


def test_regressions_are_ordered_by_how_far_they_differ_and_stay_as_they_are_without_a_champion() -> None:
    own, champion = predictions_of([1.0, 2.0, 3.0], (), (), None), predictions_of([1.5, 2.0, 9.0], (), (), None)
    assert ranks(label_order(own, champion)) == [2, 0, 1]
    assert ranks(label_order(own)) == [0, 1, 2]


def test_every_type_can_be_written_as_csv(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "id": ["007", "008"],
            "tags": [["a", "b"], None],
            "price": pa.array([Decimal("1.10"), None], pa.decimal128(5, 2)),
            "kind": pa.array(["x", "y"]).dictionary_encode(),
            "day": [date(2026, 1, 2), None],
            "at": [datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), None],
            "y": pa.nulls(2, pa.bool_()),
        }
    )
    write_rows(rows, tmp_path / "rows.csv")
    header, first, second = (tmp_path / "rows.csv").read_text().splitlines()
    assert header == '"id","tags","price","kind","day","at","y"'
    assert json.dumps(["a", "b"]).replace('"', '""') in first
    assert '"1.10"' in first
    assert first.endswith(",")
    assert second == '"008",,,"y",,,'
    with pytest.raises(ConfigError, match=r"rows.xlsx ends in .xlsx; allowed: .csv or .parquet"):
        write_rows(rows, tmp_path / "rows.xlsx")


def test_imported_labels_wake_the_trigger(tmp_path: Path) -> None:
    source = FileSource.model_validate(
        {"spans": f"{tmp_path}/{{SPAN}}.parquet", "window": 1, "label": "y", "unlabelled": "wait"}
    )
    store, now = Store(str(tmp_path / "store")), datetime(2026, 5, 1, tzinfo=UTC)
    before = ingest_state(source, "t.p", store, now=now)
    assert ingest_state(source, "t.p", store, now=now) == before
    for digest in ("a" * 32, "b" * 32):
        add_batch(store, "t.p", ["1"], LabelBatch(digest, "ann", now, ("id",)))
        after = ingest_state(source, "t.p", store, now=now)
        assert after != before
        before = after


def test_labels_of_a_joined_table_are_not_joined_to_the_source(site: Site) -> None:
    table = site.folder / "labels.parquet"
    source = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y", "unlabelled": "wait"}
    joined = {**source, "join": {"late": {"file": str(table), "on": {"id": "id"}, "columns": ["y"], "min_match_rate": 0.5}}}
    context = StageContext(
        pipeline=site.pipeline(source=joined),
        store=Store(str(site.folder / "store")),
        recorder=InMemoryRun(),
        registry=MlflowClient(f"sqlite:///{site.folder}/unused.db"),
        run="small/1",
        services=Services(data=str(site.data)),
    )
    with pytest.raises(ConfigError, match=r'"y" comes from a joined table; .* Add the labels to the joined table instead'):
        spans_to_label(context, Snapshot(pipeline=context.pipeline.name, training=(), evaluation=()))
