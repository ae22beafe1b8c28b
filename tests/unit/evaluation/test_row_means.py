"""What conditions are about: means over rows that are those of the metrics, and the disagreement of both models."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from taxiway.errors import ConfigError
from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.metrics.own import OwnMetricFunction
from taxiway.evaluation.predictions import Predictions, predictions_of
from taxiway.evaluation.row_means import row_means
from taxiway.spec.gate import Gate

COSTS = {"costs": {"a": {"b": 5}, "c": {"a": 10, "b": 1}}}
GATE = Gate.model_validate(
    {
        "metrics": {"cost": COSTS},
        "conditions": [
            "n - o > 0 +/- 0.01",
            {"condition": "o - n > 0 +/- 0.01", "metric": "brier"},
            {"condition": "o - n > 0 +/- 0.5", "metric": "cost"},
            {"condition": "o - n > 0 +/- 0.5", "metric": "clipped_log_loss"},
            "d < 0.5 +/- 0.1",
        ],
    }
)


def drawn(classes: tuple[str, ...], seed: int) -> Predictions:
    values = np.random.default_rng(seed).dirichlet([1] * len(classes), 200)
    return predictions_of(values, classes, classes, 1 if len(classes) == 2 else None)


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_means_are_those_of_the_metrics(classes: tuple[str, ...]) -> None:
    labels = np.random.default_rng(0).integers(0, len(classes), 200).astype(float)
    candidate, champion = drawn(classes, 1), drawn(classes, 2)
    frame = pd.DataFrame({"x": range(200)})
    found = row_means(Comparison(GATE, frame, classes, labels, candidate, champion, None))
    ones = np.ones((1, 200))
    assert [means.metric for means in found] == ["accuracy", "brier", "cost", "clipped_log_loss"]
    for means in found:
        if means.metric == "cost":
            compute = OwnMetricFunction("cost", GATE.metrics["cost"], classes, frame)
        else:
            compute = metric_of(means.metric, classes).compute
        assert means.candidate == pytest.approx(compute(candidate, labels, ones)[0])
        assert means.champion == pytest.approx(compute(champion, labels, ones)[0])
        assert means.disagreement == (candidate.predicted != champion.predicted).mean()
        assert (means.rows, means.units) == (200, 200)
    right = (candidate.predicted == labels).astype(float) - (champion.predicted == labels)
    assert found[0].variance == pytest.approx(np.var(right, ddof=1))


def test_groups_count_by_their_sizes_and_a_first_model_is_alone() -> None:
    labels, groups = np.zeros(200), np.repeat([0, 1, 2], [100, 50, 50])
    (means, *_) = row_means(
        Comparison(GATE, pd.DataFrame(index=range(200)), ("a", "b"), labels, drawn(("a", "b"), 1), None, groups)
    )
    assert means.units == pytest.approx(200**2 / (100**2 + 2 * 50**2))
    assert (means.champion, means.disagreement, means.variance) == (None, None, None)


def own_gate(folder: Path, body: str, **keys: Any) -> Gate:
    (folder / "own.py").write_text(f"def metric(y_true, y_pred, rows):\n    {body}\n")
    metric = {"function": f"{folder / 'own.py'}:metric", **keys}
    return Gate.model_validate(
        {"metrics": {"mine": metric}, "conditions": [{"condition": "o - n > 0 +/- 1", "metric": "mine"}]}
    )


def test_a_function_with_a_range_is_taken_row_by_row_also_in_a_regression(tmp_path: Path) -> None:
    gate = own_gate(tmp_path, "return abs(y_true - y_pred).clip(0, 5)", range=[0, 5], problem="regression")
    rng = np.random.default_rng(0)
    labels, new, old = (3 * rng.normal(size=200) for _ in range(3))
    (means,) = row_means(Comparison(gate, pd.DataFrame(index=range(200)), (), labels, Predictions(new), Predictions(old), None))
    first, second = (np.clip(abs(labels - predicted), 0, 5) for predicted in (new, old))
    assert (means.candidate, means.champion) == (pytest.approx(first.mean()), pytest.approx(second.mean()))
    assert means.variance == pytest.approx(np.var(first - second, ddof=1))
    assert means.disagreement is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "return 1.0",
            "gate.metrics.mine: {file}:metric returned one number for 200 rows; a condition needs one number for each row",
        ),
        (
            "return [1.0, 7.5, 8.0] + [1.0] * 197",
            "gate.metrics.mine: row 2 of 200 has the value 7.5, as 1 other row, outside of range: [0, 5]; state the range that all rows "
            "have, or let the function clip its values",
        ),
        ("return [float('nan')] + [1.0] * 199", "row 1 of 200 has the value nan, outside of range: [0, 5]"),
    ],
)
def test_a_function_that_a_condition_cannot_use_is_an_error(tmp_path: Path, body: str, words: str) -> None:
    gate = own_gate(tmp_path, body, range=[0, 5])
    comparison = Comparison(gate, pd.DataFrame(index=range(200)), ("a", "b"), np.zeros(200), drawn(("a", "b"), 1), None, None)
    with pytest.raises(ConfigError, match=re.escape(words.format(file=tmp_path / "own.py"))):
        row_means(comparison)


def test_a_cost_that_times_takes_out_of_the_range_is_an_error() -> None:
    metric = {"costs": {"a": {"b": 2}, "b": {"a": 2}}, "times": "amount", "range": [0, 100]}
    gate = Gate.model_validate({"metrics": {"cost": metric}, "conditions": [{"condition": "n < 50 +/- 1", "metric": "cost"}]})
    labels, frame = np.tile([0.0, 1.0], 100), pd.DataFrame({"amount": np.full(200, 50.0)})
    predictions = drawn(("a", "b"), 1)
    (means,) = row_means(Comparison(gate, frame, ("a", "b"), labels, predictions, None, None))
    assert means.candidate == pytest.approx(100 * (predictions.predicted != labels).mean())
    with pytest.raises(ConfigError, match=r"has the value 102, as .* outside of range: \[0, 100\]; .* limit the column amount"):
        row_means(Comparison(gate, frame + 1, ("a", "b"), labels, predictions, None, None))
