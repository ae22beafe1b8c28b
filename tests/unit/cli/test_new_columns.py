"""`taxiway new`: what it makes of the columns, and what it remarks on them."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli.drafting import drafted, months, new, orders, unlike

from taxiway.cli.new.draft import draft_pipeline
from taxiway.data.ingest.ingest import ingest
from taxiway.data.schema.constraints import Range
from taxiway.data.schema.file import load_schema
from taxiway.data.sources.files import find_spans
from taxiway.data.validation.snapshot import validate_snapshot
from taxiway.records import Status
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.source import FileSource
from taxiway.spec.source.csv_options import CsvOptions
from taxiway.store import Store


def test_a_numeric_column_that_has_left_the_source_is_no_obstacle(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for month in (1, 2, 3):
        rows = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400), "y": rng.integers(0, 2, 400)})
        (rows if month < 3 else rows.drop(columns="b")).to_csv(tmp_path / f"2024-0{month}.csv", index=False)
    code, shown = new(
        tmp_path / "dags", tmp_path, "m", "--from", str(tmp_path / "{YYYY}-{MM}.csv"), "--label", "y", "--team", "t"
    )
    assert code == 0, shown


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
