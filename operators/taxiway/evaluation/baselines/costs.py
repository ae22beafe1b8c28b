"""What a candidate costs beside the linear model: how long predictions take, and the size of the model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from taxiway.evaluation.baselines.fit import FittedBaseline
from taxiway.evaluation.baselines.timing import predict_times
from taxiway.evaluation.scoring import LoadedModel
from taxiway.features.signature import predict_function
from taxiway.messages import size_text

if TYPE_CHECKING:
    import pandas as pd

_TIME, _LINEAR_TIME = "predict.ms_per_row", "baseline.linear.predict_ms_per_row"
_LINEAR_BYTES = "baseline.linear.model_bytes"
_MANY = 10
NOT_COMPARED = "not compared with the linear model"


def model_costs(candidate: LoadedModel, baselines: Sequence[FittedBaseline], frame: "pd.DataFrame") -> dict[str, float]:
    """Measure the costs of a candidate and of the linear model; not for a record, because no time is the same twice.

    Args:
        candidate: The candidate.
        baselines: The baselines, of which the linear model is measured.
        frame: The raw columns of the candidate, from `model_frame`.

    Returns:
        The metrics of the MLflow run by name.
    """
    models, costs = {_TIME: predict_function(candidate.predictor)}, {}
    for one in baselines:
        if one.record.name == "linear":
            models[_LINEAR_TIME], costs[_LINEAR_BYTES] = one.predict, float(one.record.model_bytes)
    return predict_times(models, frame) | costs


def costs_text(costs: Mapping[str, float], size: int | None) -> str:
    """The costs of a candidate as multiples of those of the linear model, in words.

    Args:
        costs: The costs, from `model_costs`.
        size: The size of the candidate's file in bytes; None if it is not known.
    """
    parts = []
    if costs.get(_TIME) and costs.get(_LINEAR_TIME):
        times = costs[_TIME], costs[_LINEAR_TIME]
        each = " and ".join(f"{time:.2g}" if time < _MANY else f"{time:,.0f}" for time in times)
        parts.append(f"{_ratio_text(*times, ('slower', 'faster', 'as fast'))} to predict ({each} ms for each row)")
    if size and _LINEAR_BYTES in costs:
        sizes = size, costs[_LINEAR_BYTES]
        parts.append(
            f"{_ratio_text(*sizes, ('larger', 'smaller', 'as large'))} ({size_text(sizes[0])} and {size_text(sizes[1])})"
        )
    return f"{' and '.join(parts)}, compared with the linear model" if parts else NOT_COMPARED


def _ratio_text(mine: float, other: float, words: tuple[str, str, str]) -> str:
    """`6.2 times slower`, `40 times faster`, or `as fast` if that would be 1.0 times."""
    more = mine > other
    ratio = max(mine, other) / min(mine, other)
    shown = f"{ratio:,.0f}" if ratio >= _MANY else f"{ratio:.1f}"
    return words[2] if shown == "1.0" else f"{shown} times {words[0 if more else 1]}"
