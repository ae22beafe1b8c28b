"""`taxiway new`: a draft from real data that lints, passes its own data, and says what people have to decide."""

import json
import os
import re
import shlex
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.cli.new.draft import draft_pipeline
from taxiway.cli.new.page import readme_text
from taxiway.cli.new.texts import pipeline_text
from taxiway.data.ingest.ingest import ingest
from taxiway.data.schema.constraints import Range
from taxiway.data.schema.file import load_schema
from taxiway.data.sources.files import find_spans
from taxiway.data.validation.validate import validate_snapshot
from taxiway.demo.bikes import lay_out_rentals
from taxiway.records import Outcome, Status
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.pipeline_file import read_pipeline
from taxiway.spec.source import FileSource
from taxiway.spec.source.csv_options import CsvOptions
from taxiway.spec.source.selection import Split
from taxiway.stages.ingest import next_span
from taxiway.stages.runner import run
from taxiway.store import Store


def rentals(folder: Path, months: int) -> Path:
    """The folder with the first so many months of rentals; each that a pipeline is drafted from takes its time."""
    lay_out_rentals(folder / "rentals")
    for later in sorted((folder / "rentals").glob("*.parquet"))[months:]:
        later.unlink()
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rentals(tmp_path_factory.mktemp("data"), 2)


def new(dags: Path, data: Path, *arguments: str) -> tuple[int, str]:
    shown = CliRunner().invoke(main, ["new", *arguments, "--dags", str(dags), "--data", str(data)])
    return shown.exit_code, shown.output


def drafted(dags: Path, data: Path, source: str, label: str) -> Pipeline:
    code, shown = new(dags, data, "drafted", "--from", source, "--label", label, "--team", "ours")
    assert code == 0, shown
    return read_pipeline(dags / "ours" / "drafted.pipeline.yaml")


def test_rentals_become_a_regression_that_its_own_data_pass(tmp_path: Path) -> None:
    data = rentals(tmp_path / "data", 8)
    pipeline = drafted(tmp_path, data, str(data / "rentals"), "cnt")
    assert pipeline.source.spans == "{data}/rentals/{YYYY}-{MM}.parquet"
    assert (pipeline.gate.problem, pipeline.source.window) == ("regression", 3)
    schema = load_schema(pipeline.schema_file)
    assert schema.key == ("instant",)
    readme = (tmp_path / "ours" / "drafted.md").read_text()
    assert re.search(r"`registered` alone reaches r2 0\.9\d\d\. Drop it if it is only known after the label\.", readme)
    store = Store(str(tmp_path / "store"))
    spans = find_spans(str(data / "rentals" / "{YYYY}-{MM}.parquet"))
    for at in range(3, len(spans)):
        report = validate_snapshot(
            ingest(spans[at - 3 : at + 1], pipeline="p", source="s", store=store), schema, store=store, today=date(2026, 1, 1)
        )
        assert report.status is Status.PASS
        assert report.anomalies == (), report.anomalies


def test_flights_become_a_classification_without_the_names_of_aircraft(tmp_path: Path, flights_folder: Path) -> None:
    source = tmp_path / "data" / "flights"
    source.mkdir(parents=True)
    for month in ("2013-01", "2013-02"):
        shutil.copy(flights_folder / f"{month}.parquet", source)
    pipeline = drafted(tmp_path / "dags", tmp_path / "data", str(source), "late")
    assert (pipeline.gate.problem, pipeline.source.window) == ("classification", 1)
    assert pipeline.features.drop == ("tailnum",)
    assert load_schema(pipeline.schema_file).key == ("flight_id",)
    lint = CliRunner().invoke(main, ["lint", str(tmp_path / "dags")])
    assert lint.exit_code == 0, lint.output


def test_a_pattern_may_say_data_itself(tmp_path: Path, data: Path) -> None:
    assert drafted(tmp_path, data, "{data}/rentals/{YYYY}-{MM}.parquet", "cnt").source.spans.startswith("{data}/rentals/")


def test_a_numeric_column_that_has_left_the_source_is_no_obstacle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for month in (1, 2, 3):
        rows = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400), "y": rng.integers(0, 2, 400)})
        (rows if month < 3 else rows.drop(columns="b")).to_csv(tmp_path / f"2024-0{month}.csv", index=False)
    code, shown = new(
        tmp_path / "dags", tmp_path, "m", "--from", str(tmp_path / "{YYYY}-{MM}.csv"), "--label", "y", "--team", "t"
    )
    assert code == 0, shown


