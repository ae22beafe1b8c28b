"""`taxiway schema`: a schema drafted, read, compared, changed and matured from the command line."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from helping import shared_data
from taxiway.cli import main
from taxiway.data.schema.file import load_schema

Run = Callable[..., Result]


def run(*arguments: str | Path, answers: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=answers, env={"COLUMNS": "200"})


@pytest.fixture
def penguins(tmp_path: Path) -> Path:
    """The schema inferred from labelled penguins, with ranges and limits of drift."""
    file = tmp_path / "penguins.schema.yaml"
    made = run(
        "schema", "infer", shared_data("penguins_labelled.csv"), "-o", file, "--label", "species", "--ranges", "observed"
    )
    assert made.exit_code == 0, made.output
    file.write_text(file.read_text().replace("    type: number\n", "    type: number\n    drift: {limit: 0.1}\n"))
    return file


def test_one_skewed_penguin_is_one_anomaly_with_its_row_and_no_drift(penguins: Path) -> None:
    found = run(
        "validate", shared_data("penguins_skewed.csv"), "--schema", penguins, "--previous", shared_data("penguins_labelled.csv"),
        "--json",
    )  # fmt: skip
    assert found.exit_code == 1
    report = json.loads(found.stdout)
    (anomaly,) = report["anomalies"]
    assert (anomaly["kind"], anomaly["column"], anomaly["rows"]) == ("range", "culmen_length_mm", [2])


@pytest.mark.parametrize(
    ("environment", "code", "kinds"), [("SERVING", 0, []), ("TRAINING", 1, ["label_missing"]), ("SERVNG", 2, None)]
)
def test_unlabelled_penguins_are_fit_for_serving_only(
    penguins: Path, environment: str, code: int, kinds: list[str] | None
) -> None:
    data = shared_data("penguins_unlabelled.csv")
    found = run("validate", data, "--schema", penguins, "--environment", environment, "--json")
    assert found.exit_code == code
    if kinds is not None:
        assert [anomaly["kind"] for anomaly in json.loads(found.stdout)["anomalies"]] == kinds


def test_a_draft_is_never_written_over_unless_it_is_forced(penguins: Path) -> None:
    before = penguins.read_text()
    again = ("schema", "infer", shared_data("penguins_unlabelled.csv"), "-o", penguins)
    refused = run(*again)
    assert (refused.exit_code, penguins.read_text()) == (2, before)
    assert "--force" in refused.output
    done = run(*again, "--force")
    assert (done.exit_code, load_schema(penguins).label) == (0, None)
    assert "no label" in done.output
    assert "next: review" in done.output


def test_a_wrong_label_is_a_usage_error(tmp_path: Path) -> None:
    refused = run("schema", "infer", shared_data("titanic.csv"), "-o", tmp_path / "x.yaml", "--label", "survived")
    assert refused.exit_code == 2
    assert 'did you mean "Survived"' in refused.output
    assert not (tmp_path / "x.yaml").exists()


def test_suggestions_stand_beside_their_columns_and_bind_nobody(tmp_path: Path) -> None:
    plain, commented = tmp_path / "plain.yaml", tmp_path / "commented.yaml"
    assert run("schema", "infer", shared_data("titanic.csv"), "-o", plain).exit_code == 0
    done = run("schema", "infer", shared_data("titanic.csv"), "-o", commented, "--suggest")
    assert load_schema(plain) == load_schema(commented)
    lines = commented.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  Age:"))
    above = " ".join(lines[at - 2 : at])
    assert (
        "# suggested: presence: {min_fraction: 0.77} (RetainCompleteness: 714 of 891 rows (80.1%) have a value; held out: "
        in above
    )
    assert f"{sum('# suggested: ' in line for line in lines)} suggestions" in done.output
    assert "CompleteIfComplete" not in commented.read_text(), "the draft asks for it already"


def test_columns_without_statistics_are_left_out_and_named(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1], "b": [{"x": 1}]}).to_parquet(tmp_path / "x.parquet")
    done = run("schema", "infer", tmp_path / "x.parquet", "-o", tmp_path / "x.yaml")
    assert done.exit_code == 0
    assert "left out: b has the type STRUCT" in done.output


def test_a_schema_is_shown_as_a_table(penguins: Path) -> None:
    shown = run("schema", "show", penguins)
    assert shown.exit_code == 0
    assert "species (label)" in shown.output
    assert "0 to 1" in shown.output
    assert "TRAINING" in shown.output
    assert "owner" not in shown.output, "nobody owns a column"
    assert json.loads(run("schema", "show", penguins, "--json").stdout)["label"] == "species"
    whole = run("schema", "show", Path(__file__).parents[3] / "dags" / "flights" / "late_arrivals.schema.yaml")
    assert "flight_id (key)" in whole.output
    assert "two-letter code of the carrier" in whole.output.replace("\n", " ")


def test_a_difference_is_listed_change_by_change(penguins: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = penguins.read_text().replace("max: 1}", "max: 2}", 1).replace("min_rows: 1", "min_rows: 5")
    other.write_text(text.replace("  body_mass_g:", "  mass: {type: number}\n  body_mass:") + "rules:\n  r: {sql: mass > 0}\n")
    found = run("schema", "diff", penguins, other)
    assert found.exit_code == 1
    for line in (
        "min_rows: 1 -> 5",
        "features.culmen_length_mm.range: 0 to 1 -> 0 to 2",
        "features.body_mass_g: removed (type: number",
        "features.mass: added (type: number)",
        "rules.r: none -> sql: mass > 0",
    ):
        assert line in found.output
    assert run("schema", "diff", penguins, penguins).exit_code == 0


@pytest.mark.parametrize(
    ("accept", "answers", "code", "widened"),
    [
        (["all"], None, 0, True),
        (["culmen_length_mm"], None, 0, True),
        (["culmen_length_mm.range"], None, 0, True),
        ([], "y\n", 0, True),
        ([], "n\n", 1, False),
        ([], "", 1, False),
        (["body_mass_g"], None, 2, False),
    ],
)
def test_only_what_is_accepted_is_changed(
    penguins: Path, accept: list[str], answers: str | None, code: int, widened: bool
) -> None:
    penguins.write_text(penguins.read_text().replace("  culmen_length_mm:\n", "  culmen_length_mm:    # of the bill\n"))
    before, data = penguins.read_text(), shared_data("penguins_skewed.csv")
    done = run(
        "schema", "update", penguins, "--from", data, *[part for name in accept for part in ("--accept", name)], answers=answers
    )
    assert done.exit_code == code, done.output
    if widened:
        assert "in 1 of 334 rows" in done.output
        assert "change: features.culmen_length_mm.range: {min: -1, max: 1}" in done.output
        assert penguins.read_text() == before.replace("{min: 0, max: 1}", "{min: -1, max: 1}", 1)
        assert run("validate", data, "--schema", penguins).exit_code == 0
    else:
        assert penguins.read_text() == before


def test_a_file_that_fits_needs_no_change_and_other_anomalies_are_reported(penguins: Path) -> None:
    before = penguins.read_text()
    fits = run("schema", "update", penguins, "--from", shared_data("penguins_labelled.csv"))
    assert (fits.exit_code, penguins.read_text()) == (0, before)
    assert "nothing to change" in fits.output
    missing = run("schema", "update", penguins, "--from", shared_data("penguins_unlabelled.csv"))
    assert "cannot be fixed by a change of the schema: species" in missing.output
    assert penguins.read_text() == before


def test_the_second_half_of_the_taxis_passes_once_its_changes_are_accepted(tmp_path: Path) -> None:
    header, *rows = shared_data("chicago_taxi_big_tipper.csv").read_text().splitlines()
    for name, half in (("first", rows[: len(rows) // 2]), ("second", rows[len(rows) // 2 :])):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *half]) + "\n")
    file, second = tmp_path / "taxi.yaml", tmp_path / "second.csv"
    assert run("schema", "infer", tmp_path / "first.csv", "-o", file, "--label", "big_tipper", "--suggest").exit_code == 0
    comments = [line for line in file.read_text().splitlines() if line.lstrip().startswith("#")]
    assert run("validate", second, "--schema", file).exit_code == 1
    done = run("schema", "update", file, "--from", second, "--accept", "all")
    assert done.exit_code == 0, done.output
    assert run("validate", second, "--schema", file).exit_code == 0
    assert run("validate", tmp_path / "first.csv", "--schema", file).exit_code == 0
    assert [line for line in file.read_text().splitlines() if line.lstrip().startswith("#")] == comments


@pytest.fixture
def months(tmp_path: Path) -> Path:
    """A folder of four months with an alpha feature, and its schema."""
    for month in range(1, 5):
        rows = pd.DataFrame({"speed": [month + at / 800 for at in range(400)], "late": [True, False] * 200})
        rows.to_csv(tmp_path / f"2026-0{month}.csv", index=False)
    (tmp_path / "x.yaml").write_text(
        "# Wind.\nlabel: late\nfeatures:\n  speed:     # new station\n    type: number\n    stage: alpha   # tried out\n"
        "    range: {min: 0, max: 4.2}\n  late: {type: boolean}\n"
    )
    return tmp_path


def test_a_feature_is_promoted_on_three_clean_spans(months: Path) -> None:
    before = (months / "x.yaml").read_text()
    done = run("schema", "promote", months / "x.yaml", "speed", "--to", "beta", "--on", months / "2026-0[1-3].csv")
    assert done.exit_code == 0, done.output
    assert done.output.count(": clean") == 3
    today = datetime.now(UTC).date()
    assert (months / "x.yaml").read_text() == before.replace("stage: alpha ", "stage: beta ").replace(
        "max: 4.2}\n", f"max: 4.2}}\n    since: {today}\n"
    )


@pytest.mark.parametrize(
    ("data", "more", "reason"),
    [
        (["2026-01.csv", "2026-02.csv"], [], "2 clean spans; required: at least 3"),
        (["2026-01.csv", "2026-01.csv", "2026-01.csv"], [], "2026-01.csv has the same content as an earlier span"),
        (["2026-0*.csv"], [], "speed in 2026-04.csv is outside 0 to 4.2"),
        (["empty.csv"], ["--spans", "1"], "speed in empty.csv has no value"),
    ],
)
def test_a_promotion_without_evidence_is_refused_with_the_reasons(
    months: Path, data: list[str], more: list[str], reason: str
) -> None:
    (months / "empty.csv").write_text("late\ntrue\nfalse\n")
    before = (months / "x.yaml").read_text()
    on = [part for name in data for part in ("--on", str(months / name))]
    refused = run("schema", "promote", months / "x.yaml", "speed", "--to", "production", *on, *more)
    assert refused.exit_code == 1
    assert reason in refused.output
    assert (months / "x.yaml").read_text() == before


def test_drift_between_the_spans_speaks_against_a_feature(months: Path) -> None:
    file = months / "x.yaml"
    file.write_text(file.read_text().replace("    range:", "    drift: {limit: 0.1}\n    range:"))
    refused = run("schema", "promote", file, "speed", "--to", "beta", "--on", months / "2026-0[1-3].csv")
    assert refused.exit_code == 1
    assert "2026-01.csv: clean" in refused.output
    assert "2026-02.csv: not clean" in refused.output


@pytest.mark.parametrize(
    ("feature", "words"), [("sped", 'did you mean "speed"'), ("late", "late is production and cannot be promoted to beta")]
)
def test_what_cannot_be_promoted_is_a_usage_error(months: Path, feature: str, words: str) -> None:
    refused = run("schema", "promote", months / "x.yaml", feature, "--to", "beta", "--on", months / "2026-01.csv")
    assert refused.exit_code == 2
    assert words in refused.output


def flights(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(__file__).parents[3] / "dags" / "flights", tmp_path / "flights"))


def test_lint_names_blanks_in_one_line_a_schema_and_does_not_fail(tmp_path: Path) -> None:
    found = run("lint", flights(tmp_path))
    assert found.exit_code == 0, found.output
    notes = [line for line in found.output.splitlines() if line.startswith("note: ") and ".schema.yaml: " in line]
    assert len(notes) == len(list((tmp_path / "flights").glob("*.schema.yaml")))
    assert any("late_arrivals.schema.yaml: missing `" in note and " and " in note for note in notes)


@pytest.mark.parametrize(
    ("stage", "waived", "code"), [("alpha", False, 1), ("planned", False, 1), ("alpha", True, 0), ("beta", False, 0)]
)
def test_a_pipeline_that_names_an_immature_feature_is_a_mistake(tmp_path: Path, stage: str, waived: bool, code: int) -> None:
    team = flights(tmp_path)
    schema, pipeline = team / "late_arrivals.schema.yaml", team / "late_arrivals.pipeline.yaml"
    schema.write_text(schema.read_text().replace("  carrier:\n", f"  carrier:\n    stage: {stage}\n", 1))
    if waived:
        waiver = "{kind: stage, column: carrier, owner: ann, reason: trial, until: 2999-01-01}"
        schema.write_text(f"{schema.read_text()}\nwaivers:\n  - {waiver}\n")
    assert run("lint", pipeline).exit_code == 0, "auto leaves it out"
    text = pipeline.read_text()
    assert "categorical: auto" in text
    pipeline.write_text(text.replace("categorical: auto", "categorical: [carrier, origin]"))
    found = run("lint", pipeline)
    assert found.exit_code == code, found.output
    assert ("carrier is " in found.output) == (code == 1)
    if code:
        assert f"late_arrivals.pipeline.yaml:13: carrier is {stage}, and flights.late_arrivals uses it" in found.output


def test_a_deprecated_feature_is_noted_with_all_who_use_it(tmp_path: Path) -> None:
    team = flights(tmp_path)
    schema, pipeline = team / "late_arrivals.schema.yaml", team / "late_arrivals.pipeline.yaml"
    schema.write_text(schema.read_text().replace("  carrier:\n", "  carrier:\n    stage: deprecated\n", 1))
    shutil.copy(team / "late_arrivals.py", team / "second.py")
    (team / "second.pipeline.yaml").write_text(pipeline.read_text().replace("pipeline: late_arrivals", "pipeline: second"))
    found = run("lint", team)
    assert found.exit_code == 0, found.output
    assert (
        "carrier is deprecated, and flights.late_arrivals, flights.second and flights.unguarded_arrivals still use it"
        in found.output
    )
