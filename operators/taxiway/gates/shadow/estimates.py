"""The estimates of the shadow comparison: agreement, score shift and latency ratios, each with a confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.features.labels import DECISION_THRESHOLD
from taxiway.gates.shadow.clusters import clustered_mean, clustered_proportion
from taxiway.records import Interval
from taxiway.records.shadow_pairs import Pair
from taxiway.stats.binomial import limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RESAMPLES = 1000
PROPORTION_METHOD = "exact binomial (Clopper and Pearson)"
AGREEMENT_METHOD = "binomial (Clopper and Pearson; Korn and Graubard for requests of several rows)"
SHIFT_METHOD = "Student's t over requests"
LATENCY_METHOD = f"percentile bootstrap over predict calls, {_RESAMPLES:,} resamples"
"""The display names of the interval methods of `proportion`, `agreement_of`, `score_shift_of` and `latency_ratios`."""
_MAX_VALUES_PER_CHUNK = 500_000
_NUMBER_TOLERANCE = 1e-6


def proportion(hits: int, total: int, confidence: float) -> Interval:
    """A proportion with its exact interval (Clopper and Pearson 1934, Biometrika 26:404)."""
    low, high = limits(hits / total, total, confidence)
    return Interval(value=hits / total, low=low, high=high, rows=total)


def _rows_by_request(predicted_by_both: Sequence[Pair]) -> list[list[tuple[Any, Any]]]:
    """The predictions of champion and challenger, row by row, of each request that has rows."""
    found = (
        list(zip(pair.champion.predictions or [], pair.challenger.predictions or [], strict=True)) for pair in predicted_by_both
    )
    return [rows for rows in found if rows]


@dataclass(frozen=True)
class VersionClasses:
    """The classes of both versions.

    Attributes:
        champion: The class names, in the order of the probabilities in answers; empty if they are not known.
        challenger: The same of the challenger.
        champion_threshold: The probability at or above which the second of two classes is predicted; None for 0.5.
        challenger_threshold: The same of the challenger.
    """

    champion: Sequence[str] = ()
    challenger: Sequence[str] = ()
    champion_threshold: float | None = None
    challenger_threshold: float | None = None

    @property
    def differ(self) -> bool:
        """Whether the classes of both are known and differ, also in their order."""
        return bool(self.champion and self.challenger) and tuple(self.champion) != tuple(self.challenger)

    def champion_index(self, probabilities: list[float]) -> int:
        """The position of the class that the champion predicts by these probabilities."""
        return _predicted_class_index(probabilities, self.champion_threshold)

    def challenger_index(self, probabilities: list[float]) -> int:
        """The position of the class that the challenger predicts by these probabilities."""
        return _predicted_class_index(probabilities, self.challenger_threshold)


_UNKNOWN_CLASSES = VersionClasses()


def agreement_of(
    predicted_by_both: Sequence[Pair], agree_within: float | None, confidence: float, classes: VersionClasses = _UNKNOWN_CLASSES
) -> Interval | None:
    """The fraction of rows for which both versions predict the same; None without rows.

    Two predictions are the same if their probabilities give the same class, their labels are equal, or their numbers are close.

    Args:
        predicted_by_both: The pairs in which both versions returned predictions.
        agree_within: The largest difference of two numbers that agree, in the label's unit. If None, integers must be equal, and other
            numbers may differ by a millionth.
        confidence: The confidence level of the interval, such as 0.99.
        classes: The classes of both versions, if they are known.
    """
    requests = _rows_by_request(predicted_by_both)
    if not requests:
        return None
    hits, sizes = [sum(_agree(*row, agree_within, classes) for row in rows) for rows in requests], list(map(len, requests))
    low, high = clustered_proportion(hits, sizes, confidence)
    return Interval(value=sum(hits) / sum(sizes), low=low, high=high, rows=sum(sizes))


def _agree(champion: Any, challenger: Any, agree_within: float | None, classes: VersionClasses) -> bool:
    champion, challenger = normalize_prediction(champion), normalize_prediction(challenger)
    if classes.differ and isinstance(champion, list) and isinstance(challenger, list):
        return classes.champion[classes.champion_index(champion)] == classes.challenger[classes.challenger_index(challenger)]
    if isinstance(champion, list) and isinstance(challenger, list):
        return len(champion) == len(challenger) and classes.champion_index(champion) == classes.challenger_index(challenger)
    if _is_number(champion) and _is_number(challenger):
        if agree_within is not None:
            return bool(abs(champion - challenger) <= agree_within)
        if isinstance(champion, int) and isinstance(challenger, int):
            return champion == challenger  # labels, or counts
        return math.isclose(champion, challenger, rel_tol=_NUMBER_TOLERANCE, abs_tol=_NUMBER_TOLERANCE)
    return bool(champion == challenger)


def score_shift_of(
    predicted_by_both: Sequence[Pair], confidence: float, classes: VersionClasses = _UNKNOWN_CLASSES
) -> Interval | None:
    """The mean difference of scores, challenger minus champion; None for labels, or with fewer than two requests.

    With two classes in the same order, the score is the probability of the second one. Otherwise it is the probability of the class that the champion
    predicted, and 0 if the challenger has not learned it. In a regression, it is the predicted number.
    """
    sums, sizes = [], []
    for rows in _rows_by_request(predicted_by_both):
        scores = filter(None, (_scores(normalize_prediction(a), normalize_prediction(b), classes) for a, b in rows))
        if shifts := [challenger - champion for champion, challenger in scores]:
            sums.append(sum(shifts))
            sizes.append(len(shifts))
    if len(sizes) < 2:
        return None
    mean, low, high = clustered_mean(sums, sizes, confidence)
    return Interval(value=mean, low=low, high=high, rows=sum(sizes))


def _scores(champion: Any, challenger: Any, classes: VersionClasses) -> tuple[float, float] | None:
    """The scores of a row; None for labels."""
    if classes.differ and isinstance(champion, list) and isinstance(challenger, list):
        position = classes.champion_index(champion)
        name = classes.champion[position]
        learned = name in classes.challenger
        return float(champion[position]), float(challenger[list(classes.challenger).index(name)]) if learned else 0.0
    if isinstance(champion, list) and isinstance(challenger, list) and len(champion) == len(challenger):
        class_index = 1 if len(champion) == 2 else classes.champion_index(champion)
        return float(champion[class_index]), float(challenger[class_index])
    # Integers are labels: MLflow returns integer classes as they are.
    if isinstance(champion, float) and isinstance(challenger, float):
        return champion, challenger
    return None


def normalize_prediction(prediction: Any) -> Any:
    """A row's probabilities as a list, even if they are an object (column: value); a list of one number is that number."""
    values = list(prediction.values()) if isinstance(prediction, dict) else prediction
    if not isinstance(values, list) or not values or not all(_is_number(value) for value in values):
        return prediction
    return values[0] if len(values) == 1 else values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _predicted_class_index(probabilities: list[float], threshold: float | None) -> int:
    """As `taxiway.features.labels.predicted_classes`."""
    if len(probabilities) == 2:
        return int(probabilities[1] >= (DECISION_THRESHOLD if threshold is None else threshold))
    return max(range(len(probabilities)), key=probabilities.__getitem__)


