"""`gate.conditions` and `gate.budget` in a pipeline file, and what becomes optional with them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from minimal import MINIMAL

from taxiway.errors import ConfigError
from taxiway.spec.conditions.budget import Budget
from taxiway.spec.files.pipeline_file import read_pipeline

RULES = "  thresholds: {roc_auc: 0.6}\n  against_champion: {metric: roc_auc}\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    (tmp_path / "late.schema.yaml").write_text("features: []\n")
    path = tmp_path / "late.pipeline.yaml"

    def written(gate: str) -> Path:
        assert RULES in MINIMAL
        path.write_text(MINIMAL.replace(RULES, gate))
        return path

    return written


def test_conditions_stand_alone(write: Callable[[str], Path]) -> None:
    gate = read_pipeline(write("  conditions: [n - o > 0 +/- 0.01, {condition: d < 0.2 +/- 0.05, mode: fn-free}]\n")).gate
    assert [(str(entry.parsed), entry.mode, entry.metric) for entry in gate.conditions] == [
        ("n - o > 0 +/- 0.01", "fp-free", "accuracy"),
        ("d < 0.2 +/- 0.05", "fn-free", "accuracy"),
    ]
    assert (gate.comparison_metric, gate.metrics_used, gate.problem) == ("accuracy", ("accuracy",), "classification")
    assert (gate.budget.steps, gate.budget.adaptivity, gate.budget.passes) == (8, "first-change", 1)


def test_a_comparison_with_the_champion_keeps_its_metric(write: Callable[[str], Path]) -> None:
    gate = read_pipeline(write(f"{RULES}  conditions: [n > 0.8 +/- 0.05]\n")).gate
    assert (gate.comparison_metric, gate.metrics_used) == ("roc_auc", ("roc_auc", "accuracy"))


@pytest.mark.parametrize(
    ("adaptivity", "passes"), [("none", 1), ("first-change", 1), ("full", 6), ("passes:3", 3), ("passes:30", 6)]
)
def test_a_budget_counts_the_passes_that_have_an_influence(adaptivity: str, passes: int) -> None:
    assert Budget(steps=6, adaptivity=adaptivity).passes == passes


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("  min_rows: 400\n", ["gate.thresholds is missing", "gate.against_champion is missing"]),
        ("  thresholds: {roc_auc: 0.6}\n", ["gate.against_champion is missing"]),
        ("  conditions: []\n", ["gate.thresholds is missing"]),
        (
            "  conditions:\n    - n - o > 0 +/- 0.01\n    - n - p > 0 +/- 0.01\n",
            [
                'late.pipeline.yaml:12: gate.conditions[1] is "n - p > 0 +/- 0.01"; a value is expected instead of "p"',
                "\n    n - p > 0 +/- 0.01\n        ^\n    allowed: n (new model)",
            ],
        ),
        ("  conditions: [{condition: n > 0.8}]\n", ["gate.conditions[0].condition", "the tolerance is expected"]),
        ("  conditions: [3]\n", ["gate.conditions[0] is 3", "allowed: a condition, such as n - o > 0 +/- 0.01, or a section"]),
        ("  conditions: [{condition: 3}]\n", ["allowed: a condition, such as n - o > 0 +/- 0.01"]),
        (
            "  conditions: [n > 1.2 +/- 0.01]\n",
            ["late.pipeline.yaml:10: gate.conditions[0]", "is always false: n is from 0 to 1"],
        ),
        ("  conditions: [n > 0.99 +/- 0.05]\n", ["can never be shown", "lower the tolerance"]),
        (
            "  conditions: [{condition: n > 0.8 +/- 0.05, metric: roc_auc}]\n",
            [
                "gate.conditions[0].metric",
                "roc_auc can be in thresholds and against_champion, but it ranks all rows together, so no row has a value of its own; "
                "brier and clipped_log_loss are of the same probabilities",
                "allowed: accuracy, brier, clipped_log_loss, or a name of gate.metrics with range, or with costs and without times",
            ],
        ),
        (
            "  conditions: [{condition: n < 0.8 +/- 0.05, metric: log_loss}]\n",
            ["a row has no limits; clipped_log_loss has them"],
        ),
        (
            "  conditions: [{condition: n < 3 +/- 0.5, metric: mae}]\n",
            ["mae can be in thresholds", "a function in gate.metrics with range: [LOW, HIGH] may clip the errors"],
        ),
        ("  conditions: [{condition: n > 0.8 +/- 0.05, metric: f1_macro}]\n", ["it is not the mean of a number for each row"]),
        ("  conditions: [{condition: n < 0.8 +/- 0.05, metric: briar}]\n", ['(did you mean "brier"?)']),
        (
            "  metrics: {own: {function: m.py:f, range: [0, 9], problem: regression}}\n"
            "  conditions: [{condition: o - n > 0 +/- 1 and d < 0.1 +/- 0.05, metric: own}]\n",
            ["gate.conditions[0]", "and a regression has none; allowed: n, o"],
        ),
        (
            "  metrics: {own: {function: m.py:f}}\n  conditions: [{condition: n > 0.8 +/- 0.05, metric: own}]\n",
            ["gate.conditions[0].metric", "a row has no limits; allowed: with range: [LOW, HIGH] in gate.metrics"],
        ),
        ("  conditions: [n > 0.8 +/- 0.05]\n  budget: {steps: 0}\n", ["gate.budget.steps is 0"]),
        (
            "  conditions: [n > 0.8 +/- 0.05]\n  budget: {adaptivity: some}\n",
            ['gate.budget.adaptivity is "some"; allowed: none (nobody sees an answer'],
        ),
        (
            "  conditions: [n - o > 0 +/- 0.05]\n  champion_unscorable: thresholds\n",
            ["gate.champion_unscorable", "allowed: fail, or thresholds, or a condition on n alone"],
        ),
        (
            "  thresholds: {rmse: 3}\n  conditions: [n > 0.8 +/- 0.05]\n",
            ["rmse is for regression and accuracy for classification"],
        ),
    ],
)
def test_a_mistake_names_its_line_and_the_remedy(write: Callable[[str], Path], gate: str, expected: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_pipeline(write(gate))
    for part in expected:
        assert part in str(caught.value)


def test_costs_have_the_range_of_their_table(write: Callable[[str], Path]) -> None:
    metrics = "  metrics: {cost: {costs: {a: {b: 5}, b: {a: 10}}}}\n"
    condition = "  conditions: [{condition: o - n > 2 +/- 1, metric: cost}]\n"
    gate = read_pipeline(write(metrics + condition)).gate
    assert gate.comparison_metric == "cost"
    with pytest.raises(ConfigError, match="is always false: o - n is from -10 to 10"):
        read_pipeline(write(metrics + condition.replace("> 2", "> 20")))


def test_a_function_has_the_range_that_it_states(write: Callable[[str], Path]) -> None:
    metrics = "  metrics: {minutes: {function: 'os.path:basename', range: [0, 60]}}\n"
    condition = "  conditions: [{condition: o - n > 2 +/- 1, metric: minutes}]\n"
    gate = read_pipeline(write(metrics + condition)).gate
    assert (gate.facts("minutes").low, gate.facts("minutes").high) == (0, 60)
    with pytest.raises(ConfigError, match="is always false: o - n is from -60 to 60"):
        read_pipeline(write(metrics + condition.replace("> 2", "> 61")))


def test_a_team_s_requirements_hold_with_conditions_too(write: Callable[[str], Path]) -> None:
    path = write("  conditions: [n - o > 0 +/- 0.01]\n")
    team = "team: flights\ngate: {thresholds: {roc_auc: 0.5}, min_improvement: {roc_auc: -0.01}}\n"
    (path.parent / "team.yaml").write_text(team)
    with pytest.raises(ConfigError) as caught:
        read_pipeline(path)
    assert "gate.thresholds has no roc_auc" in str(caught.value)
    assert "gate.against_champion is missing; required by the team: a comparison by roc_auc" in str(caught.value)
