"""`taxiway new`: what it makes of the label, and of rows without one."""

import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli.drafting import drafted, new, unlike

from taxiway.cli.new.draft import draft_pipeline
from taxiway.records import Outcome, Status
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.ingest import next_span
from taxiway.stages.runner import run
from taxiway.store import Store


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([*"abcdefghijkl"], 'the label y has the type string and the values "a", "b", "c" and 9 more in 24 rows'),
        ([1.0, None, 1.0] * 4, 'the label y has the type number and the value "1" in 16 rows, and is missing in 8 other rows'),
        ([None] * 12, "the label y is empty in all 24 rows"),
    ],
)
def test_a_label_that_cannot_be_predicted_is_a_message(tmp_path: Path, labels: list[object], words: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for span in (1, 2):
        pd.DataFrame({"x": range(12), "y": labels}).to_parquet(source / f"{span}.parquet")
    code, shown = new(tmp_path / "dags", tmp_path, "p", "--from", str(source), "--label", "y", "--team", "t")
    assert (code, words in shown) == (1, True), shown


def test_a_label_without_an_end_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for span in (1, 2):
        pd.DataFrame({"x": range(12), "y": [1.0, 2.0, float("inf")] * 4}).to_parquet(source / f"{span}.parquet")
    code, shown = new(tmp_path / "dags", tmp_path, "p", "--from", str(source), "--label", "y", "--team", "t")
    assert (code, "y is infinite in 8 rows" in shown) == (1, True), shown
    assert not (tmp_path / "dags").exists()


def test_a_column_that_determines_the_label_is_left_out_and_a_suspect_is_named(tmp_path: Path) -> None:
    rows = unlike(600)
    rng = np.random.default_rng(1)
    late = rows.late == "yes"
    rows["alive"] = np.where(late, "no", "yes")
    rows["fee"] = np.where(late | (rng.random(600) < 0.05), rng.gamma(2, 3, 600).round(2), np.nan)
    rows.to_csv(tmp_path / "all.csv", index=False)
    pipeline = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.csv"), "late")
    text = (tmp_path / "dags" / "ours" / "drafted.pipeline.yaml").read_text()
    assert pipeline.features.drop == ("alive",)
    assert "# alive: `alive` alone reaches roc_auc 1.000, so it is probably only known after the label" in text
    assert re.search(r"# whether `fee` is missing alone reaches roc_auc 0\.9[67]\d: drop it if", text)


def test_a_label_of_three_classes_becomes_a_champion(tmp_path: Path) -> None:
    """Whole numbers are read as classes if that is likelier, and the draft says why; its pipeline runs as it is."""
    unlike(400).assign(late=lambda r: (r.x > 0).astype(int) + (r.x > 1)).to_csv(tmp_path / "all.csv", index=False)
    code, shown = new(tmp_path / "d", tmp_path, "m", "--from", str(tmp_path / "all.csv"), "--label", "late", "--team", "t")
    assert code == 0, shown
    pipeline = tmp_path / "d" / "t" / "m.pipeline.yaml"
    reading = (
        "3 classes (0, 1, 2): the model predicts the probability of each. The whole numbers are read as classes, because there are only 3, "
        "from 0; if they are a quantity, draft it again with --problem regression"
    )
    assert f"note: late: {reading}" in shown
    assert reading in pipeline.read_text()
    found = run(pipeline, data=str(tmp_path), home=tmp_path / "home")
    assert found.verdict is not None
    assert found.verdict.status is Status.PASS, found.verdict
    assert "balanced_accuracy" in str(found.verdict.reasons)


@pytest.mark.parametrize(
    ("name", "labels", "problem", "words"),
    [
        ("y", [0] * 50 + [1] * 50 + [2] * 50, "classification", "because there are only 3, from 0"),
        (
            "stops",
            [0] * 30 + [1] * 60 + [2] * 50 + [3] * 20 + [4] * 9 + [5] * 2,
            "regression",
            "rise to a peak and fall from it",
        ),
        ("digit", [*range(10)] * 20, "classification", "do not rise to a peak"),
        ("quality", [3] * 5 + [4] * 30 + [5] * 90 + [6] * 40, "regression", "not numbered from 0 or 1 without gaps (3 to 6)"),
        ("item_count", [0] * 90 + [1] * 60 + [2] * 50, "regression", 'the name has the word "count"'),
        ("wine_class", [7] * 30 + [9] * 30 + [40] * 30, "classification", 'the name has the word "class"'),
    ],
)
def test_few_whole_numbers_are_classes_or_a_quantity(
    tmp_path: Path, name: str, labels: list[int], problem: str, words: str
) -> None:
    pd.DataFrame({"row": range(len(labels)), "x": np.arange(len(labels)) % 7, name: labels}).to_csv(
        tmp_path / "all.csv", index=False
    )
    where, other = ["--from", str(tmp_path / "all.csv"), "--label", name, "--team", "t"], {"classification", "regression"}
    code, shown = new(tmp_path / "d", tmp_path, "m", *where)
    assert (code, words in shown) == (0, True), shown
    assert read_pipeline(tmp_path / "d" / "t" / "m.pipeline.yaml").gate.problem == problem
    (against,) = other - {problem}
    code, shown = new(tmp_path / "e", tmp_path, "m", *where, "--problem", against)
    assert (code, words in shown) == (0, False), shown
    assert read_pipeline(tmp_path / "e" / "t" / "m.pipeline.yaml").gate.problem == against


def test_missing_labels_are_counted(tmp_path: Path) -> None:
    rows = unlike(400)
    rows.loc[:6, "late"] = None
    rows.to_csv(tmp_path / "all.csv", index=False)
    code, shown = new(tmp_path / "d", tmp_path, "m", "--from", str(tmp_path / "all.csv"), "--label", "late", "--team", "t")
    assert (
        code,
        "note: late: missing in 7 rows, so source.unlabelled is drop: rows without a label are left out" in shown,
    ) == (
        0,
        True,
    ), shown
    pipeline = tmp_path / "d" / "t" / "m.pipeline.yaml"
    assert read_pipeline(pipeline).source.unlabelled == "drop"
    assert "`late` is missing in 7 rows, so `source.unlabelled` is `drop`" in (tmp_path / "d" / "t" / "m.md").read_text()
    found = run(pipeline, data=str(tmp_path), home=tmp_path / "home")
    assert found.summary is not None
    assert found.summary.outcome is Outcome.FIRST_CHAMPION


def test_evaluation_rows_are_those_with_a_label(tmp_path: Path) -> None:
    rows = unlike(2000)
    rows.loc[rows.index % 4 > 0, "late"] = None
    rows.to_csv(tmp_path / "all.csv", index=False)
    draft = draft_pipeline(str(tmp_path / "all.csv"), "late")
    assert (draft.evaluation_rows, draft.min_rows) == (100, 70)


def test_a_draft_waits_for_the_labels_of_the_newest_span(tmp_path: Path) -> None:
    source = tmp_path / "data" / "s"
    source.mkdir(parents=True)
    for span in (1, 2, 3):
        rows = unlike(400, span)
        if span == 3:
            rows["late"] = None
        rows.to_csv(source / f"{span}.csv", index=False)
    pipeline = drafted(tmp_path / "dags", tmp_path / "data", str(source), "late")
    assert (pipeline.source.unlabelled, pipeline.source.window) == ("wait", 1)
    store, readable = Store(str(tmp_path / "store")), pipeline.source.with_data(str(tmp_path / "data"))
    assert next_span(readable, "ours.drafted", store, now=datetime.now(UTC)) == ("2", 0)


def test_signs_that_yaml_does_not_print_are_escaped(tmp_path: Path) -> None:
    label = "la\x7fte\x85\ufeff\U0001f600"
    unlike(400).rename(columns={"late": label}).to_parquet(tmp_path / "all.parquet")
    pipeline = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.parquet"), label)
    assert pipeline.source.label == label
