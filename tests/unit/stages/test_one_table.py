"""One table without periods and without a key, from its draft to a champion, and what becomes of it when rows are added."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helping import shared_data
from taxiway import run
from taxiway.cli.new import new_pipeline
from taxiway.data.engine.read_rows import read_rows
from taxiway.lineage.run_records import RunRecords
from taxiway.records import Outcome, SplitRule, Status
from taxiway.store import Store

HOURS = 59 * 24  # of two months
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "sources"
Rows = set[tuple[Any, ...]]


def flowers(count: int, seed: int = 0) -> pd.DataFrame:
    """Measured flowers of three species; some are measured alike."""
    rng = np.random.default_rng(seed)
    species = rng.choice(3, count, p=[0.5, 0.4, 0.1])
    sizes = rng.normal(size=(count, 2)) + species[:, None] * [[3.0, -2.0]]
    rows = pd.DataFrame(
        {"length": sizes[:, 0].round(1), "width": sizes[:, 1].round(1), "colour": rng.choice(["red", "blue"], count)}
    )
    return rows.assign(species=[("setosa", "virginica", "rare")[at] for at in species])


def written(rows: pd.DataFrame, path: Path, time: float) -> None:
    rows.to_csv(path, index=False)
    os.utime(path, (time, time))


def sides(found: RunRecords, store: Path) -> tuple[Rows, Rows]:
    """The training and the evaluation rows of a run."""
    assert found.snapshot is not None
    parts = (found.snapshot.training, found.snapshot.evaluation)
    training, evaluation = (set(read_rows(spans, Store(str(store))).itertuples(index=False, name=None)) for spans in parts)
    return training, evaluation


def test_a_table_without_a_key_becomes_a_champion_and_its_rows_keep_their_side_as_others_come(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    data.mkdir()
    written(flowers(600), data / "flowers.csv", 1e9)
    files, mistakes = new_pipeline(
        "flowers", "ours", str(data / "flowers.csv"), "species", dags=tmp_path / "dags", data_root=str(data)
    )
    assert not mistakes
    first = run(files[0], data=str(data), home=home)
    assert first.snapshot is not None
    assert first.summary is not None
    assert first.candidate is not None
    assert (first.summary.outcome, first.snapshot.split) == (
        Outcome.FIRST_CHAMPION,
        SplitRule(evaluation=0.2, stratify="species"),
    )
    again = run(files[0], span="1", until="train", data=str(data), home=home)
    assert again.candidate is not None
    assert (again.snapshot, again.candidate.version) == (first.snapshot, first.candidate.version)

    files[0].write_text(files[0].read_text().replace('{stratify: "species", evaluation: 0.2}', "{evaluation: 0.2}"))
    before = run(files[0], span="1", until="ingest", data=str(data), home=home)
    written(pd.concat([flowers(300, 1), flowers(600)]).sample(frac=1, random_state=0), data / "flowers.csv", 1.1e9)
    after = run(files[0], until="ingest", data=str(data), home=home)
    (trained, evaluated), (trained_now, evaluated_now) = sides(before, home / "store"), sides(after, home / "store")
    assert trained | evaluated == set(flowers(600).itertuples(index=False, name=None))
    assert not trained_now & evaluated_now
    assert trained < trained_now
    assert evaluated < evaluated_now


def test_a_table_is_decided_month_by_month_and_a_month_again_if_its_rows_change(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"order_id": range(HOURS), "amount": rng.uniform(0, 900, HOURS).round(2), "country": "NO"})
    rows["returned"] = rng.random(HOURS) < rows["amount"] / 900
    rows["ordered_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rows.index * 60, unit="min")
    table, home, decided = tmp_path / "all_orders.csv", tmp_path / "home", []
    later = rows.assign(ordered_at=rows["ordered_at"] + pd.Timedelta(days=59), order_id=rows["order_id"] + HOURS)
    corrected = later.assign(amount=later["amount"].where(later["ordered_at"] > "2026-03-10", 1.0))
    for at, content in enumerate((rows, rows, pd.concat([rows, later]), pd.concat([rows, corrected]))):
        written(content, table, 1e9 + at)
        found = run(EXAMPLES / "by_table.pipeline.yaml", data=str(tmp_path), home=home)
        decided.append(found.summary.span.name if found.summary is not None else None)
    assert decided == ["2026-02", None, "2026-03", "2026-03"]


def test_penguins_without_a_key_become_a_champion(tmp_path: Path) -> None:
    file = shared_data("penguins_labelled.csv")
    (pipeline, *_), mistakes = new_pipeline(
        "penguins", "ours", str(file), "species", dags=tmp_path / "dags", data_root=str(file.parent)
    )
    assert not mistakes
    found = run(pipeline, data=str(file.parent), home=tmp_path / "home")
    assert found.verdict is not None
    assert found.verdict.status is Status.PASS, found.verdict
    trained, evaluated = sides(found, tmp_path / "home" / "store")
    assert not trained & evaluated
    species = pd.Series([row[0] for row in evaluated]).value_counts()
    assert (len(species), species.sum()) == (3, 67)
