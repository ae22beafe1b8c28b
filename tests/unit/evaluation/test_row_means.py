"""What conditions are about: means over rows that are those of the metrics, and the disagreement of both models."""

import numpy as np
import pandas as pd
import pytest

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
    assert [means.metric for means in found] == ["accuracy", "brier", "cost"]
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