@dataclass(frozen=True)
class Estimates:
    """Estimates from the pairs in which both versions returned predictions.

    All are None without such pairs. The score shift is also None for labels, and with fewer than two requests that have scores. The
    latency ratios are None without live pairs. `requests` is the number of requests that the agreement was estimated from.
    """

    requests: int
    agreement: Interval | None
    score_shift: Interval | None
    p50_ratio: Interval | None
    p99_ratio: Interval | None


def estimate(
    compared: Sequence[Pair],
    live: Sequence[Pair],
    agree_within: float | None,
    confidence: float,
    classes: VersionClasses = _UNKNOWN_CLASSES,
) -> Estimates:
    """Everything that is estimated from the pairs of both versions.

    Args:
        compared: All pairs of the challenger and the champion that it is compared with, from live and from replayed requests.
        live: Those from live requests, whose latencies are compared.
        agree_within: See `agreement_of`.
        confidence: The confidence level of the intervals, such as 0.99.
        classes: The classes of both versions, if they are known.
    """
    predicted_by_both = _predicted_by_both(compared)
    return Estimates(
        len(_rows_by_request(predicted_by_both)),
        agreement_of(predicted_by_both, agree_within, confidence, classes),
        score_shift_of(predicted_by_both, confidence, classes),
        *latency_ratios(_predicted_by_both(live), confidence),
    )


def _predicted_by_both(pairs: Sequence[Pair]) -> list[Pair]:
    return [pair for pair in pairs if not pair.champion.error and not pair.challenger.error]


def latency_ratios(predicted_by_both: Sequence[Pair], confidence: float) -> tuple[Interval | None, Interval | None]:
    """The challenger's latency over the champion's, at the 50th and at the 99th percentile; None without pairs.

    The intervals are percentile bootstraps over predict calls, because the requests of one call share its latency.
    """
    import numpy as np

    latencies_by_call: dict[str, tuple[float, float]] = {}
    for pair in predicted_by_both:
        # A `call` is the ID of one predict call of the champion, so its requests have the same champion latency. If a worker of the
        # challenger died, the gateway retried the requests of that call one by one, and the challenger is judged by the slowest.
        _, slowest = latencies_by_call.get(pair.call, (0.0, 0.0))
        latencies_by_call[pair.call] = (pair.champion.latency_ms, max(slowest, pair.challenger.latency_ms))
    if not latencies_by_call:
        return None, None
    times = np.array(list(latencies_by_call.values()))
    random = np.random.default_rng(0)
    # NumPy sorts many resamples at once much faster than one by one.
    chunk_size = max(1, _MAX_VALUES_PER_CHUNK // len(times))
    chunk_sizes = [min(chunk_size, _RESAMPLES - begin) for begin in range(0, _RESAMPLES, chunk_size)]
    resampled = np.concatenate([_ratios(times[random.integers(0, len(times), (count, len(times)))]) for count in chunk_sizes])
    tail = (1 - confidence) / 2
    lows, highs = np.quantile(resampled, [tail, 1 - tail], axis=0)
    p50, p99 = (
        Interval(value=float(value), low=float(low), high=float(high), rows=len(times))
        for value, low, high in zip(_ratios(times[np.newaxis])[0], lows, highs, strict=True)
    )
    return p50, p99


def _ratios(samples: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The ratios of the medians and of the 99th percentiles, for each sample of (champion, challenger)."""
    import numpy as np

    quantiles = np.quantile(samples, [0.5, 0.99], axis=1)
    ratios: NDArray[np.float64] = quantiles[..., 1].T / np.maximum(quantiles[..., 0].T, 1e-9)
    return ratios
