"""Metrics of a team's own: costs and functions, on all rows, in replicates and in slices; what goes wrong is a sentence."""

import contextlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from helping import examples
from taxiway.errors import ConfigError, DataError
from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.metrics.trial import try_own_metrics
from taxiway.evaluation.predictions import Predictions, predictions_of
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.gate import Gate

CLASSES = ("no", "yes")


def gate(**metrics: Any) -> Gate:
    name = next(iter(metrics))
    return Gate.model_validate({"metrics": metrics, "thresholds": {name: 1}, "against_champion": {"metric": name}})


def compared(gate: Gate, scores: np.ndarray, labels: np.ndarray, **columns: Any) -> Comparison:
    rows = pd.DataFrame({"row": range(len(labels)), **columns})
    candidate = predictions_of(np.stack([1 - scores, scores], axis=1), CLASSES, CLASSES, 1)
    return Comparison(gate, rows, CLASSES, labels.astype(float), candidate, None, None)


def numbers(gate: Gate, predicted: np.ndarray, labels: np.ndarray) -> Comparison:
    return Comparison(gate, pd.DataFrame({"row": range(len(labels))}), (), labels, Predictions(predicted), None, None)


@examples(30)
@given(data=st.data())
def test_a_table_of_costs_is_the_mean_cost_of_a_row(data: st.DataObject) -> None:
    rows = data.draw(st.integers(2, 30))
    cell = st.sampled_from([-2.0, 0.0, 1.0, 50.0])
    costs = {label: {predicted: data.draw(cell) for predicted in CLASSES} for label in CLASSES}
    labels = np.array(data.draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows)))
    scores = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=rows, max_size=rows)))
    amounts = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, 12.5]), min_size=rows, max_size=rows)))
    found = compared(gate(cost={"costs": costs, "times": "amount"}), scores, labels, amount=amounts)
    expected = np.mean([costs[CLASSES[y]][CLASSES[int(s >= 0.5)]] * a for y, s, a in zip(labels, scores, amounts, strict=True)])
    assert found.intervals("cost", 0.99).candidate.value == pytest.approx(expected)


def write(folder: Path, body: str) -> str:
    (folder / "own.py").write_text(f"import numpy as np\n\n\ndef metric(y_true, y_pred, rows):\n    {body}\n")
    return f"{folder / 'own.py'}:metric"


def test_a_function_of_rows_has_the_interval_of_a_mean(tmp_path: Path) -> None:
    """Accuracy written by a team: the value and the interval of Taxiway's own."""
    rng = np.random.default_rng(1)
    labels = (rng.random(500) < 0.4).astype(int)
    scores = np.clip(labels * 0.3 + rng.random(500) * 0.7, 0, 1)
    own = gate(mine={"function": write(tmp_path, "return y_true == y_pred"), "better": "higher"})
    found = compared(own, scores, labels)
    assert found.intervals("mine", 0.99).candidate == found.intervals("accuracy", 0.99).candidate


def test_a_function_of_one_number_is_called_for_each_replicate(tmp_path: Path) -> None:
    """A median has no value for each row: it is computed on the drawn rows, and its interval is that of a bootstrap."""
    rng = np.random.default_rng(2)
    labels, predicted = rng.normal(size=300), np.zeros(300)
    own = gate(mine={"function": write(tmp_path, "return np.median(abs(y_true - y_pred))"), "problem": "regression"})
    found = numbers(own, predicted, labels).intervals("mine", 0.95).candidate
    assert found.value == pytest.approx(np.median(abs(labels)))
    draws = [np.median(abs(rng.choice(labels, 300))) for _ in range(2000)]
    assert found.high - found.value == pytest.approx(1.96 * np.std(draws), rel=0.15)


