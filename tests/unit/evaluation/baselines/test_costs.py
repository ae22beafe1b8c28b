"""The costs of a candidate in words: multiples of those of the linear model, with the numbers behind them."""

import pytest

from taxiway.evaluation.baselines.costs import NOT_COMPARED, costs_text

TIMES = {"predict.ms_per_row": 0.012, "baseline.linear.predict_ms_per_row": 0.002}
SIZE = {"baseline.linear.model_bytes": 30_000.0}


@pytest.mark.parametrize(
    ("costs", "size", "text"),
    [
        (
            TIMES | SIZE,
            1_200_000,
            "6.0 times slower to predict (0.012 and 0.002 ms for each row) and 40 times larger (1.2 MB and 30 kB), "
            "compared with the linear model",
        ),
        (
            {"predict.ms_per_row": 3.0, "baseline.linear.predict_ms_per_row": 123.4} | SIZE,
            999,
            "41 times faster to predict (3 and 123 ms for each row) and 30 times smaller (999 B and 30 kB), compared with the linear model",
        ),
        (
            {"predict.ms_per_row": 0.101, "baseline.linear.predict_ms_per_row": 0.1} | SIZE,
            30_000,
            "as fast to predict (0.1 and 0.1 ms for each row) and as large (30 kB and 30 kB), compared with the linear model",
        ),
        (TIMES, 1_000, "6.0 times slower to predict (0.012 and 0.002 ms for each row), compared with the linear model"),
        (SIZE, 60_000_000_000, "2,000,000 times larger (60 GB and 30 kB), compared with the linear model"),
        (TIMES | {"predict.ms_per_row": 0.0}, None, NOT_COMPARED),
        ({"predict.ms_per_row": 1.0}, 1_000, NOT_COMPARED),
    ],
)
def test_costs_are_multiples_of_those_of_the_linear_model(costs: dict[str, float], size: int | None, text: str) -> None:
    assert costs_text(costs, size) == text
