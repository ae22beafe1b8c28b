"""`taxiway lint` and `taxiway schema-json`, for editors and continuous integration."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.cli.lint import STUB

DAGS = Path(__file__).parents[3] / "dags"


@pytest.fixture
def team(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DAGS / "flights", tmp_path / "flights"))


def lint(*paths: Path) -> tuple[int, str]:
    shown = CliRunner().invoke(main, ["lint", *map(str, paths)])
    return shown.exit_code, shown.output


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


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
        ("pipeline.yaml", "label: late", "label: lat", 'late_arrivals.pipeline.yaml:8: source.label is "lat"'),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  split: {by: flights_id, evaluation: 0.2}",
            'late_arrivals.pipeline.yaml:9: source.split.by is "flights_id"',
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  split: {stratify: lat, evaluation: 0.2}",
            'late_arrivals.pipeline.yaml:9: source.split.stratify is "lat"',
        ),
        (
            "pipeline.yaml",
            "  window: 3",
            "  window: 1\n  split: {by_time: carrier, evaluation: 0.2}",
            "whose type in the schema is string\n    allowed: a column of type date, datetime, integer, number",
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  join:\n    w: {file: w.parquet, on: {orign: station}, columns: [temp], min_match_rate: 1}",
            'late_arrivals.pipeline.yaml:10: source.join.w.on is "orign"',
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  rows: dep_dela > 0",
            "late_arrivals.pipeline.yaml:9: source.rows names the",
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  rows: random() < 0.5",
            "late_arrivals.pipeline.yaml:9: source.rows calls",
        ),
        (
            "pipeline.yaml",
            "  label: late",
            "  label: late\n  unlabelled: skip",
            "late_arrivals.pipeline.yaml:9: source.unlabelled",
        ),
        ("pipeline.yaml", "[origin, carrier]", "[origin, carier]", 'did you mean "carrier"?'),
        (
            "pipeline.yaml",
            "drop: [tailnum, flight]",
            "drop: [tailnumber]",
            'late_arrivals.pipeline.yaml:11: features has the column "tailnumber"',
        ),
        ("pipeline.yaml", "params: {max_iter: 150}", "params: {max_itr: 150}", 'did you mean "max_iter"?'),
        (
            "pipeline.yaml",
            "  params: {max_iter: 150}",
            "  params: {max_iter: 150}\n  weight: distanc",
            'late_arrivals.pipeline.yaml:18: model.weight is "distanc", which is not a column of the schema',
        ),
        (
            "pipeline.yaml",
            "  params: {max_iter: 150}",
            "  params: {max_iter: 150}\n  weight: weights:recent",
            'model.weight is "weights:recent", which is not a column of the schema; for a function, write FILE.py:function or package.module:',
        ),
        (
            "pipeline.yaml",
            "  params: {max_iter: 150}",
            "  params: {max_iter: 150}\n  weight: carrier",
            'late_arrivals.pipeline.yaml:18: model.weight is "carrier", whose type in the schema is string',
        ),
        (
            "pipeline.yaml",
            "  params: {max_iter: 150}",
            "  params: {max_iter: 150}\n  weight: none.py:weights",
            'late_arrivals.pipeline.yaml:18: model.weight is "none.py", which is not a file in the folder of the pipeline file',
        ),
        (
            "pipeline.yaml",
            "  params: {max_iter: 150}",
            "  params: {max_iter: 150}\n  weight: os.path:weights",
            'late_arrivals.pipeline.yaml:18: model.weight: os.path has no "weights"',
        ),
        (
            "pipeline.yaml",
            "  params: {max_iter: 150}",
            "  params: {max_iter: 150}\n  weight: os.path:samefile",
            "late_arrivals.pipeline.yaml:18: model.weight: os.path:samefile cannot be called with (rows)",
        ),
        (
            "pipeline.yaml",
            "gate:",
            "gate:\n  metrics: {cost: {costs: {'true': {'false': 1}}, times: carrier}}",
            'gate.metrics.cost.times is "carrier", whose type in the schema is string\n    allowed: a column of type integer or number',
        ),
        (
            "pipeline.yaml",
            "  params: {max_iter: 150}",
            "  params: {max_iter: 150}\n  stop_on: [overfit]",
            "model.stop_on: HistGradientBoostingClassifier cannot be stopped by rules",
        ),
        (
            "pipeline.yaml",
            "gate:",
            "gate:\n  metrics: {cost: {function: 'os.path:basename'}}",
            "gate.metrics.cost: os.path:basename cannot be called with (y_true, y_pred, rows)",
        ),
        (
            "pipeline.yaml",
            "gate:",
            "gate:\n  metrics: {cost: {function: 'os.path:nope'}}",
            "late_arrivals.pipeline.yaml:19: gate.metrics.cost",
        ),
        (
            "pipeline.yaml",
            "estimator: sklearn.ensemble.HistGradientBoostingClassifier",
            'command: [trian, "{train.csv}", "{model.onnx}"]',
            "late_arrivals.pipeline.yaml:15: model.command: the program trian is not found",
        ),
        (
            "pipeline.yaml",
            "estimator: sklearn.ensemble.HistGradientBoostingClassifier",
            'command: "sh train.sh"',
            'late_arrivals.pipeline.yaml:16: model.command is "sh train.sh"; input should be a valid list',
        ),
        (
            "pipeline.yaml",
            "estimator: sklearn.ensemble.HistGradientBoostingClassifier",
            'command: [sh, train.sh, "{train.csv}", "{params.depth}", "{model.onnx}"]',
            "model.command has {params.depth}, but depth is neither in model.params nor in sweep.space",
        ),
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


def test_a_column_of_weights_that_is_not_there_is_one_mistake(team: Path) -> None:
    change(team / "late_arrivals.pipeline.yaml", "  params: {max_iter: 150}", "  params: {max_iter: 150}\n  weight: distanc")
    code, shown = lint(team)
    assert (code, shown.count('distanc"'), "1 mistake" in shown) == (1, 1, True), shown


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


def test_a_transform_that_cannot_be_saved_is_reported(team: Path) -> None:
    change(team / "late_arrivals.pipeline.yaml", "  numeric: auto\n", "  numeric: auto\n  build: mine.py:build\n")
    _, shown = lint(team)
    assert "late_arrivals.pipeline.yaml:13: features.build" in shown
    (team / "mine.py").write_text(
        "from sklearn.preprocessing import FunctionTransformer\n\n\ndef build(columns):\n"
        "    return FunctionTransformer(len(columns.numeric).__add__)\n"
    )
    _, shown = lint(team)
    assert "late_arrivals.pipeline.yaml:11: features.build: mine.py:build has parameters that could read files" in shown


def test_a_sweep_over_an_unknown_parameter_is_reported(team: Path) -> None:
    space = "sweep: {search: grid, space: {max_lef_nodes: [15, 31]}}\ngate:"
    change(team / "late_arrivals.pipeline.yaml", "gate:", space)
    code, shown = lint(team)
    assert code == 1
    assert (
        'sweep.space: model.params: sklearn.ensemble.HistGradientBoostingClassifier has no parameter "max_lef_nodes"' in shown
    )


def test_regression_metrics_need_a_numeric_label(team: Path) -> None:
    file = team / "late_arrivals.pipeline.yaml"
    change(file, "thresholds: {roc_auc: 0.6}", "thresholds: {mae: 6}")
    change(file, "metric: roc_auc, min_improvement: -0.005", "metric: mae")
    change(file, "max_p99_ratio: 3}", "max_p99_ratio: 3, agree_within: 1}")
    change(file, "HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
    change(file, "goal: {metric: roc_auc, target: 0.7}", "goal: {metric: mae, target: 5}")
    code, shown = lint(file)
    assert code == 1
    assert 'the gate has regression metrics, but the type of "late" in the schema is boolean' in shown


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
    assert "3 pipeline files, 1 mistake" in shown


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (
            "by_file",
            ".csv.gz",
            ".xlsx",
            "by_file.pipeline.yaml:5: the format of {data}/orders/{YYYY}-{MM}.xlsx is unknown",
        ),
        (
            "by_file",
            "{MM}",
            "{M}",
            'by_file.pipeline.yaml:5: source.spans is "{data}/orders/{YYYY}-{M}.csv.gz"; {M} is not a placeholder',
        ),
        ("by_function", "rows.py:read", "rows.py:raed", "by_function.pipeline.yaml:5: source.function: "),
        (
            "by_function",
            "rows.py:read",
            "row.py:read",
            'source.function is "row.py", which is not a file in the folder of the pipeline file',
        ),
        (
            "by_function",
            "first: 2026-01",
            "first: 2026",
            '"2026" is not the name of a period of one month; allowed: a name such as 2013-04',
        ),
        ("by_query", "  every: month\n", "", "source.every is missing; it is required: the length of each period"),
        ("by_query", "< {end}\n    ORDER", "< now()\n    ORDER", "it has no {end}; allowed: a query for one period"),
        (
            "by_query",
            "  connection: warehouse",
            "  function: rows.py:read",
            "sql and function are given; allowed: exactly one of files by spans: PATTERN",
        ),
    ],
)
def test_mistakes_in_a_source_are_found_without_airflow(tmp_path: Path, name: str, old: str, new: str, expected: str) -> None:
    folder = Path(shutil.copytree(DAGS.parent / "docs" / "examples" / "sources", tmp_path / "sources"))
    assert lint(folder)[0] == 0
    change(folder / f"{name}.pipeline.yaml", old, new)
    code, shown = lint(folder)
    assert code == 1
    assert expected in " ".join(shown.split()), shown


def test_a_source_function_that_cannot_be_called_is_found(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DAGS.parent / "docs" / "examples" / "sources", tmp_path / "sources"))
    change(folder / "rows.py", "def read(begin: datetime, end: datetime)", "def read(day: datetime)")
    code, shown = lint(folder)
    assert (code, "cannot be called with begin and end" in shown) == (1, True), shown


def test_a_condition_that_needs_more_rows_than_are_promised_is_noted(team: Path) -> None:
    file = team / "late_arrivals.pipeline.yaml"
    rules = "gate:\n  thresholds: {roc_auc: 0.6}\n  against_champion: {metric: roc_auc, min_improvement: -0.005}\n"
    change(file, rules, "gate:\n  conditions: [n - o > -0.005 +/- 0.01]\n")
    code, shown = lint(file)
    assert code == 0
    assert (
        "note: late_arrivals.pipeline.yaml:19: n - o > -0.005 +/- 0.01 needs 12,499 evaluation rows if the models differ on 10% of them, "
        "but gate.min_rows is 300, which supports n - o > -0.005 +/- 0.0" in shown
    )
    assert "note: late_arrivals.pipeline.yaml:19: nothing is required of a model while there is no champion" in shown
    change(file, "0.01]\n", "0.01, n > 0.6 +/- 0.02]\n  min_rows: 20000\n")
    code, shown = lint(file)
    assert (code, "note: late_arrivals.pipeline.yaml:19" in shown) == (0, False)
    change(file, "min_rows: 20000", "group_by: origin")
    assert "groups of evaluation rows by origin" in lint(file)[1]


def test_what_the_model_card_lacks_is_a_note(team: Path) -> None:
    file = team / "late_arrivals.pipeline.yaml"
    assert "purpose" not in lint(file)[1], "that of the demonstration is complete"
    file.write_text(file.read_text().partition("purpose:")[0])
    code, shown = lint(file)
    assert (
        "note: late_arrivals.pipeline.yaml: no purpose; the model card of the gate report lacks description, users, goal, "
        in shown
    )
    assert code == 0
    purpose = "purpose:\n  description: late\n  users: ' '\n  goal: {metric: brier, target: 0.1}\n  not_for: [crews]\n"
    change(file, "team: flights\n", f"team: flights\n{purpose}")
    code, shown = lint(file)
    assert "pipeline.yaml:4: purpose has no users, harm.false_positive, harm.false_negative, which the model card" in shown
    assert "pipeline.yaml:4: purpose.goal is brier 0.1, which no evaluation measures; allowed: roc_auc, or another" in shown
    assert code == 0


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("{metric: rok_auc, target: 1}", "purpose.goal.metric"),
        ("{metric: mae, target: 1}", "the metrics of gate are for classification; allowed: accuracy, "),
        ("{metric: roc_auc, target: .inf}", "purpose.goal.target"),
    ],
)
def test_a_goal_that_cannot_be_is_a_mistake(team: Path, goal: str, expected: str) -> None:
    file = team / "late_arrivals.pipeline.yaml"
    change(file, "goal: {metric: roc_auc, target: 0.7}", f"goal: {goal}")
    code, shown = lint(file)
    assert (code, expected in shown) == (1, True), shown