def test_a_function_gets_classes_as_text_and_probabilities_with_the_rows(tmp_path: Path) -> None:
    body = (
        "assert set(y_true) <= {'no', 'yes'} and set(y_pred) <= {'no', 'yes'}; "
        "return rows['probability_yes'].to_numpy() * rows['amount']"
    )
    own = gate(mine={"function": write(tmp_path, body)})
    found = compared(own, np.array([0.2, 0.6]), np.array([0, 1]), amount=[10.0, 100.0])
    assert found.intervals("mine", 0.99).candidate.value == pytest.approx(31.0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no such thing')", r"metric raised ValueError: no such thing"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
        ("return None", "returned a NoneType that is not a number"),
        ("return 'high'", "returned a str that is not a number"),
        ("return [1.0, 2.0, 3.0]", r"an array of the shape \(3,\) for 2 rows; allowed: one number for each row, or one number"),
    ],
)
def test_what_a_function_does_wrong_is_a_sentence(tmp_path: Path, body: str, words: str) -> None:
    found = compared(gate(mine={"function": write(tmp_path, body)}), np.array([0.2, 0.6]), np.array([0, 1]))
    with pytest.raises(ConfigError, match=words):
        found.intervals("mine", 0.99)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (
            {"function": "return 'high'"},
            "one number for each row, or one number. Tried on 3 training rows with made-up predictions",
        ),
        ({"function": "raise KeyError('fee')"}, "raised KeyError: 'fee'. Tried on 3 training rows"),
        ({"costs": {"no": {"yes": 1}}, "times": "name"}, "name is not a number in 3 of 3 rows. Tried on"),
        ({"function": "return np.nan"}, ""),
        (
            {"function": "return 3", "range": [0, 2]},
            "gate.metrics.mine: the rows together has the value 3, outside of range: [0, 2]",
        ),
        ({"function": "return (y_true == y_pred).astype(float) * rows['probability_yes']"}, ""),
        ({"costs": {"no": {"yes": 1}}, "times": "amount"}, ""),
    ],
)
def test_a_metric_is_tried_before_anything_is_trained(tmp_path: Path, metric: dict[str, Any], words: str) -> None:
    if "function" in metric:
        metric = {**metric, "function": write(tmp_path, metric["function"])}
    rows = pd.DataFrame({"y": ["no", None, "yes", "no"], "name": list("abcd"), "amount": [1, 2, 3, 4]})
    with pytest.raises(ConfigError, match=re.escape(words)) if words else contextlib.nullcontext():
        try_own_metrics(gate(mine=metric), rows, "y", CLASSES)


def test_that_a_condition_cannot_use_a_function_is_known_before_training(tmp_path: Path) -> None:
    metrics = {"mine": {"function": write(tmp_path, "return (y_true == y_pred).mean()"), "range": [0, 1]}}
    rows = pd.DataFrame({"y": ["no", "yes", "no"]})
    rules = {"thresholds": {"mine": 1}, "against_champion": {"metric": "mine"}}
    try_own_metrics(Gate.model_validate({"metrics": metrics, **rules}), rows, "y", CLASSES)
    conditions = [{"condition": "n < 0.5 +/- 0.1", "metric": "mine"}]
    with pytest.raises(
        ConfigError, match=r"returned one number for 3 rows; a condition needs one number for each row. Tried on 3"
    ):
        try_own_metrics(Gate.model_validate({"metrics": metrics, "conditions": conditions}), rows, "y", CLASSES)


def test_a_metric_of_a_regression_is_tried_too(tmp_path: Path) -> None:
    own = gate(mine={"function": write(tmp_path, "return list(y_true)[:1] * 2"), "problem": "regression"})
    with pytest.raises(ConfigError, match=r"an array of the shape \(2,\) for 3 rows"):
        try_own_metrics(own, pd.DataFrame({"y": [1.5, 2.5, 4.0]}), "y", ())


def test_a_function_cannot_change_what_others_see(tmp_path: Path) -> None:
    body = "y_true[:] = 'yes'; y_pred[:] = 'yes'; rows['row'] = 0; return np.ones(len(rows))"
    found = compared(gate(mine={"function": write(tmp_path, body)}), np.array([0.2, 0.6]), np.array([0, 1]))
    before = found.intervals("accuracy", 0.99)
    found.intervals("mine", 0.99)
    assert found.intervals("accuracy", 0.99) == before
    assert found.rows["row"].tolist() == [0, 1]


