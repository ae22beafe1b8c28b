"""`taxiway lint` and `taxiway schema-json`, for editors and continuous integration."""

import json
import shutil
from pathlib import Path

import pytest
from cli.linting import DAGS, change, lint
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.cli.lint import STUB


def test_the_pipelines_of_this_repository_have_no_mistakes() -> None:
    code, shown = lint(DAGS)
    assert (code, "no mistakes" in shown) == (0, True), shown


def test_mistakes_and_notes_in_several_folders_name_the_folder(team: Path) -> None:
    other = Path(shutil.copytree(DAGS / "bikes", team.parent / "bikes"))
    change(team / "late_arrivals.pipeline.yaml", "team: flights", "teem: flights")
    schema = other / "hourly_rentals.schema.yaml"
    change(schema, "unit: ", "owner: ")
    _, shown = lint(team, other)
    assert f"{team}/late_arrivals.pipeline.yaml:3: teem is not an allowed key" in shown
    assert f"note: {schema}: missing" in shown


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("pipeline.yaml", "team: flights", "teem: flights", "late_arrivals.pipeline.yaml:3: teem is not an allowed key"),
        ("schema.yaml", "label: late", "label: engine", 'the schema has the label "engine"'),
        ("schema.yaml", "label: late\n", "", 'source.label is "late", but the schema has no label'),
        ("schema.yaml", "type: string", "type: strng", "late_arrivals.schema.yaml"),
        ("suite.json", "{", "[", "late_arrivals.suite.json"),
        ("py", "airflow", "air flow", 'late_arrivals.py:1: Airflow skips files without the words "airflow" and "dag"'),
    ],
)
def test_a_mistake_is_found_with_its_place(team: Path, file: str, old: str, new: str, expected: str) -> None:
    change(team / f"late_arrivals.{file}", old, new)
    code, shown = lint(team)
    assert code == 1
    assert expected in shown


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("late_arrivals.pipeline.yaml", "thresholds:", "floors:", "gate.floors was renamed; write thresholds"),
        ("late_arrivals.pipeline.yaml", "confidence:", "reliability:", "gate.reliability was renamed; write confidence"),
        ("late_arrivals.pipeline.yaml", "min_improvement:", "min_gain:", "min_gain was renamed; write min_improvement"),
        ("late_arrivals.pipeline.yaml", "  label: late", "  label: late\n  deny: []", "source.deny was renamed; write exclude"),
        (
            "late_arrivals.pipeline.yaml",
            "label: late\n",
            "label: late\nbad_data: stop\n",
            "bad_data was renamed; write on_invalid_data, with fail for stop and continue for go_on",
        ),
        # A key that never was there has no new name.
        ("late_arrivals.pipeline.yaml", "team: flights", "team: flights\ndeny: []", "deny is not an allowed key"),
        (
            "late_arrivals.schema.yaml",
            "label: late\n",
            "label: late\nhistory: []\n",
            "history was renamed; write metric_checks",
        ),
        (
            "late_arrivals.schema.yaml",
            "label: late\n",
            "label: late\nrow_skew: {}\n",
            "row_skew was renamed; write feature_skew",
        ),
    ],
)
def test_an_old_key_is_an_error_that_names_the_new_one(team: Path, file: str, old: str, new: str, expected: str) -> None:
    change(team / file, old, new)
    code, shown = lint(team)
    assert (code, expected in shown) == (1, True), shown


def test_a_note_about_many_columns_is_short(team: Path) -> None:
    notes = [line for line in lint(team)[1].splitlines() if line.startswith("note: late_arrivals.schema.yaml")]
    (note,) = notes
    assert "`collected` for flight_id, carrier and 25 more columns; `unit` for" in note
    assert len(note) < 260 + len(str(team))


def test_a_missing_dag_file_is_reported_with_its_content(team: Path) -> None:
    (team / "late_arrivals.py").unlink()
    code, shown = lint(team / "late_arrivals.pipeline.yaml")
    assert code == 1
    assert "the DAG file late_arrivals.py beside it is missing" in shown
    assert "dag = load_pipeline(__file__)" in shown
    assert (DAGS / "flights" / "late_arrivals.py").read_text() == STUB


def test_two_pipelines_of_one_model_are_refused(team: Path) -> None:
    for suffix in ("pipeline.yaml", "py"):
        shutil.copy(team / f"late_arrivals.{suffix}", team / f"again.{suffix}")
    code, shown = lint(team)
    assert code == 1
    assert "pipeline flights.late_arrivals is already defined in" in shown


def test_a_folder_without_pipelines_is_refused(tmp_path: Path) -> None:
    code, shown = lint(tmp_path)
    assert code == 1
    assert "contains no pipeline file; allowed: a file whose name ends in .pipeline.yaml" in shown
    assert CliRunner().invoke(main, ["lint", str(tmp_path / "nowhere")]).exit_code == 2


def test_the_json_schema_names_the_keys_of_the_file() -> None:
    shown = CliRunner().invoke(main, ["schema-json"])
    assert shown.exit_code == 0
    schema = json.loads(shown.output)
    assert {"pipeline", "team", "source", "schema", "gate"} <= set(schema["properties"])
    assert "schema_file" not in schema["properties"]
    assert schema["additionalProperties"] is False
    assert "roc_auc" in json.dumps(schema)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def template(pipeline, team): ...", ""),
        ("def other(): ...", "own.py:1: it has no function template"),
        ("def template(:", "own.py:1: not valid Python"),
        ("def template(pipeline): ...", "own.py:1: template() takes 1 argument"),
    ],
)
def test_a_template_of_the_teams_own_is_read(team: Path, text: str, expected: str) -> None:
    change(team / "late_arrivals.pipeline.yaml", "template: continuous_training", "template: own.py")
    (team / "own.py").write_text(text)
    code, shown = lint(team)
    assert (code, expected in shown) == (1 if expected else 0, True), shown


def test_a_stub_that_loads_nothing_and_a_builder_that_ends_the_process_are_named(team: Path) -> None:
    (team / "late_arrivals.py").write_text("x = 1  # an airflow dag")
    (team / "m.py").write_text("def f(params):\n    raise SystemExit(0)\n")
    change(team / "late_arrivals.pipeline.yaml", "estimator: sklearn.ensemble.HistGradientBoostingClassifier", "build: m.py:f")
    code, shown = lint(team / "late_arrivals.pipeline.yaml")
    assert code == 1
    assert "late_arrivals.py:1: it does not load the pipeline file beside it" in shown
    assert "model.build: m.py:f raised SystemExit: 0" in shown
    assert "1 pipeline file, 2 mistakes" in shown


def test_a_mistake_in_a_team_file_is_reported_once(team: Path) -> None:
    (team / "team.yaml").write_text("team: flights\ngates: {}\n")
    code, shown = lint(team)
    assert code == 1
    assert shown.count("gates is not an allowed key") == 1
    assert "4 pipeline files, 1 mistake" in shown
