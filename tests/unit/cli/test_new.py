"""`taxiway new`: a draft from real data that lints, passes its own data, and says what people have to decide."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.data.ingest.ingest import ingest
from taxiway.data.schema.file import load_schema
from taxiway.data.sources.files import find_spans
from taxiway.data.validation.validate import validate_snapshot
from taxiway.demo.bikes import lay_out_rentals
from taxiway.records import Status
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.pipeline_file import read_pipeline
from taxiway.spec.source import FileSource
from taxiway.spec.source.csv_options import CsvOptions
from taxiway.store import Store


def rentals(folder: Path, months: int) -> Path:
    """The folder with the first so many months of rentals; each that a pipeline is drafted from costs a third of a second."""
    lay_out_rentals(folder / "rentals")
    for later in sorted((folder / "rentals").glob("*.parquet"))[months:]:
        later.unlink()
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rentals(tmp_path_factory.mktemp("data"), 4)


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
    assert "`registered` is highly correlated with the label (r = 0.97). Drop it if it is only known after the label." in readme
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
            "--from nowhere: expected a folder of dated Parquet files or a pattern, got nothing",
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
        (["a", "b", "c"] * 4, "the label y has the type string and the values a, b, c"),
        ([1.0, None, 3.0] * 4, "the label y is missing in 8 rows"),
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
        rows = pd.DataFrame({"id": range(40 * span, 40 * span + 40), "x": [1.0, 2.0] * 20, "late": [True, False] * 20})
        rows["endless"] = [float("inf"), 1.0] * 20
        rows["nothing"] = None
        rows["list"] = [[1, 2]] * 40
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
    assert "`endless` (infinite in 40 rows" in readme
    assert "`nothing` (the same value in all rows)" in readme
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