def test_nothing_is_overwritten(tmp_path: Path, data: Path) -> None:
    drafted(tmp_path, data, str(data / "rentals"), "cnt")
    before = {path: path.read_text() for path in (tmp_path / "ours").iterdir()}
    code, shown = new(tmp_path, data, "drafted", "--from", str(data / "rentals"), "--label", "cnt", "--team", "ours")
    assert (code, "nothing is overwritten" in shown) == (1, True)
    assert {path: path.read_text() for path in (tmp_path / "ours").iterdir()} == before


def test_a_team_that_asks_for_more_is_told(tmp_path: Path, data: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "team.yaml").write_text("team: ours\ngate: {thresholds: {r2: 0.7}}\n")
    code, shown = new(tmp_path, data, "drafted", "--from", str(data / "rentals"), "--label", "cnt", "--team", "ours")
    assert code == 1
    assert "gate.thresholds.r2 is 0; required by the team: at least 0.7 (team.yaml)" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("p", "--from", "nowhere", "--label", "cnt", "--team", "t"),
            "--from nowhere does not exist; allowed: a file, a folder of files, or a pattern",
        ),
        (("p", "--from", "{rentals}", "--label", "count", "--team", "t"), 'did you mean "cnt"'),
        (("p", "--from", "{rentals}", "--label", "season", "--team", "t"), ""),
        (("My Pipeline", "--from", "{rentals}", "--label", "cnt", "--team", "t"), 'the name of the pipeline is "My Pipeline"'),
        (("p", "--from", "{rentals}", "--label", "cnt", "--team", "../t"), 'the name of the team is "../t"'),
        (("p", "--from", "{rentals}/2011-{MM}.parquet", "--label", "cnt", "--team", "t"), "{MM}"),
    ],
)
def test_a_draft_that_fails_is_a_message_and_writes_nothing(
    tmp_path: Path, data: Path, arguments: tuple[str, ...], words: str
) -> None:
    given = [argument.replace("{rentals}", str(data / "rentals")) for argument in arguments]
    code, shown = new(tmp_path, data, *given)
    assert (code, words in shown) == (1 if words else 0, True), shown
    if words:
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([*"abcdefghijkl"], 'the label y has the type string and the values "a", "b", "c" and 9 more in 24 rows'),
        ([1.0, None, 1.0] * 4, 'the label y has the type number and the values "1"'),
        ([None] * 12, "the label y has the type string and no values"),
    ],
)
def test_a_label_that_cannot_be_predicted_is_a_message(tmp_path: Path, labels: list[object], words: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for span in (1, 2):
        pd.DataFrame({"x": range(12), "y": labels}).to_parquet(source / f"{span}.parquet")
    code, shown = new(tmp_path / "dags", tmp_path, "p", "--from", str(source), "--label", "y", "--team", "t")
    assert (code, words in shown) == (1, True), shown


def test_columns_that_no_model_can_take_are_left_out_and_named(tmp_path: Path) -> None:
    source = tmp_path / "data" / "odd"
    source.mkdir(parents=True)
    for span in (1, 2):
        rows = pd.DataFrame(
            {"id": range(40 * span, 40 * span + 40), "x": [1.0, 1.0, 2.0, 2.0] * 10, "late": [True, False] * 20}
        )
        rows["endless"] = [float("inf"), float("inf"), 1.0, 1.0] * 10
        rows["nothing"] = None
        rows["list"] = [[1, 2]] * 40
        rows["days"] = [[date(2026, 1, 1)]] * 40
        rows["a \U0001f600 name"] = range(40)
        rows.to_parquet(source / f"{span}.parquet")
    pipeline = drafted(tmp_path / "dags", tmp_path / "data", str(source), "late")
    schema = load_schema(pipeline.schema_file)
    assert "endless" in pipeline.features.drop
    assert pipeline.features.drop == ("endless", "nothing")
    assert "# no values in the data: the type is a guess" in Path(pipeline.schema_file).read_text()
    listed = schema.feature("list")
    assert listed is not None
    assert listed.type == "list"
    assert schema.feature("a \U0001f600 name") is not None
    readme = (tmp_path / "dags" / "ours" / "drafted.md").read_text()
    assert "* `endless`: infinite in 40 rows" in readme
    assert "* `nothing`: the same value in all rows." in readme
    assert "* `days`: of type DATE[], which is no feature; allowed: lists of texts, integers, booleans or numbers" in readme
    assert "`list`" not in readme
    typical = draft_pipeline(f"{source}/{{SPAN}}.parquet", "late").typical
    assert typical["list"] == [1, 2]
    assert "days" not in typical
    assert "# list: lists, of which the model gets" in (tmp_path / "dags" / "ours" / "drafted.pipeline.yaml").read_text()
    store = Store(str(tmp_path / "store"))
    snapshot = ingest(find_spans(f"{source}/{{SPAN}}.parquet"), pipeline="p", source="s", store=store)
    assert validate_snapshot(snapshot, schema, store=store, today=date(2026, 1, 1)).status is Status.PASS


def test_a_label_without_an_end_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for span in (1, 2):
        pd.DataFrame({"x": range(12), "y": [1.0, 2.0, float("inf")] * 4}).to_parquet(source / f"{span}.parquet")
    code, shown = new(tmp_path / "dags", tmp_path, "p", "--from", str(source), "--label", "y", "--team", "t")
    assert (code, "y is infinite in 8 rows" in shown) == (1, True), shown
    assert not (tmp_path / "dags").exists()


def unlike(rows: int, seed: int = 0) -> pd.DataFrame:
    """Rows of a table with an id, a code, a number and a label that the number is about."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    late = np.where(x + rng.normal(size=rows) > 0, "yes", "no")
    return pd.DataFrame({"id": np.arange(rows) + 1000 * seed, "code": rng.integers(1, 5, rows), "x": x, "late": late})


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


def test_signs_that_yaml_does_not_print_are_escaped(tmp_path: Path) -> None:
    label = "la\x7fte\x85\ufeff\U0001f600"
    unlike(400).rename(columns={"late": label}).to_parquet(tmp_path / "all.parquet")
    pipeline = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.parquet"), label)
    assert pipeline.source.label == label


@pytest.mark.parametrize(("rows", "lowered"), [(1000, 140), (4000, None)])
def test_the_gate_of_few_rows_asks_for_no_more_than_they_can_give(tmp_path: Path, rows: int, lowered: int | None) -> None:
    unlike(rows).to_csv(tmp_path / "all.csv", index=False)
    gate = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.csv"), "late").gate
    assert gate.min_rows == (lowered or 300)
    text = (tmp_path / "dags" / "ours" / "drafted.pipeline.yaml").read_text()
    assert ("so gate.min_rows is 140 instead of 300, and a roc_auc below about" in text) == (lowered is not None)


def test_codes_get_a_domain_and_numbers_of_periods_do_not(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for month in (1, 2, 3):
        rows = unlike(300, month).assign(month=month, zone=lambda r: "0" + r.code.astype(str))
        rows.to_csv(tmp_path / "data" / f"2024-0{month}.csv", index=False)
    pipeline = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "data"), "late")
    schema = {feature.name: feature for feature in load_schema(pipeline.schema_file).features}
    assert schema["code"].domain == (1, 2, 3, 4)
    assert schema["zone"].domain == ("01", "02", "03", "04")
    assert (schema["month"].domain, schema["id"].domain) == (None, None)
    assert "domain: ['01', '02', '03', '04']" in Path(pipeline.schema_file).read_text()


def test_codes_with_zeros_before_them_in_one_month_only_are_remarked_on(tmp_path: Path) -> None:
    pattern = months(tmp_path / "data" / "orders", orders("01067", "10115"), orders("1067", "10115"))
    arguments = ["--from", pattern, "--label", "late", "--team", "t"]
    code, shown = new(tmp_path / "dags", tmp_path / "data", "m", *arguments)
    assert (code, 'note: zip: digits with and without zeros before them: "01067" and "1067" may be the same code' in shown) == (
        0,
        True,
    )


def test_dates_are_features_and_said_to_be(tmp_path: Path) -> None:
    rows = unlike(400).assign(at="2024-05-01", since=lambda r: "2024-05-01 10:00:" + (r.id % 60).astype(str).str.zfill(2))
    rows["price"] = [f"{at},{at % 100:02d}" for at in rows.id]
    rows.to_csv(tmp_path / "all.csv", index=False, sep=";")
    drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.csv"), "late")
    page = (tmp_path / "dags" / "ours" / "drafted.md").read_text()
    pipeline = (tmp_path / "dags" / "ours" / "drafted.pipeline.yaml").read_text()
    assert "  # at: a date, from which the model gets parts such as the weekday and the hour\n" in pipeline
    typical = draft_pipeline(str(tmp_path / "all.csv"), "late").typical
    assert (typical["at"], str(typical["since"])[:17]) == ("2024-05-01", "2024-05-01T10:00:")
    assert "look like numbers with a decimal comma; in CSV, csv: {decimal: ','" in page
    assert "memorize" not in page


def test_the_page_names_the_commands_that_fit_the_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / ".taxiway" / "data"
    data.mkdir(parents=True)
    unlike(400).to_csv(data / "all.csv", index=False)
    given = ["--from", "{data}/all.csv", "--label", "late", "--team", "t"]
    assert CliRunner().invoke(main, ["new", "here", *given]).exit_code == 0
    here = Path("dags/t/here.md").read_text()
    assert "taxiway run dags/t/here.pipeline.yaml\ntaxiway up --dags dags " in here
    assert CliRunner().invoke(main, ["new", "there", *given, "--data", str(data)]).exit_code == 0
    there = Path("dags/t/there.md").read_text()
    assert f"taxiway run dags/t/there.pipeline.yaml --data {data}\n```" in there
    assert f"the setting `[taxiway] data`, which must be `{data}`" in there


def test_a_draft_beside_a_running_stack_names_its_gateway_and_a_request(tmp_path: Path) -> None:
    unlike(400).assign(plan=lambda r: np.where(r.code > 2, "it's", "é"), open=lambda r: r.code > 1).to_csv(
        tmp_path / "all.csv", index=False
    )
    draft = draft_pipeline(str(tmp_path / "all.csv"), "late")
    assert "gateway: taxiway_gateway  " in pipeline_text("m", "t", draft, str(tmp_path), has_gateway=True)
    assert "gateway:" not in pipeline_text("m", "t", draft, str(tmp_path), has_gateway=False)
    page = readme_text("m", "t", draft, Path("dags"), str(tmp_path), "http://127.0.0.1:8500")
    request = shlex.split(page[page.index("curl ") : page.index("```\n\n## Then")])
    assert request[-1] == "http://127.0.0.1:8500/models/t.m/invocations"
    (row,) = json.loads(request[request.index("-d") + 1])["dataframe_records"]
    assert {name: type(value) for name, value in row.items()} == {"code": int, "x": float, "plan": str, "open": bool}
    assert "curl" not in readme_text("m", "t", draft, Path("dags"), str(tmp_path), None)


def months(folder: Path, *texts: str, ending: str = "csv") -> str:
    folder.mkdir(parents=True)
    for at, text in enumerate(texts, start=1):
        (folder / f"2024-{at:02d}.{ending}").write_text(text)
    return f"{folder}/{{YYYY}}-{{MM}}.{ending}"


def orders(*zips: str) -> str:
    rows = [f"{at},{zips[at % len(zips)]},{'true' if at % 3 else 'false'}" for at in range(12)]
    return "\n".join(["id,zip,late", *rows]) + "\n"


def test_a_zip_code_is_text_in_every_month(tmp_path: Path) -> None:
    pattern = months(tmp_path / "data" / "orders", orders("01067", "10115"), orders("10115", "80331"), orders("04109"))
    pipeline = drafted(tmp_path / "dags", tmp_path / "data", pattern, "late")
    schema = load_schema(pipeline.schema_file)
    feature = schema.feature("zip")
    assert feature is not None
    assert (feature.type, feature.domain) == ("string", None)


def test_a_column_without_values_in_a_month_has_the_type_of_the_others(tmp_path: Path) -> None:
    texts = [orders("1").replace(",1,", ",,"), orders("1.5", "2.5")]
    schema = load_schema(
        drafted(tmp_path / "dags", tmp_path / "data", months(tmp_path / "data" / "o", *texts), "late").schema_file
    )
    feature = schema.feature("zip")
    assert feature is not None
    assert (feature.type, feature.presence) == ("number", 0)


def test_files_with_an_index_of_pandas_are_drafted_and_the_index_is_remarked_on(tmp_path: Path) -> None:
    source = tmp_path / "data" / "odd"
    source.mkdir(parents=True)
    for span in (1, 2):
        rows = pd.DataFrame({"x": [1.0, 2.0] * 20, "late": [True, False] * 20}, index=list(range(40, 80)))
        rows.sample(frac=1, random_state=span).to_parquet(source / f"{span}.parquet")
    code, shown = new(tmp_path, tmp_path / "data", "drafted", "--from", str(source), "--label", "late", "--team", "ours")
    assert (code, "note: __index_level_0__: the index of a pandas DataFrame" in shown) == (0, True), shown
    assert read_pipeline(tmp_path / "ours" / "drafted.pipeline.yaml").features.drop == ("__index_level_0__",)


def test_options_are_written_into_the_draft_and_remarks_beside_the_columns(tmp_path: Path) -> None:
    text = "id;price;ok;late\n" + "".join(
        f"{at};{at},5;{'Y' if at % 2 else 'N'};{'true' if at % 3 else 'false'}\n" for at in range(12)
    )
    pattern = months(tmp_path / "data" / "o", text, text.replace("0;0,5", "20;0,5"))
    arguments = ["--from", pattern, "--label", "late", "--team", "ours", "--csv", "delimiter=;"]
    assert new(tmp_path / "a", tmp_path / "data", "drafted", *arguments)[0] == 0
    assert "look like numbers with a decimal comma" in (tmp_path / "a" / "ours" / "drafted.schema.yaml").read_text()
    code, shown = new(tmp_path / "b", tmp_path / "data", "drafted", *arguments, "--csv", "decimal=,")
    assert code == 0, shown
    pipeline = read_pipeline(tmp_path / "b" / "ours" / "drafted.pipeline.yaml")
    assert isinstance(pipeline.source, FileSource)
    assert pipeline.source.csv == CsvOptions(delimiter=";", decimal=",")
    schema = load_schema(pipeline.schema_file)
    assert [(feature.name, feature.type) for feature in schema.features][1:3] == [("price", "number"), ("ok", "string")]
    assert "# the texts look like booleans" in Path(pipeline.schema_file).read_text()


@pytest.mark.parametrize("types", [("int64", "float64"), ("float64", "float64")])
def test_integers_that_files_have_as_floats_are_keys_and_labels(tmp_path: Path, types: tuple[str, str]) -> None:
    rng = np.random.default_rng(5)
    for month, type_ in enumerate(types, start=1):
        rows = pd.DataFrame({"loan": np.arange(400) + 1000 * month, "amount": rng.normal(size=400), "default": [0, 1] * 200})
        (tmp_path / "loans").mkdir(exist_ok=True)
        rows.astype({"loan": type_, "default": type_}).to_parquet(tmp_path / f"loans/2026-0{month}.parquet")
    pipeline = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "loans"), "default")
    schema = load_schema(Path(pipeline.schema_file))
    assert schema.key == ("loan",)
    assert schema.feature("loan").type == "integer"
    is_known = types[0] == "int64"  # floats alone may be amounts
    label = schema.feature("default")
    assert (label.type, label.range) == (("integer", Range(min=0, max=1)) if is_known else ("number", None))


def test_columns_that_come_and_go_and_change_their_type_are_listed(tmp_path: Path) -> None:
    (tmp_path / "loans").mkdir()
    for month in range(1, 5):
        rows = pd.DataFrame({"loan": np.arange(400) + 1000 * month, "score": range(400), "default": [0, 1] * 200})
        rows = rows.rename(columns={"score": "fax"}) if month < 3 else rows.astype({"default": "float64"})
        rows.to_parquet(tmp_path / f"loans/2026-0{month}.parquet")
    drafted(tmp_path / "dags", tmp_path, str(tmp_path / "loans"), "default")
    page = (tmp_path / "dags/ours/drafted.md").read_text()
    assert "* `fax`: only in 2 of 4 spans: 2026-01 to 2026-02." in page
    assert "* `score`: only in 2 of 4 spans: 2026-03 to 2026-04." in page
    assert "* `default`: integer in 2026-01 to 2026-02, number in 2026-03 to 2026-04." in page
