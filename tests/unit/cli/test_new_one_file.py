"""`taxiway new` from one file: how its rows are split, and when it is due again."""

import os
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pandas as pd
import pytest
from cli.drafting import drafted, new, unlike

from taxiway.cli.new.draft import draft_pipeline
from taxiway.cli.new.page import readme_text
from taxiway.cli.new.texts import pipeline_text
from taxiway.records import Outcome
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.source.selection import Split
from taxiway.stages.runner import run


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("all.csv", lambda rows, path: rows.to_csv(path, index=False)),
        ("all.csv.gz", lambda rows, path: rows.to_csv(path, index=False)),
        ("all.jsonl", lambda rows, path: rows.to_json(path, orient="records", lines=True)),
        ("all.json.gz", lambda rows, path: rows.to_json(path, orient="records", lines=True)),
        ("all.parquet", lambda rows, path: rows.to_parquet(path)),
        ("all.pq", lambda rows, path: rows.to_parquet(path)),
    ],
)
def test_one_file_is_split_by_its_key(tmp_path: Path, name: str, write: Callable[[pd.DataFrame, Path], None]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write(unlike(400), data / name)
    source = drafted(tmp_path / "dags", data, str(data / name), "late").source
    assert (source.spans, source.window, source.split) == (f"{{data}}/{name}", 1, Split(by="id", evaluation=0.2))


def test_one_file_becomes_a_champion_and_is_due_again_when_it_is_written_over(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    unlike(500).to_csv(data / "all.csv", index=False)
    os.utime(data / "all.csv", (1e9, 1e9))
    drafted(tmp_path / "dags", data, str(data / "all.csv"), "late")
    pipeline = tmp_path / "dags" / "ours" / "drafted.pipeline.yaml"
    found = run(pipeline, data=str(data), home=tmp_path / "home")
    assert found.summary is not None
    assert (found.summary.outcome, found.summary.span.version // 10**5) == (Outcome.FIRST_CHAMPION, 20010909014640)
    assert run(pipeline, data=str(data), home=tmp_path / "home").snapshot is None
    pd.concat([unlike(500), unlike(300, 1)]).to_csv(data / "all.csv", index=False)
    os.utime(data / "all.csv", (1.1e9, 1.1e9))
    again = run(pipeline, data=str(data), home=tmp_path / "home")
    assert again.summary is not None
    assert (again.summary.span.version // 10**5, again.report is not None) == (20041109113320, True)
    assert again.verdict is not None
    assert again.verdict.champion == 1


def test_one_file_without_a_key_is_split_at_random_and_says_so(tmp_path: Path) -> None:
    rows = unlike(400).assign(customer=lambda r: r.id % 90, at=pd.date_range("2013-01-01", periods=400, freq="12h").date)
    rows.drop(columns="id").to_csv(tmp_path / "all.csv", index=False)
    arguments = ["m", "--from", str(tmp_path / "all.csv"), "--label", "late", "--team", "ours"]
    code, shown = new(tmp_path / "dags", tmp_path, *arguments)
    assert code == 0, shown
    held_out = (
        "no column is unique for every row, so a random 20% of the rows for each value of late is held out for evaluation"
    )
    again = "draft it again with --split-by COLUMN; columns with many values: customer (90 values)"
    assert f"note: the data is one span: {held_out}" in shown
    assert again in shown
    text = (tmp_path / "dags" / "ours" / "m.pipeline.yaml").read_text()
    assert f"# N{held_out[1:]}.\n" in text
    assert '# split: {by_time: "at", evaluation: 0.2} evaluates on the newest rows instead.\n' in text
    page = (tmp_path / "dags" / "ours" / "m.md").read_text()
    assert again.replace("--split-by COLUMN", "`--split-by COLUMN`") in page
    assert '`split: {by_time: "at", evaluation: 0.2}` evaluates on the newest rows instead.' in page
    source = read_pipeline(tmp_path / "dags" / "ours" / "m.pipeline.yaml").source
    assert (source.window, source.split) == (1, Split(stratify="late", evaluation=0.2))


def test_a_number_without_a_key_is_split_at_random_without_strata(tmp_path: Path) -> None:
    rows = unlike(400).drop(columns="id").assign(a=pd.Timestamp("2013-01-01"), x=lambda r: r.x.round(1))
    rows.to_parquet(tmp_path / "all.parquet")
    source = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.parquet"), "x").source
    assert source.split == Split(evaluation=0.2)
    text = (tmp_path / "dags" / "ours" / "drafted.pipeline.yaml").read_text()
    assert "by_time" not in text, "a date that is the same in all rows does not span time"


def test_rows_of_one_customer_stay_together_if_a_person_says_so(tmp_path: Path) -> None:
    rows = unlike(400).assign(customer=lambda r: r.id % 90)
    rows.drop(columns="id").to_csv(tmp_path / "all.csv", index=False)
    arguments = ["m", "--from", str(tmp_path / "all.csv"), "--label", "late", "--team", "ours"]
    code, shown = new(tmp_path / "dags", tmp_path, *arguments, "--split-by", "custmer")
    assert (code, 'did you mean "customer"' in shown) == (1, True), shown
    code, shown = new(tmp_path / "dags", tmp_path, *arguments, "--split-by", "customer")
    assert code == 0, shown
    pipeline = read_pipeline(tmp_path / "dags" / "ours" / "m.pipeline.yaml")
    assert pipeline.source.split == Split(by="customer", evaluation=0.2)
    assert "customer" in pipeline.features.drop


def test_a_file_on_a_server_without_times_is_not_said_to_be_due_again(tmp_path: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/drafted/all.csv", unlike(400).to_csv(index=False).encode())
    try:
        dated = draft_pipeline("memory://drafted/all.csv", "late")
    finally:
        fs.rm("/drafted", recursive=True)
    unlike(400).to_csv(tmp_path / "all.csv", index=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        undated = draft_pipeline(f"http://127.0.0.1:{server.server_port}/all.csv", "late")
    finally:
        server.shutdown()
        server.server_close()
    for draft, is_due in ((dated, True), (undated, False)):
        for text in (
            pipeline_text("m", "t", draft, "/data", has_gateway=False),
            readme_text("m", "t", draft, tmp_path, "/data", None),
        ):
            assert ("the span is due again" in text, "is not due again" in text) == (is_due, not is_due)


@pytest.mark.parametrize(("rows", "lowered"), [(1000, 140), (4000, None)])
def test_the_gate_of_few_rows_asks_for_no_more_than_they_can_give(tmp_path: Path, rows: int, lowered: int | None) -> None:
    unlike(rows).to_csv(tmp_path / "all.csv", index=False)
    gate = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.csv"), "late").gate
    assert gate.min_rows == (lowered or 300)
    text = (tmp_path / "dags" / "ours" / "drafted.pipeline.yaml").read_text()
    assert ("so gate.min_rows is 140 instead of 300, and a roc_auc below about" in text) == (lowered is not None)
