"""`taxiway lint`: mistakes in the sections `features`, `model`, `sweep` and `gate` of a pipeline file."""

from pathlib import Path

import pytest
from cli.linting import DAGS, change, lint

FLIGHTS = (DAGS / "flights" / "late_arrivals.pipeline.yaml").read_text()
GATE = FLIGHTS[FLIGHTS.index("gate:") : FLIGHTS.index("gateway:")]
CONDITIONS = GATE[GATE.index("  conditions:") : GATE.index("  slices:")]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
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
            "monitor: {log: log, retrain: {min_gain: 0.01, actions: [warm_start, retrain]}}\ngate:",
            "late_arrivals.pipeline.yaml:18: model.warm_start: HistGradientBoostingClassifier cannot be trained further",
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
            'late_arrivals.pipeline.yaml:16: model.command is "sh train.sh"; allowed: a list',
        ),
        (
            "pipeline.yaml",
            "estimator: sklearn.ensemble.HistGradientBoostingClassifier",
            'command: [sh, train.sh, "{train.csv}", "{params.depth}", "{model.onnx}"]',
            "model.command has {params.depth}, but depth is neither in model.params nor in sweep.space",
        ),
    ],
)
def test_a_mistake_in_model_or_gate_is_found_with_its_place(team: Path, file: str, old: str, new: str, expected: str) -> None:
    change(team / f"late_arrivals.{file}", old, new)
    code, shown = lint(team)
    assert code == 1
    assert expected in shown


def test_a_column_of_weights_that_is_not_there_is_one_mistake(team: Path) -> None:
    change(team / "late_arrivals.pipeline.yaml", "  params: {max_iter: 150}", "  params: {max_iter: 150}\n  weight: distanc")
    code, shown = lint(team)
    assert (code, shown.count('distanc"'), "1 mistake" in shown) == (1, 1, True), shown


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
    change(file, CONDITIONS, "")
    change(file, "thresholds: {roc_auc: 0.6}", "thresholds: {mae: 6}")
    change(file, "metric: roc_auc, min_improvement: -0.005", "metric: mae")
    change(file, "max_p99_ratio: 3}", "max_p99_ratio: 3, agree_within: 1}")
    change(file, "HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
    change(file, "goal: {metric: roc_auc, target: 0.7}", "goal: {metric: mae, target: 5}")
    code, shown = lint(file)
    assert code == 1
    assert 'the gate has regression metrics, but the type of "late" in the schema is boolean' in shown


def note_about(team: Path, gate: str) -> str:
    """The notes of a pipeline with another gate."""
    without_goal = FLIGHTS.replace(GATE, gate).replace("  goal: {metric: roc_auc, target: 0.7}\n", "")
    (team / "late_arrivals.pipeline.yaml").write_text(without_goal)
    code, shown = lint(team / "late_arrivals.pipeline.yaml")
    assert code == 0, shown
    notes = [line for line in shown.splitlines() if line.startswith("note: late_arrivals.pipeline.yaml:")]
    return "\n".join(note for note in notes if "purpose" not in note)


def test_a_condition_that_needs_more_rows_than_are_promised_is_noted(team: Path) -> None:
    found = note_about(team, "gate:\n  conditions: [n - o > -0.005 +/- 0.01]\n")
    assert (
        "note: late_arrivals.pipeline.yaml:19: n - o > -0.005 +/- 0.01 needs 12,499 evaluation rows if the models differ on 10% of them, "
        "but gate.min_rows is 300, which supports n - o > -0.005 +/- 0.0" in found
    )
    assert "note: late_arrivals.pipeline.yaml:19: nothing is required of a model while there is no champion" in found
    enough = "gate:\n  conditions: [n - o > -0.005 +/- 0.01, n > 0.6 +/- 0.02]\n  min_rows: 20000\n"
    assert note_about(team, enough) == ""
    assert "groups of evaluation rows by origin" in note_about(team, enough.replace("min_rows: 20000", "group_by: origin"))


@pytest.mark.parametrize(
    ("adaptivity", "rows", "instead"),
    [
        (
            "passes:4",
            14_000,
            "n - o > -0.005 +/- 0.0116, or 1 pass instead of 4 (adaptivity: first-change), or 4 steps instead of 8",
        ),
        (
            "passes:4",
            17_000,
            "n - o > -0.005 +/- 0.0105, or 2 passes instead of 4 (adaptivity: passes:2), or 6 steps instead of 8",
        ),
        (
            "full",
            14_000,
            "n - o > -0.005 +/- 0.0119, or 1 pass instead of 8 (adaptivity: first-change), or 4 steps instead of 8",
        ),
        ("full", 11_000, "n - o > -0.005 +/- 0.0134, or 1 step instead of 8"),
        ("first-change", 11_000, "n - o > -0.005 +/- 0.0107, or 3 steps instead of 8"),
    ],
)
def test_the_note_says_which_tolerance_passes_and_steps_the_rows_support(
    team: Path, adaptivity: str, rows: int, instead: str
) -> None:
    budget = f"budget: {{adaptivity: '{adaptivity}'}}"
    found = note_about(team, f"gate:\n  conditions: [n - o > -0.005 +/- 0.01]\n  {budget}\n  min_rows: {rows}\n")
    assert f"but gate.min_rows is {rows:,}, which supports" in found
    assert f"{instead}. If a span" in found


def test_what_other_requirements_cost_is_noted(team: Path) -> None:
    gate = "gate:\n  thresholds: {roc_auc: 0.6}\n  conditions: [n - o > -0.005 +/- 0.01]\n  min_rows: 12499\n"
    found = note_about(team, gate)
    assert "needs 22,547 evaluation rows if the models differ on 10% of them, but gate.min_rows is 12,499" in found
    assert "Without thresholds and against_champion it needs 12,499: with them, an answer may also be UNDECIDED" in found
    assert note_about(team, f"{gate}  budget: {{steps: 1}}\n") == ""


def test_the_demonstration_asks_for_no_more_than_its_months_support(team: Path) -> None:
    assert note_about(team, GATE) == ""


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
    assert "pipeline.yaml:4: purpose.goal is brier 0.1, which no evaluation measures; allowed: roc_auc, accuracy, or a" in shown
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


def test_a_comparison_that_does_not_say_how_much_better_is_noted(team: Path) -> None:
    file = team / "late_arrivals.pipeline.yaml"
    assert "min_improvement" not in lint(file)[1]
    change(file, ", min_improvement: -0.005", "")
    code, found = lint(file)
    assert code == 0
    assert "note: late_arrivals.pipeline.yaml: gate.against_champion.min_improvement is 0 by default" in found