def test_costs_of_a_class_or_a_column_that_does_not_exist_are_errors() -> None:
    two = (np.array([0.2, 0.6]), np.array([0, 1]))
    with pytest.raises(ConfigError, match=r'gate\.metrics\.cost\.costs has the class "maybe"; allowed: no, yes'):
        gate(cost={"costs": {"no": {"maybe": 1}}}).require_known_classes(CLASSES)
    costs = {"costs": {"no": {"yes": 1}}, "times": "amount"}
    with pytest.raises(DataError, match='times is "amount", missing in the rows; allowed: row'):
        compared(gate(cost=costs), *two).intervals("cost", 0.99)
    with pytest.raises(DataError, match="amount is not a number in 1 of 2 rows"):
        compared(gate(cost=costs), *two, amount=[1.0, None]).intervals("cost", 0.99)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"metrics": {"cost": {}}}, "exactly one of function"),
        ({"metrics": {"accuracy": {"costs": {"a": {"b": 1}}}}}, "allowed: a name that no metric of Taxiway has"),
        ({"metrics": {"cost": {"costs": {"a": {"b": 1}}, "better": "higher"}}}, "lower is better"),
        ({"thresholds": {"acuracy": 1}}, "allowed: accuracy"),
        ({"metrics": {"cost": {"function": "m.py:f", "range": [0, 0.5]}}}, "allowed: 0 to 0.5"),
        (
            {"metrics": {"cost": {"function": "m.py:f", "range": [2, 1]}}},
            r"the range is 2 to 1; allowed: \[LOW, HIGH\] with LOW < HIGH",
        ),
        (
            {"metrics": {"cost": {"costs": {"a": {"b": 1}}, "range": [0, 1]}}},
            "costs without times have the range of their table",
        ),
        ({"metrics": {"cost": {"function": "m.py:f", "range": [0, float("inf")]}}}, "should be a finite number"),
        (
            {"metrics": {"cost": {"costs": {"a": {"b": 1}}}}, "against_champion": {"metric": "rmse"}},
            "rmse is for regression and cost for classification",
        ),
    ],
)
def test_a_mistake_in_the_section_is_named(section: dict[str, Any], words: str) -> None:
    plain = {"thresholds": {"cost": 1}, "against_champion": {"metric": "cost"}}
    with pytest.raises(ValidationError, match=words):
        Gate.model_validate({**plain, **section})


def test_a_file_names_a_metric_and_its_function(tmp_path: Path) -> None:
    (tmp_path / "p.schema.yaml").write_text("label: y\nfeatures: {}\n")
    write(tmp_path, "return 1")
    path = tmp_path / "p.pipeline.yaml"
    text = """pipeline: p
team: t
source: {spans: "x/{SPAN}.csv", label: y}
schema: p.schema.yaml
model: {estimator: sklearn.linear_model.LogisticRegression}
gate:
  metrics:
    cost: {costs: {0: {1: 5}, 1: {0: 100}}}
    mine: {function: own.py:metric, better: higher}
  thresholds: {cost: 3}
  against_champion: {metric: mine}
"""
    path.write_text(text)
    read = read_pipeline(path).gate
    assert read.metrics["mine"].function == f"{tmp_path / 'own.py'}:metric"
    assert read.metrics["cost"].costs == {"0": {"1": 5.0}, "1": {"0": 100.0}}
    assert (read.facts("cost").direction, read.facts("mine").direction, read.problem) == (-1, 1, "classification")
    path.write_text(text.replace("metric: mine", "metric: mime"))
    with pytest.raises(ConfigError, match=r'p\.pipeline\.yaml:11: gate\.against_champion\.metric is "mime"') as caught:
        read_pipeline(path)
    assert '(did you mean "mine"?)' in str(caught.value)
